import pytest

from bailee.access.provider.errors import with_query
from bailee.access.provider.redirects import are_registrable, is_registered


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback",
        "https://app.example.com:8443/callback?product=1",
        "https://xn--bcher-kva.example/",
        "http://127.0.0.1:8400/callback",
        "http://[::1]:8400/",
        "http://localhost/callback",
    ],
)
def test_https_and_loopback_can_be_registered(uri: str) -> None:
    assert are_registrable([uri])


@pytest.mark.parametrize(
    "uri",
    [
        "", "/callback", "callback", "https://", "https:///callback", "http://app.example.com/", "HTTPS://app.example.com/",
        "http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://0.0.0.0/", "http://10.0.0.1/",
        "https://app.example.com/#", "https://app.example.com/#x", "https://user@app.example.com/",
        "https://user:pass@app.example.com/", "https://app.example.com\\@evil.example/", "https://*.example.com/",
        "https://app.example.com/ x", "https://app.example.com/\n", "https://bücher.example/", "https://[::1/",
        "https://app.example.com:port/", "https://app.example.com:99999/", "javascript:alert(1)", "data:text/html,x",
        "com.example.app:/callback", "https:app.example.com", 'https://app.example.com/"x', "https://app.example.com/<x>",
        "https://app.example.com/" + "x" * 1000,
    ],
)  # fmt: skip
def test_anything_else_cannot(uri: str) -> None:
    assert not are_registrable([uri])


def test_addresses_stand_once_and_are_not_without_number() -> None:
    one = "https://app.example.com/"
    assert are_registrable([])
    assert not are_registrable([one, one])
    assert are_registrable([f"{one}{number}" for number in range(20)])
    assert not are_registrable([f"{one}{number}" for number in range(21)])


def test_an_address_is_compared_to_the_letter() -> None:
    registered = ["https://app.example.com/callback"]
    assert is_registered("https://app.example.com/callback", registered)
    for other in (
        "https://app.example.com/callback/",
        "https://APP.example.com/callback",
        "https://app.example.com/",
        "",
    ):
        assert not is_registered(other, registered)
    assert not is_registered("https://app.example.com/callback", [])


def test_the_answer_is_added_to_the_registered_query() -> None:
    assert with_query("https://a.example/", {"code": "x", "state": None}) == "https://a.example/?code=x"
    assert (
        with_query("https://a.example/?p=1", {"state": "a&b=c#d\r\n"})
        == "https://a.example/?p=1&state=a%26b%3Dc%23d%0D%0A"
    )
    assert with_query("https://a.example/", {"state": None}) == "https://a.example/"
