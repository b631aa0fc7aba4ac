"""API keys: what they may do, when they end, how they are rotated, and what cannot be made of them."""

import asyncio
import base64
import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from bailee.access.model import IssuedApiKey
from bailee.access.permissions import SCOPES
from bailee.access.tokens import API_KEY
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired, Unauthenticated
from bailee.tenants.model import Tenant, TenantState
from tests.integration.access.people import execute, is_refused, make_member, who
from tests.integration.rig import SYSTEM, create_tenant, key_principal, staff_principal


async def _issue(
    services: Services, tenant: TenantId, *permissions: str, by: Principal = SYSTEM, lasts: timedelta | None = None
) -> IssuedApiKey:
    expires = None if lasts is None else services.clock.now() + lasts
    async with services.database.tenant(tenant) as tx:
        return await services.access.keys.issue(
            tx, name="key", permissions=list(permissions) or ["records:read"], expires_at=expires, by=by
        )


async def _rotate(
    services: Services, tenant: TenantId, key: IssuedApiKey, *, hours: int, by: Principal = SYSTEM
) -> IssuedApiKey:
    async with services.database.tenant(tenant) as tx:
        return await services.access.keys.rotate(tx, key.id, overlap_hours=hours, by=by)


async def _move(services: Services, tenant: Tenant, *states: TenantState) -> None:
    for state in states:
        async with services.database.operator() as tx:
            await services.tenants.move(tx, tenant.id, to=state, by=SYSTEM)


def _renamed(token: str, *ids: UUID) -> str:
    """A token with its own secret, and other ids in front of it; its checksum is right."""
    text = token.removeprefix(API_KEY.prefix).upper()
    raw = base64.b32decode(text + "=" * (-len(text) % 8))[:-4]
    forged = b"".join(one.bytes for one in ids) + raw[32:]
    return API_KEY.prefix + base64.b32encode(forged + zlib.crc32(forged).to_bytes(4)).decode().rstrip("=").lower()


# --- what a key may do ------------------------------------------------------------------------------------


async def test_key_speaks_for_its_tenant_with_its_permissions_only(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, "records:read", "files.open")
    principal = await who(services, key.token)
    assert (principal.kind, principal.tenant) == (ActorKind.KEY, tenant.id)
    assert principal.permissions == SCOPES["records:read"] | {"files.open"}
    with pytest.raises(Forbidden):
        principal.require("records.create")
    with pytest.raises(Unauthenticated):
        principal.require_session()
    principal.require_step_up()  # a machine has no second factor to show


async def test_key_cannot_grant_what_it_lacks(services: Services, tenant: Tenant) -> None:
    by = key_principal(tenant.id, "keys:write", "records:read")
    await _issue(services, tenant.id, "records:read", by=by)
    with pytest.raises(Forbidden):
        await _issue(services, tenant.id, "records:read", "records:write", by=by)
    wide = await _issue(services, tenant.id, "records:write")
    with pytest.raises(Forbidden):
        await _rotate(services, tenant.id, wide, hours=1, by=by)


async def test_a_member_gives_a_key_no_more_than_the_role_has_and_steps_up_for_it(
    services: Services, tenant: Tenant
) -> None:
    administrator = await make_member(services, tenant.id, "administrator")
    by = await administrator.principal()
    await _issue(services, tenant.id, "records:write", by=by)
    with pytest.raises(Forbidden):
        await _issue(services, tenant.id, "subjects:erase", by=by)
    await execute(services, "UPDATE sessions SET mfa_at = now() - interval '6 minutes'")
    with pytest.raises(StepUpRequired):
        await _issue(services, tenant.id, "records:write", by=await administrator.principal())


@pytest.mark.parametrize(
    "permissions", [["*"], ["tenants.read"], ["tenants:write"], ["records:read", "nothing"], [""], []]
)
async def test_unknown_or_staff_permission_is_not_granted(
    services: Services, tenant: Tenant, permissions: list[str]
) -> None:
    with pytest.raises(Invalid):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.keys.issue(tx, name="key", permissions=permissions, expires_at=None, by=SYSTEM)


async def _provision(services: Services, tenant: TenantId, by: Principal) -> IssuedApiKey:
    async with services.database.tenant(tenant) as tx:
        return await services.access.keys.provision(
            tx, name="product", permissions=["records:read"], expires_at=None, by=by
        )


async def test_staff_provision_keys_and_hold_nothing_of_what_is_in_them(services: Services) -> None:
    tenant, by = await create_tenant(services), staff_principal("infrastructure")
    await _provision(services, tenant.id, by)
    assert not by.may("records.read")
    with pytest.raises(Forbidden):
        await _issue(services, tenant.id, "records:read", by=by)


async def test_once_a_tenant_has_an_owner_its_own_people_issue_its_keys(services: Services) -> None:
    """Staff hold nothing of what a key reads, so that none may be had behind the back of those whose data it is."""
    tenant = await create_tenant(services)
    await make_member(services, tenant.id, "administrator", mfa=False)
    first = await _provision(services, tenant.id, staff_principal())
    owner = await make_member(services, tenant.id, "owner")
    for role in ("owner", "infrastructure"):
        with pytest.raises(Conflict, match="its own people"):
            await _provision(services, tenant.id, staff_principal(role))
    assert not await is_refused(services, first.token), "the product goes on"
    renewed = await _rotate(services, tenant.id, first, hours=0, by=await owner.principal())
    assert renewed.permissions == first.permissions


# --- forged -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warm", [False, True])
async def test_a_keys_secret_opens_no_other_tenant_and_no_other_key(
    services: Services, two_tenants: tuple[Tenant, Tenant], warm: bool
) -> None:
    mine, theirs = two_tenants
    key = await _issue(services, mine.id)
    other = await _issue(services, theirs.id, "records:write")
    if warm:  # what is remembered of a token is remembered of the whole of it
        for token in (key.token, key.token, other.token):
            await who(services, token)
    assert _renamed(key.token, mine.id, key.id) == key.token
    for ids in ((theirs.id, key.id), (theirs.id, other.id), (mine.id, other.id), (mine.id, new_id())):
        assert await is_refused(services, _renamed(key.token, *ids))
    assert (await who(services, key.token)).tenant == mine.id


async def test_another_tenants_key_is_not_there(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    mine, theirs = two_tenants
    key = await _issue(services, theirs.id)
    keys = services.access.keys
    for act in (keys.revoke, keys.withdraw):
        with pytest.raises(NotFound):
            async with services.database.tenant(mine.id) as tx:
                await act(tx, key.id, by=SYSTEM)
    with pytest.raises(NotFound):
        await _rotate(services, mine.id, key, hours=1)
    assert not await is_refused(services, key.token)


# --- the end of a key -------------------------------------------------------------------------------------


async def test_expired_key_is_refused_even_while_it_is_remembered(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, lasts=timedelta(milliseconds=300))
    assert not await is_refused(services, key.token)
    assert not await is_refused(services, key.token)
    await asyncio.sleep(0.35)
    assert await is_refused(services, key.token)
    with pytest.raises(Conflict):
        await _rotate(services, tenant.id, key, hours=24)


async def test_a_revoked_key_is_not_revoked_twice_nor_rotated(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id)
    async with services.database.tenant(tenant.id) as tx:
        await services.access.keys.revoke(tx, key.id, by=SYSTEM)
    assert await is_refused(services, key.token)
    with pytest.raises(Conflict):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.keys.revoke(tx, key.id, by=SYSTEM)
    with pytest.raises(Conflict):
        await _rotate(services, tenant.id, key, hours=1)


async def test_states_of_a_tenant_decide_what_its_keys_may(services: Services, tenant: Tenant) -> None:
    key = await _issue(services, tenant.id, "records:read", "records:write", "subjects:erase")
    await who(services, key.token)
    await _move(services, tenant, TenantState.SUSPENDED)
    with pytest.raises(Forbidden):
        await who(services, key.token)
    await _move(services, tenant, TenantState.ACTIVE, TenantState.TERMINATING)
    assert (await who(services, key.token)).permissions == SCOPES["records:read"]
    await _move(services, tenant, TenantState.TERMINATED)
    with pytest.raises(Forbidden):
        await who(services, key.token)
    with pytest.raises(Conflict):
        await _move(services, tenant, TenantState.ACTIVE)


# --- rotation ---------------------------------------------------------------------------------------------


async def test_a_rotated_key_goes_on_beside_its_successor_until_the_overlap_ends(services: Services) -> None:
    tenant = await create_tenant(services)
    old = await _issue(services, tenant.id, "records:read", lasts=timedelta(days=100))
    new = await _rotate(services, tenant.id, old, hours=24)
    assert (new.name, new.permissions, new.replaces) == (old.name, old.permissions, old.id)
    assert new.expires_at is not None
    assert timedelta(days=99) < new.expires_at - services.clock.now() < timedelta(days=101)
    assert not await is_refused(services, old.token)
    assert not await is_refused(services, new.token)
    async with services.database.tenant_read(tenant.id) as tx:
        kept = await services.access.keys.get(tx, old.id)
    assert kept.expires_at is not None
    assert timedelta(hours=23) < kept.expires_at - services.clock.now() <= timedelta(hours=24)
    await execute(services, "UPDATE api_keys SET expires_at = now() WHERE key_id = %s", (old.id,))
    assert await is_refused(services, old.token)
    assert not await is_refused(services, new.token)


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(services: Services, tenant: Tenant) -> None:
    old = await _issue(services, tenant.id)
    await who(services, old.token)
    new = await _rotate(services, tenant.id, old, hours=0)
    assert await is_refused(services, old.token)
    assert not await is_refused(services, new.token)


async def test_a_rotation_never_lengthens_the_life_of_the_old_key(services: Services, tenant: Tenant) -> None:
    old = await _issue(services, tenant.id, lasts=timedelta(hours=1))
    await _rotate(services, tenant.id, old, hours=720)
    async with services.database.tenant_read(tenant.id) as tx:
        assert (await services.access.keys.get(tx, old.id)).expires_at == old.expires_at


@pytest.mark.parametrize("hours", [-1, 721])
async def test_an_overlap_has_bounds(services: Services, tenant: Tenant, hours: int) -> None:
    key = await _issue(services, tenant.id)
    with pytest.raises(Invalid):
        await _rotate(services, tenant.id, key, hours=hours)


async def test_a_key_ends_within_ten_years(services: Services, tenant: Tenant) -> None:
    async with services.database.tenant(tenant.id) as tx:
        with pytest.raises(Invalid):
            await services.access.keys.issue(
                tx, name="for ever", permissions=["records:read"], expires_at=datetime(9999, 12, 31, tzinfo=UTC),
                by=SYSTEM,
            )  # fmt: skip


async def test_a_directorys_key_takes_what_an_administrator_holds(services: Services, tenant: Tenant) -> None:
    """It gives roles up to an administrator's: whoever may less must not have it made."""
    less = msgspec.structs.replace(
        key_principal(tenant.id, "keys:write", "scim"), kind=ActorKind.MEMBER, stepped_up=True
    )
    async with services.database.tenant(tenant.id) as tx:
        with pytest.raises(Forbidden):
            await services.access.keys.issue(tx, name="scim", permissions=["scim"], expires_at=None, by=less)
    administrator = await make_member(services, tenant.id, "administrator")
    async with services.database.tenant(tenant.id) as tx:
        await services.access.keys.issue(
            tx, name="scim", permissions=["scim"], expires_at=None, by=await administrator.principal()
        )
