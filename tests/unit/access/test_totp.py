"""Codes of authenticator apps (RFC 6238)."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from bailee.access.totp import matching_step, new_totp_secret, totp_text, totp_uri
from bailee.foundation.secrets import Secret

# RFC 6238, appendix B, to six digits: the last six of the eight printed there.
SEED = Secret(b"12345678901234567890")
VECTORS = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
    (20000000000, "353130"),
]  # fmt: skip


@pytest.mark.parametrize("moment, code", VECTORS)
def test_the_vectors_of_the_rfc_match(moment: int, code: str) -> None:
    assert matching_step(SEED, code, datetime.fromtimestamp(moment, UTC), 0) == moment // 30


def test_one_step_of_drift_is_allowed_and_no_more() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    totp = pyotp.TOTP(totp_text(SEED))
    step = int(now.timestamp()) // 30
    found = [matching_step(SEED, totp.at(now + timedelta(seconds=30 * drift)), now, 0) for drift in range(-3, 4)]
    assert found == [None, None, step - 1, step, step + 1, None, None]


def test_a_step_that_was_used_and_any_before_it_match_no_more() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    totp = pyotp.TOTP(totp_text(SEED))
    step = int(now.timestamp()) // 30
    for used, left in ((step - 2, 3), (step - 1, 2), (step, 1), (step + 1, 0)):
        codes = [totp.at(now + timedelta(seconds=30 * drift)) for drift in (-1, 0, 1)]
        assert sum(matching_step(SEED, code, now, used) is not None for code in codes) == left


@pytest.mark.parametrize(
    "code", ["", "28708", "2870820", "287 082", "２８７０８２", "٢٨٧٠٨٢", "+87082", "287082\n", "²87082"]
)
def test_only_six_ascii_digits_are_a_code(code: str) -> None:
    assert matching_step(SEED, code, datetime.fromtimestamp(59, UTC), 0) is None


def test_secrets_are_random_and_shown_as_apps_take_them() -> None:
    one, other = new_totp_secret(), new_totp_secret()
    assert one.reveal() != other.reveal()
    assert len(one.reveal()) == 20
    uri = totp_uri(one, "ada@example.com", "Bailee")
    assert uri.startswith("otpauth://totp/Bailee:ada%40example.com?secret=" + totp_text(one))
    assert pyotp.parse_uri(uri).secret == totp_text(one)
