"""API keys: what they may do, when they end, and what cannot be made of them."""

import asyncio
import base64
import zlib
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailee.access.model import IssuedApiKey
from bailee.access.tokens import parse_key_token, parse_session_token
from bailee.assembly import Services
from bailee.encryption.errors import KeyDestroyed
from bailee.foundation.errors import Conflict, Invalid
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Forbidden, Principal, Unauthenticated
from bailee.tenants.model import Tenant, TenantState
from tests.integration.rig import SYSTEM, key_principal, work


async def _issue(
    services: Services, tenant: TenantId, *permissions: str, by: Principal = SYSTEM, lasts: timedelta | None = None
) -> IssuedApiKey:
    expires = None if lasts is None else services.clock.now() + lasts
    async with services.database.tenant(tenant) as tx:
        return await services.keys.issue(
            tx, name="key", permissions=list(permissions) or ["records:read"], expires_at=expires, by=by
        )


async def _who(services: Services, token: str) -> Principal:
    return await services.authenticator.authenticate(token, "192.0.2.1", new_id())


async def _move(services: Services, tenant: Tenant, *states: TenantState) -> None:
    for state in states:
        async with services.database.operator() as tx:
            await services.tenants.move(tx, tenant.id, to=state, by=SYSTEM)


async def test_key_speaks_for_its_tenant_with_its_permissions_only(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, "records:read", "files:read")
    principal = await _who(services, key.token)
    assert principal.tenant == tenant.id
    assert principal.permissions == {"records:read", "files:read"}
    with pytest.raises(Forbidden):
        principal.require("records:write")


async def test_revoked_key_is_refused_at_once_in_every_process(
    services: Services, other_process: Services, tenant: Tenant
) -> None:
    key = await _issue(services, tenant.id)
    await _who(other_process, key.token)
    async with services.database.tenant(tenant.id) as tx:
        await services.keys.revoke(tx, key.id, by=SYSTEM)
    with pytest.raises(Unauthenticated):
        await _who(other_process, key.token)
    async with services.database.tenant(tenant.id) as tx:
        with pytest.raises(Conflict):
            await services.keys.revoke(tx, key.id, by=SYSTEM)


async def test_expired_key_is_refused(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, lasts=timedelta(milliseconds=150))
    await _who(services, key.token)
    await asyncio.sleep(0.2)
    with pytest.raises(Unauthenticated):
        await _who(services, key.token)


async def test_key_with_another_tenants_prefix_and_its_own_secret_is_refused(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    token = (await _issue(services, mine.id)).token.removeprefix("bailee_").upper()
    raw = base64.b32decode(token + "=" * (-len(token) % 8))[:-4]
    moved = theirs.id.bytes + raw[16:]
    forged = base64.b32encode(moved + zlib.crc32(moved).to_bytes(4)).decode().rstrip("=").lower()
    with pytest.raises(Unauthenticated):
        await _who(services, f"bailee_{forged}")


async def test_key_cannot_grant_what_it_lacks(services: Services, tenant: Tenant) -> None:
    by = key_principal(tenant.id, "keys:write", "records:read")
    await _issue(services, tenant.id, "records:read", by=by)
    with pytest.raises(Forbidden):
        await _issue(services, tenant.id, "records:read", "records:write", by=by)


@pytest.mark.parametrize("permissions", [["*"], ["tenants:write"], ["records:read", "nothing"], [""]])
async def test_unknown_or_staff_permission_is_not_granted(
    services: Services, tenant: Tenant, permissions: list[str]
) -> None:
    with pytest.raises(Invalid):
        await _issue(services, tenant.id, *permissions)


async def test_states_of_a_tenant_decide_what_its_keys_may(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, "records:read", "records:write", "subjects:erase")
    await _move(services, tenant, TenantState.SUSPENDED)
    with pytest.raises(Forbidden):
        await _who(services, key.token)
    await _move(services, tenant, TenantState.ACTIVE, TenantState.TERMINATING)
    assert (await _who(services, key.token)).permissions == {"records:read"}
    await _move(services, tenant, TenantState.TERMINATED)
    with pytest.raises(Forbidden):
        await _who(services, key.token)
    await work(services)
    with pytest.raises(KeyDestroyed):
        await services.keyring.general_key(tenant.id)
    with pytest.raises(Conflict):
        await _move(services, tenant, TenantState.ACTIVE)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.text(), st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567=", max_size=210)),
    st.sampled_from(["", "bailee_", "bst_"]),
)
def test_malformed_token_is_nobodys(text: str, prefix: str) -> None:
    assert parse_key_token(prefix + text) is None
    assert parse_session_token(prefix + text) is None
