import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from bailee.client import ApiError, BatchLine, Unavailable
from bailee.client.calls import batches
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import problem, record


def _ndjson(*values: Any) -> httpx2.Response:
    content = "".join(json.dumps(value) + "\n" for value in values)
    return httpx2.Response(200, text=content, headers={"Content-Type": "application/x-ndjson"})


def _store(request: httpx2.Request) -> httpx2.Response:
    """A server that stores every line."""
    count = len(request.content.splitlines())
    return _ndjson(*({"line": number, "id": f"id-{number}"} for number in range(1, count + 1)))


async def test_lines_go_out_by_the_thousand_and_come_back_numbered_over_all(rig_of: RigOf) -> None:
    rig = rig_of(_store, _store, _store)
    results = await rig.every(rig.client.records.batch_write("people", ({"data": {"n": n}} for n in range(2001))))
    assert [result.line for result in results] == list(range(1, 2002))
    assert [len(request.content.splitlines()) for request in rig.script.requests] == [1000, 1000, 1]
    assert len(set(rig.script.header("Idempotency-Key"))) == 3
    assert rig.script.requests[0].content.startswith(b'{"data":{"n":0}}\n{"data":{"n":1}}\n')


async def test_refused_line_is_a_result_and_not_an_exception(rig_of: RigOf) -> None:
    fault = {"code": "invalid", "detail": "Fix it.", "errors": [{"path": "data.email", "message": "is required"}]}
    rig = rig_of(_ndjson({"line": 2, "error": fault}, {"line": 1, "id": "id-1"}))
    refused, stored = await rig.every(rig.client.records.batch_write("people", [{"data": {}}, BatchLine(data={})]))
    assert (stored.line, stored.id, stored.error) == (1, "id-1", None)
    assert refused.error.errors[0].path == "data.email"


async def test_requests_stay_below_the_byte_limit(rig_of: RigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"data": {"text": "x" * 40}}
    size = len(json.dumps(line, separators=(",", ":"))) + 1
    monkeypatch.setattr(batches, "MOST_BYTES", 2 * size)
    rig = rig_of(_store, _store)
    assert len(await rig.every(rig.client.records.batch_write("people", [line] * 3))) == 3
    assert [len(request.content) for request in rig.script.requests] == [2 * size, size]


async def test_line_that_fits_no_request_stops_the_batch_after_those_before_it(
    rig_of: RigOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 60)
    rig = rig_of(_store)
    with pytest.raises(ValueError, match="line 2 is larger than the 60 bytes"):
        await rig.every(rig.client.records.batch_write("people", [{"data": {}}, {"data": {"text": "x" * 60}}]))


async def test_key_of_the_caller_numbers_the_requests_so_that_an_import_can_be_repeated(rig_of: RigOf) -> None:
    rig = rig_of(_store, _store)
    lines: list[dict[str, Any]] = [{"data": {}}] * 1001
    await rig.every(rig.client.records.batch_write("people", lines, idempotency_key="import-7"))
    assert rig.script.header("Idempotency-Key") == ["import-7/1", "import-7/2"]


@pytest.mark.parametrize(
    "answer",
    [
        _ndjson({"line": 1, "id": "a"}),
        _ndjson({"line": 1, "id": "a"}, {"line": 1, "id": "b"}),
        _ndjson({"line": 1, "id": "a"}, {"line": 2, "id": "b"}, {"line": 3, "id": "c"}),
        _ndjson(),
    ],
)
async def test_line_that_the_answer_does_not_speak_of_does_not_pass_for_stored(
    rig_of: RigOf, answer: httpx2.Response
) -> None:
    rig = rig_of(answer)
    with pytest.raises(ApiError, match="one result for each of the 2 lines"):
        await rig.every(rig.client.records.batch_write("people", [{"data": {}}] * 2))


async def test_failed_request_raises_after_the_results_of_those_before_it(rig_of: RigOf) -> None:
    rig = rig_of(_store, problem(503, "unavailable"), retries=0)
    seen = []
    results = rig.client.records.batch_write("people", [{"data": {}}] * 1500)
    with pytest.raises(Unavailable):  # noqa: PT012 - what was seen before the failure is the point
        if hasattr(results, "__aiter__"):
            async for result in results:
                seen.append(result)  # noqa: PERF401 - a comprehension would lose them
        else:
            for result in results:
                seen.append(result)  # noqa: PERF402 - the same
    assert len(seen) == 1000


async def test_input_is_drawn_on_only_as_far_as_results_are_consumed(rig_of: RigOf) -> None:
    drawn = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal drawn
        for _ in range(5000):
            drawn += 1
            yield {"data": {}}

    rig = rig_of(_store)
    results = rig.client.records.batch_write("people", lines())
    first = await anext(results) if hasattr(results, "__anext__") else next(results)
    assert first.line == 1
    assert drawn == 1001
    if hasattr(results, "aclose"):
        await results.aclose()


async def test_batch_read_returns_records_and_says_what_is_missing(rig_of: RigOf) -> None:
    missing = {"code": "not_found", "detail": "There is nothing here."}
    rig = rig_of(httpx2.ReadTimeout("slow"), _ndjson({"line": 1, "record": record("1")}, {"line": 2, "error": missing}))
    found, absent = await rig.every(rig.client.records.batch_read("people", ["1", "2"]))
    assert found.record.id == "1"
    assert absent.error.code == "not_found"
    assert rig.script.requests[1].content == b'{"id":"1"}\n{"id":"2"}\n'
    assert rig.script.requests[1].url.raw_path == b"/api/v1/collections/people/records/read"


async def test_empty_batch_asks_nothing(rig_of: RigOf) -> None:
    rig = rig_of()
    assert await rig.every(rig.client.records.batch_write("people", [])) == []
