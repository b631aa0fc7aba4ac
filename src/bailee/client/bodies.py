"""Request bodies that are streamed from disk or from a file object."""

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK = 256 * 1024


class Body(Protocol):
    """A stream of bytes. `length` is None when unknown; a replayable one starts over at each `open`."""

    @property
    def length(self) -> int | None: ...

    @property
    def replayable(self) -> bool: ...

    def open(self) -> AbstractContextManager[BinaryIO]: ...


class PathBody:
    """The content of the file at `path`, opened anew for each attempt."""

    replayable = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.length = path.stat().st_size

    def open(self) -> AbstractContextManager[BinaryIO]:
        return self._path.open("rb")


class FileBody:
    """The rest of an open binary file, from where it stands now; the caller closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.replayable = file.seekable()
        self._start = file.tell() if self.replayable else 0
        self.length = self._measured() if self.replayable else None

    def open(self) -> AbstractContextManager[BinaryIO]:
        if self.replayable:
            self._file.seek(self._start)
        return nullcontext(self._file)

    def _measured(self) -> int:
        end = self._file.seek(0, io.SEEK_END)
        self._file.seek(self._start)
        return max(0, end - self._start)


def body_of(content: bytes | os.PathLike[str] | BinaryIO) -> bytes | Body:
    """The body for bytes, a path, or a binary file object.

    Raises TypeError for a str: it could be meant as a path or as the content.
    """
    if isinstance(content, str):
        raise TypeError("pass the content as bytes, or a path as pathlib.Path, not a str")
    if isinstance(content, bytes):
        return content
    if isinstance(content, os.PathLike):
        return PathBody(Path(content))
    return FileBody(content)


def chunks(body: Body) -> Iterator[bytes]:
    """The body, piece by piece."""
    with body.open() as file:
        while chunk := file.read(CHUNK):
            yield chunk
