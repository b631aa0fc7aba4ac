from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from bailee.access.model import AccountKind, AccountState, SessionKind
from bailee.access.provider.claims import SUPPORTED, amr, of_id_token, of_person
from bailee.access.provider.model import ACR_MFA, ACR_SINGLE, ClientKind, Grant, KnownClient, Standing
from bailee.foundation.ids import OPERATOR, TenantId
from bailee.tenants.model import TenantState

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE, TWO = UUID(int=1), TenantId(UUID(int=2))
STANDING = Standing(
    session_id=ONE, account_id=ONE, digest=b"", created_at=NOW, seen_at=NOW, expires_at=NOW, mfa_at=None,
    weak_password=False, sso_tenant_id=None, session_kind=SessionKind.BROWSER, kind=AccountKind.MEMBER,
    state=AccountState.ACTIVE, sealed=False, has_mfa=False, roles=[], elevated=[], tenant_id=TWO,
    tenant_state=TenantState.ACTIVE, plan="standard", member_role="viewer", member_state="active",
    role_changed_at=None, custom=None,
    require_mfa=None, require_sso=None, session_hours=None, idle_minutes=None, networks=None, email="a@example.com",
    email_verified=True, name="Ada", epoch=0, factors=["password"], tenant_name="Two",
)  # fmt: skip
CLIENT = KnownClient(OPERATOR, ONE, "x", ClientKind.PUBLIC, [], [], ["openid"], None, None)
GRANT = Grant(TWO, ONE, ONE, ONE, 0, ONE, ["openid"], "n", NOW, b"", "", "", NOW, None, NOW, None)


@pytest.mark.parametrize(
    "factors, mfa, expected",
    [
        (["password"], False, ["pwd"]),
        (["password", "totp"], True, ["mfa", "otp", "pwd"]),
        (["password", "recovery_code"], True, ["mfa", "otp", "pwd"]),
        (["passkey"], True, ["mfa", "swk", "user"]),
        (["sso"], True, ["mfa"]),
        (["sso"], False, []),
    ],
)
def test_methods_are_named_as_rfc_8176_does(factors: list[str], mfa: bool, expected: list[str]) -> None:
    assert amr(msgspec.structs.replace(STANDING, factors=factors, mfa_at=NOW if mfa else None)) == expected


def test_a_second_factor_is_part_of_the_level_and_of_the_time() -> None:
    later = NOW + timedelta(minutes=5)
    assert (STANDING.acr, STANDING.auth_time) == (ACR_SINGLE, NOW)
    stepped_up = msgspec.structs.replace(STANDING, mfa_at=later)
    assert (stepped_up.acr, stepped_up.auth_time) == (ACR_MFA, later)


def test_scopes_open_what_they_name_and_no_more() -> None:
    always = {"sub", "tenant", "tenant_name", "roles"}
    assert set(of_person(STANDING, ["openid"])) == always
    assert set(of_person(STANDING, ["openid", "email"])) == always | {"email", "email_verified"}
    assert set(of_person(STANDING, ["openid", "profile"])) == always | {"name"}


@pytest.mark.parametrize("nonce", ["n", None])
def test_the_nonce_is_passed_on_as_it_came_or_not_at_all(nonce: str | None) -> None:
    claims = of_id_token(
        STANDING, GRANT, CLIENT, ["openid"], issuer="https://here", access_token="bat_x", nonce=nonce, now=NOW
    )
    assert claims.get("nonce") == nonce
    assert ("nonce" in claims) is (nonce is not None)
    assert set(claims) <= set(SUPPORTED)
