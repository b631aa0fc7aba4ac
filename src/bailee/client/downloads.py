"""Files on their way to the caller's disk."""

import os
import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from bailee.client.answers import unreadable
from bailee.client.errors import ConnectionFailed
from bailee.client.models.data import FileHead

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def head_of(response: httpx2.Response, *, start: int = 0) -> FileHead:
    """What the headers say about the file, of which the body holds the part from `start` on.

    Raises ApiError when the body starts elsewhere.
    """
    headers = response.headers
    length = headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() and not _encoded(response) else None
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        content_range = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if content_range is None or int(content_range[1]) != start:
            raise unreadable(response, "it is not the range that was asked for")
        size = int(content_range[3])
    elif start:
        raise unreadable(response, "a part of the file was asked for, and the whole came")
    return FileHead(size=size, content_type=headers.get("Content-Type"), etag=headers.get("ETag"))


def _encoded(response: httpx2.Response) -> bool:
    return bool(response.headers.get("Content-Encoding", "identity") != "identity")


class PartFile:
    """A download that takes its place only when it is whole, and goes on where it broke off.

    Crash points: until `commit`, all that exists is a temporary file beside `path`, readable by
    its owner only. `commit` makes the content durable, then renames it: `path` holds the former
    file or the whole new one, never a part. An error or a cancellation removes the temporary
    file; a killed process leaves `.<name>.<random>.part` behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: FileHead | None = None
        self._received = 0

    def __enter__(self) -> Self:
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".part")
        self._temporary = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)  # gone already after `commit`

    def request_headers(self) -> dict[str, str]:
        """Ask for the rest, if the same content can be recognised by a strong ETag (RFC 9110, 14.2)."""
        head = self._head
        if head is None or head.size is None or head.etag is None or not head.etag.startswith('"'):
            return {}
        if not 0 < self._received < head.size:
            return {}
        return {"Range": f"bytes={self._received}-", "If-Match": head.etag}

    def begin(self, response: httpx2.Response) -> None:
        """Take up a new response: the rest (206), or the whole again from the start (200)."""
        partial = response.status_code == httpx2.codes.PARTIAL_CONTENT
        head = head_of(response, start=self._received if partial else 0)
        if partial and self._head is not None and head.size != self._head.size:
            raise unreadable(response, "the file has another size than before")
        if not partial:
            self._file.seek(0)
            self._file.truncate()
            self._received = 0
        self._head = head

    def result(self, _response: httpx2.Response) -> FileHead:
        """What the last response said about the whole file."""
        if self._head is None:
            raise ConnectionFailed("nothing was downloaded")
        return self._head

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._received += len(chunk)

    def commit(self) -> None:
        """Put the file in its place. Raises ConnectionFailed when it is shorter than announced."""
        if self._head is not None and self._head.size not in {None, self._received}:
            raise ConnectionFailed(f"the download ended after {self._received} of {self._head.size} bytes")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
