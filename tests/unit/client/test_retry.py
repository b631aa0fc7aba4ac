import ssl
from pathlib import Path

import httpx2
import pytest

from bailee.client import ApiError, Conflict, ConnectionFailed, RateLimited, Unavailable
from bailee.client.errors import BaileeError
from bailee.client.retry import FIRST_CEILING, LAST_CEILING, LONGEST_WAIT, Attempts
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import TOKEN, Broken, problem, record


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("cut off"),
        problem(429, "rate_limited"),
        problem(409, "idempotency_in_progress"),
        httpx2.Response(502),
        problem(503, "unavailable"),
        httpx2.Response(504),
        httpx2.Response(200, stream=Broken(b'{"id":')),
    ],
)
async def test_passing_failure_of_a_keyed_post_is_retried_with_the_same_key(
    rig_of: RigOf, failure: httpx2.Response | Exception
) -> None:
    rig = rig_of(failure, httpx2.Response(201, json=record()))
    created = await rig.one(rig.client.records.create("people", {"email": "ada@example.org"}))
    assert created.id == "0190"
    first, second = rig.script.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.content == second.content
    assert len(rig.slept) == 1


@pytest.mark.parametrize(
    "status, code",
    [(400, "malformed"), (401, "unauthorized"), (409, "conflict"), (412, "version_mismatch"), (500, "internal_error")],
)
async def test_lasting_refusal_is_not_retried(rig_of: RigOf, status: int, code: str) -> None:
    rig = rig_of(problem(status, code))
    with pytest.raises(ApiError):
        await rig.one(rig.client.records.get("people", "1"))
    assert rig.slept == []


async def test_post_without_a_key_is_not_retried(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.ReadTimeout("slow"))
    with pytest.raises(ConnectionFailed) as caught:
        await rig.one(rig.client.keys.create("ci", ["records:read"]))
    assert caught.value.timed_out


async def test_post_that_only_reads_is_retried(rig_of: RigOf) -> None:
    rig = rig_of(problem(503, "ledger_pending", retry_after=1), httpx2.Response(200, json={"items": []}))
    assert await rig.one(rig.client.ledger.bundle(["e1"])) == {"items": []}


async def test_retries_are_limited_and_the_last_error_is_raised(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(502), httpx2.Response(504), problem(503, "unavailable"), retries=2)
    with pytest.raises(Unavailable):
        await rig.one(rig.client.health())
    assert len(rig.slept) == 2


async def test_no_retries_means_one_attempt(rig_of: RigOf) -> None:
    rig = rig_of(problem(503, "unavailable"), retries=0)
    with pytest.raises(Unavailable):
        await rig.one(rig.client.health())


async def test_retry_after_is_waited_for(rig_of: RigOf) -> None:
    rig = rig_of(problem(429, "rate_limited", headers={"Retry-After": "7"}), httpx2.Response(200, json={}))
    await rig.one(rig.client.health())
    (slept,) = rig.slept
    assert 7 <= slept <= 7 + FIRST_CEILING


async def test_wait_beyond_the_bound_is_left_to_the_caller(rig_of: RigOf) -> None:
    rig = rig_of(problem(429, "rate_limited", headers={"Retry-After": str(LONGEST_WAIT + 1)[:-2]}))
    with pytest.raises(RateLimited) as caught:
        await rig.one(rig.client.health())
    assert caught.value.problem.retry_after == LONGEST_WAIT + 1


def test_backoff_doubles_its_ceiling_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bailee.client.retry._random.uniform", lambda _low, high: high)
    attempts = Attempts(repeatable=True, retries=8)
    delays = [attempts.delay_after(ConnectionFailed("away")) for _ in range(9)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, LAST_CEILING, LAST_CEILING, None]


def test_unknown_error_is_not_retried() -> None:
    assert Attempts(repeatable=True, retries=1).delay_after(BaileeError("?")) is None


async def test_untrusted_certificate_is_not_retried_and_names_the_cure(rig_of: RigOf) -> None:
    refused = httpx2.ConnectError("certificate verify failed")
    refused.__cause__ = ssl.SSLCertVerificationError("self-signed")
    rig = rig_of(refused)
    with pytest.raises(ConnectionFailed, match="ca_file"):
        await rig.one(rig.client.health())


async def test_stream_that_cannot_seek_is_sent_once(rig_of: RigOf, tmp_path: Path) -> None:
    class Pipe:
        def seekable(self) -> bool:
            return False

        def read(self, _size: int) -> bytes:
            return parts.pop(0)

    parts = [b"one", b"two", b""]
    rig = rig_of(httpx2.Response(503))
    with pytest.raises(Unavailable):
        await rig.one(rig.client.files.put("a", Pipe()))
    (request,) = rig.script.requests
    assert request.content == b"onetwo"
    assert request.headers["Transfer-Encoding"] == "chunked"


async def test_conflict_of_another_kind_is_not_taken_for_one_in_progress(rig_of: RigOf) -> None:
    rig = rig_of(problem(409, "collection_not_empty"))
    with pytest.raises(Conflict):
        await rig.one(rig.client.collections.delete("people"))


async def test_connection_error_shows_neither_token_nor_subject(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.ConnectError("refused"), retries=0)
    with pytest.raises(ConnectionFailed) as caught:
        await rig.one(rig.client.subjects.get("ada@example.org"))
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert TOKEN not in shown
    assert "ada" not in shown
    assert rig.script.header("Authorization") == [f"Bearer {TOKEN}"]
