"""Fetches the list of breached passwords from a range API (Have I Been Pwned) into one sorted file.

The API answers with all hashes that begin with five given hexadecimal digits, as lines `SUFFIX:COUNT`. All of them are
asked for, so it learns nothing about anybody's password.
"""

import asyncio
import fcntl
import itertools
import os
import re
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import httpx2

from bailee import __version__
from bailee.access.breached import Damaged, HashFile, told
from bailee.foundation.errors import ConfigurationError, Error, Unavailable

RANGE_API = "https://api.pwnedpasswords.com/range/"
RANGES = 16**5
_AT_ONCE = 32
_ATTEMPTS = 6
_LONGEST_PAUSE = 60.0
_MAX_RANGE = 4 * 1024 * 1024
_SUFFIX = re.compile(rb"([0-9A-F]{35}):([0-9]{1,10})")


async def fetch_ranges(
    url: str,
    target: Path,
    *,
    on_progress: Callable[[int], object],
    ranges: int = RANGES,
    trust: ssl.SSLContext | None = None,
) -> None:
    """Writes `target` whole or not at all. What an interrupted run has fetched is kept beside it, as `.part`, and the
    next run goes on from there.

    `on_progress` is told how many ranges are done. `ranges` takes only the first ones, to try it out; `trust` replaces
    the system's authorities. Raises ConfigurationError, Unavailable.

    Crash points: 1. Ranges are appended in their order; of the last one, whole or torn, the next run takes nothing.
    2. All is written and synced, and not yet renamed: the next run fetches the last range again, and renames.
    """
    if not url.startswith("https://"):
        raise ConfigurationError("The range API's address begins with https://.")
    part = target.with_name(f"{target.name}.part")
    with told(part), part.open("a+b") as file:
        done = _resume(file, part)
        on_progress(done)
        async with _client(trust) as client, aclosing(_in_order(client, url.rstrip("/"), range(done, ranges))) as found:
            async for lines in found:
                file.write(lines)
                done += 1
                on_progress(done)
        _finish(file, part, target)


def _client(trust: ssl.SSLContext | None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        http2=True,
        verify=trust or ssl.create_default_context(),
        timeout=30,
        headers={"User-Agent": f"bailee/{__version__}"},
        limits=httpx2.Limits(max_connections=_AT_ONCE),
    )


def _resume(file: BinaryIO, part: Path) -> int:
    """How many ranges are there, after cutting off the last, which may be torn. Raises Damaged."""
    _lock(file, part)
    size = os.fstat(file.fileno()).st_size
    tail = os.pread(file.fileno(), _MAX_RANGE, max(0, size - _MAX_RANGE))
    whole = size - len(tail) + tail.rfind(b"\n") + 1
    if b"\n" not in tail:
        if size > len(tail):
            raise Damaged
        whole = 0
    file.truncate(whole)
    if whole == 0:
        return 0
    hashes = HashFile(file.fileno())
    prefix = hashes.line_at(whole - 1).digest[:5]
    file.truncate(hashes.first_from(prefix))
    return int(prefix, 16)


def _lock(file: BinaryIO, part: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())
    except BlockingIOError:
        ours = False
    if not ours:  # locked, or renamed by its owner between our opening and our locking it: then it is the list in use
        raise ConfigurationError(f"{part} is being fetched by another process. Wait for that one.")


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    file.flush()
    HashFile(file.fileno()).verify()
    os.fsync(file.fileno())
    part.replace(target)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def _in_order(client: httpx2.AsyncClient, url: str, numbers: range) -> AsyncGenerator[bytes]:
    """The lines of each range, in order, while the next ones are under way."""
    waiting: deque[asyncio.Task[bytes]] = deque()
    try:
        rest = iter(numbers)
        while True:
            for number in itertools.islice(rest, _AT_ONCE - len(waiting)):
                waiting.append(asyncio.create_task(_fetch(client, url, f"{number:05X}")))
            if not waiting:
                return
            yield await waiting[0]
            waiting.popleft()
    except Error:
        # Those under way come to their end: a request cancelled while it connects leaves its socket open.
        await asyncio.gather(*waiting, return_exceptions=True)
        raise
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _fetch(client: httpx2.AsyncClient, url: str, prefix: str) -> bytes:
    """The lines of one range, as they stand in the file. Tries again for what may pass. Raises Unavailable."""
    for attempt in range(_ATTEMPTS):
        pause = min(_LONGEST_PAUSE, 2.0**attempt)
        try:
            async with client.stream("GET", f"{url}/{prefix}") as answer:
                if answer.status_code == httpx2.codes.OK:
                    return _lines(prefix, await _body(answer))
                if answer.status_code != httpx2.codes.TOO_MANY_REQUESTS and not answer.is_server_error:
                    raise _not_an_api(f"it answers {answer.status_code}")
                wanted = answer.headers.get("Retry-After", "")
                pause = min(_LONGEST_PAUSE, float(wanted)) if wanted.isdecimal() else pause
        except httpx2.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConfigurationError("The range API's certificate is not trusted here. Look at --url.") from None
        if attempt < _ATTEMPTS - 1:
            await asyncio.sleep(pause)
    raise Unavailable("The range API cannot be reached. Run the command again later: it goes on where it stopped.")


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _MAX_RANGE:
            raise _not_an_api("its answer is too long")
    return bytes(body)


def _lines(prefix: str, body: bytes) -> bytes:
    """Checks form and order, so that what is appended keeps the file searchable. Padding (a count of 0) is left out."""
    found = [_SUFFIX.fullmatch(line) for line in body.split()]
    matches = [match for match in found if match is not None]
    ordered = all(before[1] < after[1] for before, after in itertools.pairwise(matches))
    if not matches or len(matches) != len(found) or not ordered:
        raise _not_an_api("its answer is not a sorted list of SUFFIX:COUNT")
    return b"".join(prefix.encode() + match[0] + b"\n" for match in matches if int(match[2]))


def _not_an_api(why: str) -> ConfigurationError:
    return ConfigurationError(f"That is not a range API: {why}. Look at --url.")
