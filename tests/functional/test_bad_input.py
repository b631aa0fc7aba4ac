"""Bad input: refused with a 4xx problem, never a 500; and nothing of it reaches a log."""

import contextlib
import socket
import ssl
from collections.abc import Iterator

import httpx2
import pytest

from bailee.access.permissions import SCOPES
from tests.functional.instance import Demo
from tests.functional.test_api import PEOPLE

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
RECORDS = "/api/v1/collections/people/records"
MARK = "bad-input-7c1f9e0d2b4a6853"


@pytest.fixture(scope="module")
def http(demo: Demo) -> Iterator[httpx2.Client]:
    tenant = demo.new_tenant("Bad input", sorted(SCOPES))
    with demo.open(tenant["api_key"]) as client:
        client.collections.put("people", PEOPLE)
    with demo.http(tenant["api_key"]) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def nothing_in_the_logs(demo: Demo) -> Iterator[None]:
    yield
    logs = demo.logs()
    assert MARK not in logs
    assert "Traceback" not in logs
    assert "unexpected error" not in logs


BODIES: dict[str, tuple[bytes, set[int]]] = {
    "empty": (b"", {400, 422}),
    "no json": (MARK.encode(), {400}),
    "cut short": (f'{{"data": {{"name": "{MARK}'.encode(), {400}),
    "array": (b"[]", {422}),
    "null": (b"null", {422}),
    "wrong type": (f'{{"data": {{"name": ["{MARK}"]}}}}'.encode(), {422}),
    "unknown field": (f'{{"data": {{"name": "a", "{MARK}": 1}}}}'.encode(), {422}),
    "unknown member": (f'{{"data": {{"name": "a"}}, "{MARK}": 1}}'.encode(), {422}),
    "tenant in body": (b'{"data": {"name": "a"}, "tenant_id": "x"}', {422}),
    "missing field": (b'{"data": {}}', {422}),
    "integer too big": (b'{"data": {"name": "a", "age": 1e400}}', {400, 422}),
    "negative": (b'{"data": {"name": "a", "age": -1}}', {422}),
    "not a number": (b'{"data": {"name": "a", "age": NaN}}', {400}),
    "invalid UTF-8": (b'{"data": {"name": "\xff\xfe"}}', {400, 422}),
    "lone surrogate": (b'{"data": {"name": "\\ud800"}}', {400, 422}),
    "deep": (b'{"data": {"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", {400, 422}),
    "oversized": (b'{"data": {"name": "' + b"a" * (9 * 1024 * 1024) + b'"}}', {413}),
}


@pytest.mark.parametrize("what", BODIES)
def test_bad_body_is_refused(http: httpx2.Client, what: str) -> None:
    body, statuses = BODIES[what]
    _refused(http.post(RECORDS, content=body, headers=JSON), statuses)


REQUESTS: dict[str, tuple[str, str, dict[str, str], set[int]]] = {
    "unknown collection": ("GET", f"/api/v1/collections/{MARK}/records", {}, {404}),
    "unknown search field": ("GET", f"{RECORDS}?where.{MARK}=1", {}, {422}),
    "unsearchable field": ("GET", f"{RECORDS}?where.age=1", {}, {422}),
    "unknown parameter": ("GET", f"{RECORDS}?{MARK}=1", {}, {422}),
    "field twice": ("GET", f"{RECORDS}?where.name=1&where.name=2", {}, {422}),
    "limit 0": ("GET", f"{RECORDS}?limit=0", {}, {422}),
    "limit 1001": ("GET", f"{RECORDS}?limit=1001", {}, {422}),
    "limit text": ("GET", f"{RECORDS}?limit={MARK}", {}, {422}),
    "bad cursor": ("GET", f"{RECORDS}?cursor={MARK}", {}, {400}),
    "cursor of another list": ("GET", f"{RECORDS}?cursor=cGVvcGxl", {}, {400}),
    "cursor with NUL": ("GET", "/api/v1/collections?cursor=AAAA", {}, {400}),
    "NUL in path": ("GET", f"/api/v1/files/%00{MARK}", {}, {400, 404, 422}),
    "NUL in query": ("GET", f"{RECORDS}?subject=%00", {}, {200, 400, 422}),
    "invalid UTF-8 in subject": ("GET", "/api/v1/subjects/%ff%fe", {}, {400, 422}),
    "overlong dot dot": ("GET", "/api/v1/files/%c0%ae%c0%ae%2fetc", {}, {400, 404, 422}),
    "encoded traversal": ("GET", "/api/v1/files/..%2f..%2froot.key", {}, {400, 404, 422}),
    "static traversal": ("GET", "/static/..%2f..%2fapp.py", {}, {400, 404}),
    "tile traversal": ("GET", "/ledger/tile/..%2f..%2froot.key", {}, {400, 404, 422}),
    "bidi in path": ("GET", f"/api/v1/files/%e2%80%ae{MARK}", {}, {400, 404, 422}),
    "line end in path": ("GET", f"/api/v1/files/a%0d%0a{MARK}", {}, {400, 404, 422}),
    "wrong If-Match": ("DELETE", f"{RECORDS}/01890000-0000-7000-8000-000000000000", {"If-Match": MARK}, {400}),
    "id that is none": ("GET", f"{RECORDS}/{MARK}", {}, {404}),
    "long idempotency key": ("POST", RECORDS, {"Idempotency-Key": "k" * 256, **JSON}, {400, 422}),
    "wrong content type": ("POST", f"{RECORDS}/batch", JSON, {415}),
    "unknown method": ("BREW", RECORDS, {}, {400, 405, 501}),
    "wrong method": ("PATCH", "/api/v1/collections", {}, {405}),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_bad_request_is_refused(http: httpx2.Client, what: str) -> None:
    method, path, headers, statuses = REQUESTS[what]
    content = b'{"data": {"name": "a"}}' if method == "POST" else None
    _refused(http.request(method, path, headers=headers, content=content), statuses)


@pytest.mark.parametrize("header", [
    "", "Bearer", "Basic YTpi", f"Bearer {MARK}", "Bearer bailee_", "Bearer bst_x", f"bearer {MARK} {MARK}",
    "Bearer \xe9\xe9", "Bearer bailee_" + "A" * 4000, "Token x",
])  # fmt: skip
def test_bad_authorization_is_refused(demo: Demo, header: str) -> None:
    with demo.http() as nobody:
        answer = nobody.get("/api/v1/collections", headers={b"Authorization": header.encode("latin-1")})
    _refused(answer, {401})
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_million_lines_are_refused_and_the_server_lives_on(http: httpx2.Client) -> None:
    def lines() -> Iterator[bytes]:
        for _ in range(1000):
            yield b'{"data": {"name": "a"}}\n' * 1000

    # Refused before it was sent whole: the answer may be lost with the connection.
    with contextlib.suppress(httpx2.WriteError, httpx2.RemoteProtocolError):
        _refused(http.post(f"{RECORDS}/batch", content=lines(), headers=NDJSON, timeout=20), {413})
    assert http.get("/health").status_code == 200
    assert http.get(RECORDS, params={"limit": 1}).json()["items"] == []


def test_huge_headers_and_raw_nonsense_leave_the_server_alive(demo: Demo, http: httpx2.Client) -> None:
    for raw in (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"\x00\xff" * 500 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ):
        _send_raw(demo, raw)
        assert http.get("/health").status_code == 200


def _send_raw(demo: Demo, raw: bytes) -> None:
    trust = ssl.create_default_context(cafile=str(demo.ca_file))
    try:
        with (
            socket.create_connection(("127.0.0.1", demo.port), 5) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(raw)
            assert b" 500 " not in tls.recv(4096)[:40]
    except OSError:
        return  # closed on us, as it should be


def _refused(answer: httpx2.Response, statuses: set[int]) -> None:
    assert answer.status_code in statuses, answer.text[:300]
    assert "Traceback" not in answer.text
    assert MARK not in answer.text
