"""What a session is held by, in words of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.access.devices import label_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Version/17.5 Mobile Safari/604.1"


@pytest.mark.parametrize(
    "sent, label",
    [
        (FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), (SAFARI, "Safari on iPhone"),
        ("curl/8.9.0", "curl"), ("bailee/0.2.0", "Bailee client"), ("", "Unknown program"),
        ("<script>alert(1)</script>", "Unknown program"), ("x" * 10_000 + "Firefox/1", "Unknown program"),
    ],
)  # fmt: skip
def test_a_user_agent_becomes_one_of_few_labels(sent: str, label: str) -> None:
    assert label_of(sent) == label


@given(st.text())
def test_nothing_of_its_text_gets_through(text: str) -> None:
    found = label_of(text)
    assert found.isascii()
    assert len(found) < 40
