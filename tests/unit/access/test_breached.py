import asyncio
import hashlib
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bailee.access import ranges as ranges_module
from bailee.access.breached import BreachedPasswords, HashFile
from bailee.access.ranges import fetch_ranges
from bailee.cli.passwords import passwords
from bailee.encryption.tls import Certificates, ensure_certificates
from bailee.foundation.clock import Clock
from bailee.foundation.errors import ConfigurationError, Unavailable
from bailee.foundation.settings import Settings

KNOWN = [f"breached {number}" for number in range(3000)]


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def lines_of(words: list[str]) -> list[str]:
    return [f"{digest}:{len(digest) * number % 977 + 1}" for number, digest in enumerate(sorted(map(sha1, words)))]


def written(path: Path, lines: list[str], end: str = "\n", *, last: bool = True) -> str:
    path.write_bytes((end.join(lines) + (end if last else "")).encode())
    return str(path)


# --- the list that is built in ----------------------------------------------------------------------


def test_common_passwords_are_known_in_any_case() -> None:
    breached = BreachedPasswords()
    assert all(map(breached.contains, ["password", "PASSWORD", "12345678", "iloveyou", "Trustno1"]))
    assert not any(map(breached.contains, ["", "breached 1", "lila Kranich tanzt"]))


# --- the file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_every_password_of_the_file_is_found_and_no_other(tmp_path: Path, end: str, last: bool) -> None:
    breached = BreachedPasswords(written(tmp_path / "hashes", lines_of(KNOWN), end, last=last))
    assert all(breached.contains(word) for word in KNOWN)
    assert not any(breached.contains(word.upper()) for word in KNOWN)
    assert not any(breached.contains(f"other {number}") for number in range(3000))
    breached.close()
    assert not breached.contains(KNOWN[0])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_file_of_few_lines_is_searched_to_its_ends(tmp_path: Path, count: int) -> None:
    breached = BreachedPasswords(written(tmp_path / "hashes", lines_of(KNOWN[:count])))
    assert [breached.contains(word) for word in KNOWN[:5]] == [number < count for number in range(5)]
    breached.close()


def test_lower_case_hashes_are_found_and_padding_is_not(tmp_path: Path) -> None:
    lines = sorted([f"{sha1('lower').lower()}:3", f"{sha1('padding')}:0"], key=str.upper)
    breached = BreachedPasswords(written(tmp_path / "hashes", lines))
    assert breached.contains("lower")
    assert not breached.contains("padding")
    breached.close()


def test_search_reads_a_few_blocks_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = os.open(written(tmp_path / "hashes", lines_of(KNOWN)), os.O_RDONLY)
    read = os.pread
    asked: list[int] = []

    def counted(where: int, size: int, offset: int) -> bytes:
        asked.append(size)
        return read(where, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert HashFile(descriptor).count(sha1(KNOWN[1]).encode()) > 0
    assert len(asked) < 20
    assert max(asked) <= 128
    os.close(descriptor)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"password\n",
        b"\xef\xbb\xbf" + b"\n".join(line.encode() for line in lines_of(KNOWN[:9])),
        b"\n".join(line.encode() for line in reversed(lines_of(KNOWN))),  # by frequency, as it may seem
        b"\n".join(line.partition(":")[0].encode() for line in lines_of(KNOWN)),  # no counts
        b"\n".join(line[8:].encode() for line in lines_of(KNOWN)),  # as long as NTLM hashes
        b"0" * 100_000,
        bytes(4096),
    ],
    ids=["empty", "blank", "words", "bom", "unordered", "no-count", "ntlm", "endless", "zeroes"],
)
def test_malformed_file_is_told_at_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hashes"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not a list of breached passwords"):
        BreachedPasswords(str(path))


def test_file_that_is_no_file_is_told_at_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", "pipe", "."):
        with pytest.raises(ConfigurationError):
            BreachedPasswords(str(tmp_path / name))


@pytest.mark.parametrize("size", [0, 1000])
def test_file_damaged_while_in_use_does_not_let_passwords_pass(tmp_path: Path, size: int) -> None:
    path = tmp_path / "hashes"
    breached = BreachedPasswords(written(path, lines_of(KNOWN)))
    os.truncate(path, size)
    with pytest.raises(Unavailable):
        any(map(breached.contains, (f"other {number}" for number in range(20))))
    breached.close()


# --- fetching it ------------------------------------------------------------------------------------


class RangeApi(ThreadingHTTPServer):
    """The range API over HTTPS on loopback, with a hash for each range and a few more, and faults as asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, certificates: Certificates) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.private_key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.server_port}/range/"
        self.trust = ssl.create_default_context(cafile=certificates.ca_file)
        self.asked: list[str] = []
        self.faults: dict[str, list[tuple[int, bytes]]] = {}

    def suffixes(self, prefix: str) -> list[str]:
        digests = (sha1(f"{prefix} {number}")[5:] for number in range(20))
        return [f"{suffix}:{number}" for number, suffix in enumerate(sorted(digests))]

    def lines(self, ranges: int) -> list[str]:
        """What the file has to hold."""
        prefixes = (f"{number:05X}" for number in range(ranges))
        return [prefix + line for prefix in prefixes for line in self.suffixes(prefix) if not line.endswith(":0")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangeApi

    def do_GET(self) -> None:
        prefix = self.path.removeprefix("/range/")
        self.server.asked.append(prefix)
        status, body = 200, "\r\n".join(self.server.suffixes(prefix)).encode()
        if self.server.faults.get(prefix):
            status, body = self.server.faults[prefix].pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name it has there
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return ensure_certificates(Settings(data=tmp_path_factory.mktemp("tls")), Clock())


@pytest.fixture
def api(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeApi]:
    monkeypatch.setenv("NO_PROXY", "localhost")
    with RangeApi(certificates) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def fetch(api: RangeApi, target: Path, ranges: int = 100) -> list[int]:
    told: list[int] = []
    await fetch_ranges(api.url, target, ranges=ranges, trust=api.trust, on_progress=told.append)
    return told


async def test_ranges_become_one_sorted_file_that_is_searched(api: RangeApi, tmp_path: Path) -> None:
    target = tmp_path / "hashes"
    assert await fetch(api, target) == list(range(101))
    assert target.read_text().splitlines() == api.lines(100)
    assert sorted(api.asked) == [f"{number:05X}" for number in range(100)]
    assert not target.with_name("hashes.part").exists()
    BreachedPasswords(str(target)).close()


@pytest.mark.parametrize("torn", [0, 1, 30, 700])
async def test_interrupted_fetch_goes_on_where_it_stopped(api: RangeApi, tmp_path: Path, torn: int) -> None:
    target, part = tmp_path / "hashes", tmp_path / "hashes.part"
    api.faults["00032"] = [(404, b"")]
    with pytest.raises(ConfigurationError, match="404"):
        await fetch(api, target)
    assert not target.exists()
    assert part.read_text().splitlines() == api.lines(50)
    os.truncate(part, part.stat().st_size - torn)
    api.asked.clear()
    await fetch(api, target)
    assert target.read_text().splitlines() == api.lines(100)
    assert 51 <= len(api.asked) <= 53
    assert not part.exists()


@pytest.mark.parametrize("left", [b"", b"0000", b"00000" + b"A" * 35])
async def test_interrupted_within_the_first_line_begins_again(api: RangeApi, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "hashes.part").write_bytes(left)
    await fetch(api, tmp_path / "hashes", 2)
    assert (tmp_path / "hashes").read_text().splitlines() == api.lines(2)


async def test_foreign_file_in_the_way_is_told_and_kept(api: RangeApi, tmp_path: Path) -> None:
    part = tmp_path / "hashes.part"
    part.write_text("somebody's notes\n")
    with pytest.raises(ConfigurationError, match=r"hashes\.part is not a list"):
        await fetch(api, tmp_path / "hashes")
    assert part.read_text() == "somebody's notes\n"
    with pytest.raises(ConfigurationError, match="No such file"):
        await fetch(api, tmp_path / "missing" / "hashes")


async def test_old_list_stays_until_the_new_one_is_whole(api: RangeApi, tmp_path: Path) -> None:
    target = tmp_path / "hashes"
    written(target, lines_of(KNOWN))
    open_before = BreachedPasswords(str(target))
    api.faults["00003"] = [(404, b"")]
    with pytest.raises(ConfigurationError):
        await fetch(api, target)
    assert target.read_text().splitlines() == lines_of(KNOWN)
    await fetch(api, target)
    assert target.read_text().splitlines() == api.lines(100)
    assert open_before.contains(KNOWN[0])
    open_before.close()


async def test_two_fetches_of_one_file_do_not_mix(api: RangeApi, tmp_path: Path) -> None:
    first, second = await asyncio.gather(
        fetch(api, tmp_path / "hashes"), fetch(api, tmp_path / "hashes"), return_exceptions=True
    )
    assert isinstance(first, list)
    assert isinstance(second, ConfigurationError)
    assert "another process" in str(second)


def test_file_that_was_finished_meanwhile_is_not_cut(tmp_path: Path) -> None:
    part, target = tmp_path / "hashes.part", tmp_path / "hashes"
    written(part, lines_of(KNOWN))
    with part.open("a+b") as late:
        part.replace(target)
        with pytest.raises(ConfigurationError, match="another process"):
            ranges_module._resume(late, part)
        part.touch()
        with pytest.raises(ConfigurationError, match="another process"):
            ranges_module._resume(late, part)
    assert target.read_text().splitlines() == lines_of(KNOWN)


async def test_what_passes_is_tried_again(api: RangeApi, tmp_path: Path) -> None:
    api.faults = {"00001": [(503, b""), (429, b"")], "00002": [(500, b"oops")]}
    await fetch(api, tmp_path / "hashes", 3)
    assert (tmp_path / "hashes").read_text().splitlines() == api.lines(3)
    assert len(api.asked) == 6


async def test_what_does_not_pass_ends_it(api: RangeApi, tmp_path: Path) -> None:
    api.faults["00001"] = [(503, b"")] * 20
    with pytest.raises(Unavailable, match="goes on where it stopped"):
        await fetch(api, tmp_path / "hashes", 3)
    assert api.asked.count("00001") == 6


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b"\r\n".join([b"F" * 35 + b":1", b"0" * 35 + b":1"]),
        b"\r\n".join([b"0" * 35 + b":1", b"0" * 35 + b":1"]),
        b"0" * 34 + b":1",
        b"A" * (4 * 1024 * 1024 + 1),
    ],
    ids=["empty", "html", "unordered", "twice", "short", "endless"],
)
async def test_answer_of_something_else_is_not_written(api: RangeApi, tmp_path: Path, body: bytes) -> None:
    api.faults["00002"] = [(200, body)]
    with pytest.raises(ConfigurationError, match="not a range API"):
        await fetch(api, tmp_path / "hashes", 4)
    assert not (tmp_path / "hashes").exists()
    assert (tmp_path / "hashes.part").read_text().splitlines() == api.lines(2)


async def test_server_that_is_not_trusted_gets_no_further(
    api: RangeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges_module, "_ATTEMPTS", 1)
    with pytest.raises(ConfigurationError, match="not trusted"):
        await fetch_ranges(api.url, tmp_path / "hashes", ranges=1, on_progress=id)
    with pytest.raises(ConfigurationError, match="https"):
        await fetch_ranges(api.url.replace("https", "http"), tmp_path / "hashes", ranges=1, on_progress=id)
    assert api.asked == []


def test_command_fetches_over_verified_tls(
    api: RangeApi, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    target = tmp_path / "hashes"
    passwords(["fetch", str(target), "--url", api.url, "--ranges", "10"], result_action="return_value")
    assert target.read_text().splitlines() == api.lines(10)
