"""Who asks, and from where; and a body that does not come."""

import asyncio
from typing import Any, cast

import pytest
from litestar.types import Scope

from bailee.access.authentication import Caller
from bailee.access.networks import network_of
from bailee.foundation.ids import new_id
from bailee.foundation.principal import ActorKind, Principal, Unauthenticated, anonymous
from bailee.web.middleware import (
    RequestTimedOut,
    bearer_token,
    client_address,
    cookie_token,
    identify,
    is_api,
    patient,
)


async def _nothing() -> None:
    pass


async def test_body_that_does_not_come_ends_the_request() -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    with pytest.raises(RequestTimedOut):
        await patient(receive, 0.01, _nothing)()


async def test_after_the_body_the_end_of_the_connection_may_take_its_time() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        if len(messages) == 1:
            await asyncio.sleep(0.05)
        return messages.pop(0)

    came: list[int] = []

    async def complete() -> None:
        came.append(len(messages))

    waiting = patient(receive, 0.01, complete)
    assert [(await waiting())["type"] for _ in range(3)] == ["http.request", "http.request", "http.disconnect"]
    assert came == [1], "once, with the last part of the body"


# --- where a request comes from ------------------------------------------------------------------------------

PROXIES = [network_of(text) for text in ("10.0.0.0/8", "2001:db8:f::/48")]


def _scope(peer: str | None, *lines: str) -> Scope:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    client = (peer, 4711) if peer is not None else None
    return cast("Scope", {"type": "http", "client": client, "headers": [(b"host", b"bailee.example"), *headers]})


@pytest.mark.parametrize(
    "peer, lines, address",
    [
        # Nobody in between, or nobody who is trusted: what the header says is the sender's word.
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["192.0.2.1"], "203.0.113.7"),
        ("203.0.113.7", ["10.0.0.1"], "203.0.113.7"),
        (None, ["192.0.2.1"], None),
        # A trusted proxy names who came to it.
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("2001:db8:f::1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        # What stands before was written by the client, whatever it says.
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["10.9.9.9, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["127.0.0.1, ::1, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1, 10.0.0.2, 10.0.0.3"], "192.0.2.1"),
        # A chain of trusted proxies that ends with one of them.
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # Lines count in their order, as entries do.
        ("10.0.0.1", ["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1", "192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        # What is no address ends the search where it stands: at the last one who is known.
        ("10.0.0.1", ["192.0.2.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1, 10.0.0.2:4711, 10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["\xe9, <script>"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [","], "10.0.0.1"),
        # IPv4 in IPv6's clothes is IPv4.
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:203.0.113.7", ["192.0.2.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, ::ffff:192.0.2.1"], "192.0.2.1"),
        # A name of a socket is no address, and trusts nobody.
        ("unix", ["192.0.2.1"], "unix"),
    ],
)
def test_forwarded_addresses_are_believed_from_trusted_proxies_alone(
    peer: str | None, lines: list[str], address: str | None
) -> None:
    assert client_address(_scope(peer, *lines), PROXIES) == address


def test_without_trusted_proxies_no_header_is_believed() -> None:
    for peer in ("10.0.0.1", "127.0.0.1", "::1"):
        assert client_address(_scope(peer, "192.0.2.1"), []) == peer


def test_a_very_long_chain_ends() -> None:
    assert client_address(_scope("10.0.0.1", ",".join(["10.0.0.2"] * 50_000)), PROXIES) == "10.0.0.2"


# --- tokens and cookies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [b"Basic YTpi", b"Bearer", b"Bearer ", b"bst_1", b"", b"Bearer\tbst_1"])
def test_another_scheme_is_told_how_to_send_a_token(header: bytes) -> None:
    with pytest.raises(Unauthenticated, match="Authorization: Bearer"):
        bearer_token(header)


def test_a_bearer_token_is_taken_as_it_is() -> None:
    assert bearer_token(None) is None
    assert bearer_token(b"bearer  bst_1 ") == "bst_1"


@pytest.mark.parametrize(
    "header, token",
    [
        (b"", None), (b"other=1", None), (b"__Host-bailee=bst_1", "bst_1"),
        (b"a=1; __Host-bailee=bst_1; __Host-bailee-device=bdv_1", "bst_1"), (b"bailee=bst_1", None),
        (b"__host-bailee=bst_1", None), (b"\xff\xfe", None), (b"__Host-bailee", None),
        # What a sibling site may set: a space or a quote in its cookie must not bring another session in, or hide ours.
        (b"__Host-bailee=bst_1; prefs=1 __Host-bailee=bst_2", "bst_1"),
        (b'prefs="; __Host-bailee=bst_1', "bst_1"), (b"__Host-bailee=bst_1; __Host-bailee=bst_2", None),
    ],
)  # fmt: skip
def test_the_session_is_read_from_its_own_cookie(header: bytes, token: str | None) -> None:
    assert cookie_token(header) == token


@pytest.mark.parametrize("path", ["/api/v1/session", "/api/", "/ledger/checkpoint", "/health"])
def test_programs_have_their_own_paths(path: str) -> None:
    assert is_api(path)


@pytest.mark.parametrize("path", ["/", "/account", "/API/v1", "/ap", "/apiary", "/x/api/"])
def test_pages_are_everything_else(path: str) -> None:
    assert not is_api(path)


class _Known:
    """Takes every token for a session's, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str | None]] = []

    async def authenticate(self, token: str | None, caller: Caller) -> Principal:
        self.asked.append((token, caller.address))
        if token is None:
            return anonymous(caller.address, caller.request_id)
        kind = ActorKind.KEY if token.startswith("bailee_") else ActorKind.MEMBER
        return Principal(kind, "x", session_id=new_id() if kind is ActorKind.MEMBER else None)


async def _request(path: str, *headers: tuple[bytes, bytes], peer: str = "203.0.113.7") -> tuple[_Known, Principal]:
    known, seen = _Known(), []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["auth"])

    scope = {"type": "http", "path": path, "headers": list(headers), "client": (peer, 1), "state": {}}
    await identify(cast("Any", known), ["10.0.0.0/8"])(app)(scope, None, None)
    return known, seen[0]


async def test_a_cookie_is_worth_nothing_to_the_api_and_a_bearer_token_nothing_to_pages() -> None:
    cookie, bearer = (b"cookie", b"__Host-bailee=bst_1"), (b"authorization", b"Bearer bst_2")
    known, by = await _request("/api/v1/session", cookie)
    assert (known.asked, by.kind) == ([(None, "203.0.113.7")], ActorKind.ANONYMOUS)
    known, by = await _request("/account", bearer)
    assert (known.asked, by.kind) == ([(None, "203.0.113.7")], ActorKind.ANONYMOUS)
    known, by = await _request("/account", cookie, bearer)
    assert (known.asked, by.kind) == ([("bst_1", "203.0.113.7")], ActorKind.MEMBER)
    _known, by = await _request("/account", (b"cookie", b"__Host-bailee=bailee_1"))
    assert by.kind is ActorKind.ANONYMOUS, "an API key in a cookie is nobody"


async def test_cookies_that_come_in_several_fields_are_one_header() -> None:
    known, by = await _request("/account", (b"cookie", b"__Host-bailee=bst_1"), (b"cookie", b"theme=dark"))
    assert known.asked == [("bst_1", "203.0.113.7")]
    assert by.kind is ActorKind.MEMBER


async def test_the_caller_is_who_a_trusted_proxy_says() -> None:
    spoofed = (b"x-forwarded-for", b"198.51.100.1, 192.0.2.1")
    known, by = await _request("/api/v1/session", spoofed, peer="10.0.0.1")
    assert known.asked == [(None, "192.0.2.1")]
    assert by.address == "192.0.2.1"
    known, by = await _request("/api/v1/session", spoofed, peer="203.0.113.7")
    assert by.address == "203.0.113.7"
