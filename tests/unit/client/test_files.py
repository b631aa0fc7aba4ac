import io
from pathlib import Path

import httpx2
import pytest

from bailee.client import ApiError, ConnectionFailed, NotFound, VersionMismatch
from bailee.client.bodies import CHUNK
from bailee.client.calls import files
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import Broken, problem

CONTENT = b"0123456789"
STORED = {
    "id": "a",
    "version": 1,
    "size": 10,
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:05Z",
}
ETAG = '"7"'


def _whole(**headers: str) -> httpx2.Response:
    return httpx2.Response(200, content=CONTENT, headers={"ETag": ETAG, "Content-Type": "text/plain"} | headers)


def _broken(status: int, part: bytes, length: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, stream=Broken(part), headers={"ETag": ETAG, "Content-Length": str(length)} | headers)


def _rest(start: int, *, size: int = 10) -> httpx2.Response:
    headers = {"ETag": ETAG, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
    return httpx2.Response(206, content=CONTENT[start:], headers=headers)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_bytes_path_and_file_object_are_sent_with_their_length(rig_of: RigOf, tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    for content in (CONTENT, path, io.BytesIO(CONTENT)):
        rig = rig_of(httpx2.Response(201, json=STORED))
        stored = await rig.one(rig.client.files.put("a", content, subject="a/b", content_type="text/plain"))
        assert stored.size == 10
        (request,) = rig.script.requests
        assert (request.content, request.headers["Content-Length"]) == (CONTENT, "10")
        assert request.headers["Content-Type"] == "text/plain"
        assert request.url.raw_path == b"/api/v1/files/a?subject=a%2Fb"


async def test_retried_upload_starts_over_where_the_file_object_stood(rig_of: RigOf) -> None:
    content = io.BytesIO(b"head" + CONTENT)
    content.seek(4)
    rig = rig_of(httpx2.WriteError("reset"), httpx2.Response(201, json=STORED))
    await rig.one(rig.client.files.put("a", content))
    assert [request.content for request in rig.script.requests] == [CONTENT, CONTENT]


async def test_large_file_arrives_whole(rig_of: RigOf, tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"x" * (3 * CHUNK + 1))
    rig = rig_of(httpx2.Response(201, json=STORED))
    await rig.one(rig.client.files.put("a", path))
    assert len(rig.script.requests[0].content) == 3 * CHUNK + 1


def test_str_is_refused_since_it_could_be_path_or_content() -> None:
    with pytest.raises(TypeError, match=r"pathlib\.Path"):
        files.put("a", "content")  # type: ignore[arg-type]


async def test_stream_gives_head_and_content_unencoded(rig_of: RigOf) -> None:
    rig = rig_of(_whole())
    head, content = await rig.streamed(rig.client.files.get("a"))
    assert (head.size, head.content_type, head.etag) == (10, "text/plain", ETAG)
    assert content == CONTENT
    assert rig.script.header("Accept-Encoding") == ["identity"]


async def test_stream_may_start_within_the_file(rig_of: RigOf) -> None:
    rig = rig_of(_rest(4))
    head, content = await rig.streamed(rig.client.files.get("a", start=4, if_match=ETAG))
    assert (head.size, content) == (10, CONTENT[4:])
    assert (rig.script.header("Range"), rig.script.header("If-Match")) == (["bytes=4-"], [ETAG])


@pytest.mark.parametrize("answer", [_whole(), _rest(3), httpx2.Response(206, content=b"")])
async def test_other_part_of_the_file_than_asked_for_is_an_error(rig_of: RigOf, answer: httpx2.Response) -> None:
    rig = rig_of(answer)
    with pytest.raises(ApiError, match="could not be understood"):
        await rig.streamed(rig.client.files.get("a", start=4))


async def test_stream_is_retried_until_it_begins_and_then_breaks_as_an_error(rig_of: RigOf) -> None:
    rig = rig_of(problem(503, "unavailable"), _broken(200, CONTENT[:4], 10))
    with pytest.raises(ConnectionFailed):
        await rig.streamed(rig.client.files.get("a"))


async def test_missing_file_is_said_when_the_stream_is_opened(rig_of: RigOf) -> None:
    rig = rig_of(problem(404, "not_found"))
    with pytest.raises(NotFound):
        await rig.streamed(rig.client.files.get("a"))


async def test_download_puts_the_whole_file_in_place_for_its_owner_only(rig_of: RigOf, tmp_path: Path) -> None:
    rig = rig_of(_whole())
    head = await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert head.size == 10
    assert (tmp_path / "a.txt").read_bytes() == CONTENT
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600
    assert _names(tmp_path) == ["a.txt"]


async def test_download_goes_on_where_it_broke_off(rig_of: RigOf, tmp_path: Path) -> None:
    second = {"Content-Range": "bytes 4-9/10"}
    rig = rig_of(_broken(200, CONTENT[:4], 10), _broken(206, CONTENT[4:7], 6, **second), _rest(7))
    await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert (tmp_path / "a.txt").read_bytes() == CONTENT
    assert rig.script.header("Range") == [None, "bytes=4-", "bytes=7-"]
    assert rig.script.header("If-Match") == [None, ETAG, ETAG]


async def test_download_starts_over_when_the_server_sends_the_whole_again(rig_of: RigOf, tmp_path: Path) -> None:
    rig = rig_of(_broken(200, b"XXXX", 10), _whole())
    await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert (tmp_path / "a.txt").read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ["", 'W/"7"'])
async def test_download_that_cannot_recognise_the_content_starts_over(rig_of: RigOf, tmp_path: Path, etag: str) -> None:
    rig = rig_of(_broken(200, CONTENT[:4], 10, ETag=etag), _whole())
    await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert rig.script.header("Range") == [None, None]


async def test_file_that_changed_meanwhile_is_not_spliced(rig_of: RigOf, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"former")
    rig = rig_of(_broken(200, CONTENT[:4], 10), problem(412, "version_mismatch"))
    with pytest.raises(VersionMismatch):
        await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert (tmp_path / "a.txt").read_bytes() == b"former"
    assert _names(tmp_path) == ["a.txt"]


async def test_rest_of_a_file_of_another_size_is_not_spliced(rig_of: RigOf, tmp_path: Path) -> None:
    rig = rig_of(_broken(200, CONTENT[:4], 10), _rest(4, size=11))
    with pytest.raises(ApiError, match="another size"):
        await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert _names(tmp_path) == []


async def test_short_download_is_resumed_and_never_put_in_place(rig_of: RigOf, tmp_path: Path) -> None:
    def short() -> httpx2.Response:
        return httpx2.Response(200, content=CONTENT[:4], headers={"Content-Length": "10"})

    rig = rig_of(short(), short(), retries=1)
    with pytest.raises(ConnectionFailed, match="4 of 10 bytes"):
        await rig.one(rig.client.files.download("a", tmp_path / "a.txt"))
    assert _names(tmp_path) == []


async def test_head_tells_size_and_type_without_the_content(rig_of: RigOf) -> None:
    rig = rig_of(httpx2.Response(200, headers={"Content-Length": "10", "ETag": ETAG}))
    assert (await rig.one(rig.client.files.head("a"))).size == 10
    rig = rig_of(httpx2.Response(404))
    with pytest.raises(NotFound):
        await rig.one(rig.client.files.head("a"))
