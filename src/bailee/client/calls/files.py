"""Files: streamed in and out, never held in memory as a whole."""

import functools
import os
from pathlib import Path
from typing import BinaryIO

from bailee.client.answers import json_answer, no_answer
from bailee.client.bodies import body_of
from bailee.client.call import Call, api, paged, query, with_followers
from bailee.client.downloads import PartFile, head_of
from bailee.client.models.base import Page
from bailee.client.models.data import File, FileHead

# Positions in the file must be positions in the body.
_AS_STORED = {"Accept": "*/*", "Accept-Encoding": "identity"}


def put(
    file_id: str,
    content: bytes | os.PathLike[str] | BinaryIO,
    *,
    subject: str | None = None,
    content_type: str = "application/octet-stream",
) -> Call[File]:
    """Store a file of up to 1 GiB, or a new version of it.

    `file_id` matches `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. A binary file object is sent from where
    it stands; it is not retried unless it can seek. Raises TooLarge, Invalid, OSError.
    """
    return Call(
        method="PUT",
        path=api("files", file_id),
        query=query(subject=subject),
        headers={"Content-Type": content_type},
        body=body_of(content),
        parse=json_answer(File),
    )


def get(file_id: str, *, start: int = 0, if_match: str | None = None) -> Call[FileHead]:
    """The file from byte `start` on, as a stream to use in a `with` block.

    `if_match` is the `etag` of an earlier download. Raises NotFound, VersionMismatch when the file
    is no longer that one; ConnectionFailed while reading.
    """
    headers = dict(_AS_STORED)
    if start:
        headers["Range"] = f"bytes={start}-"
    if if_match is not None:
        headers["If-Match"] = if_match
    parse = functools.partial(head_of, start=start)
    return Call(method="GET", path=api("files", file_id), headers=headers, parse=parse)


def download(file_id: str, path: os.PathLike[str]) -> Call[FileHead]:
    """Write the file to `path`, readable by its owner only; a broken connection is resumed.

    `path` is replaced only by the whole file. Raises NotFound, OSError, and VersionMismatch when
    the file changed while it was being read.
    """
    call = get(file_id)
    sink = PartFile(Path(path))
    return Call(method="GET", path=call.path, headers=call.headers, parse=sink.result, sink=sink)


def head(file_id: str) -> Call[FileHead]:
    """The file's size, type and ETag, without its content. Raises NotFound."""
    return Call(method="HEAD", path=api("files", file_id), headers=_AS_STORED, parse=head_of)


def delete(file_id: str) -> Call[None]:
    """Delete the file. Raises NotFound.

    NotFound may also mean that an earlier attempt, whose answer was lost, deleted it.
    """
    return Call(method="DELETE", path=api("files", file_id), parse=no_answer)


def every(*, subject: str | None = None, page_size: int | None = None) -> Call[Page[File]]:
    """All files of the tenant, or of one subject."""
    return with_followers(paged(Page[File], api("files"), parameters=query(subject=subject), limit=page_size))
