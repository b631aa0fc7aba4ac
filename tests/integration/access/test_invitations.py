"""Invitations: single-use, for one address, and for whoever it was sent to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from bailee.access.errors import LinkRefused, TooManyAttempts
from bailee.access.model import AccountKind, AccountState, SentInvitation, SessionKind, StartedSession
from bailee.assembly import Services
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Forbidden, Principal
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    PASSWORD,
    Person,
    accept,
    actions,
    execute,
    join,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
    token_in,
)
from tests.integration.rig import SYSTEM, create_tenant


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def password_hash() -> str:
    hasher = PasswordHasher()
    try:
        return await hasher.hash(secret(PASSWORD))
    finally:
        hasher.close()


def _address() -> str:
    return f"new-{new_id()}@tenant.example"


async def _invite(
    services: Services, tenant: TenantId, email: str, role: str = "viewer", by: Principal = SYSTEM
) -> SentInvitation:
    async with services.database.tenant(tenant) as tx:
        return await services.access.invitations.invite_member(tx, email=email, name="New", role=role, by=by)


async def _invite_staff(services: Services, email: str, by: Principal) -> SentInvitation:
    async with services.database.operator() as tx:
        return await services.access.invitations.invite_staff(tx, email=email, name="New", roles=["support"], by=by)


async def _finish(services: Services, token: str, password_hash: str) -> StartedSession:
    async with services.database.operator() as tx:
        return await services.access.invitations.finish(
            tx, token=token, name="New", password_hash=password_hash, kind=SessionKind.API, by=nobody()
        )


async def _join(services: Services, person: Person, token: str) -> TenantId:
    by = await person.principal()
    async with services.database.operator() as tx:
        return await services.access.invitations.join(tx, token=token, by=by)


# --- one link, one use ------------------------------------------------------------------------------------


async def test_of_thirty_acceptances_at_once_one_makes_the_account(
    services: Services, tenant: Tenant, password_hash: str
) -> None:
    email = _address()
    token = token_in((await _invite(services, tenant.id, email)).link)
    results = await asyncio.gather(
        *(_finish(services, token, password_hash) for _ in range(30)), return_exceptions=True
    )
    assert Counter(type(result).__name__ for result in results) == {"StartedSession": 1, "LinkRefused": 29}


async def test_of_thirty_joinings_at_once_one_makes_the_member(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    other = await create_tenant(services)
    token = token_in((await _invite(services, other.id, person.email)).link)
    results = await asyncio.gather(*(_join(services, person, token) for _ in range(30)), return_exceptions=True)
    assert Counter(type(result).__name__ for result in results) == {"UUID": 1, "LinkRefused": 29}


async def test_two_tenants_invitations_accepted_at_once_make_one_account(
    services: Services, two_tenants: tuple[Tenant, Tenant], password_hash: str
) -> None:
    email = _address()
    tokens = [token_in((await _invite(services, tenant.id, email)).link) for tenant in two_tenants]
    results = await asyncio.gather(
        *(_finish(services, token, password_hash) for token in tokens), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "StartedSession"]
    async with services.database.operator_read() as tx:
        assert await tx.value("SELECT count(*) FROM accounts WHERE email = %s", (email,)) == 1


# --- what ends a link --------------------------------------------------------------------------------------


async def test_an_invitation_ends_by_time_by_withdrawal_and_by_a_newer_one(services: Services, tenant: Tenant) -> None:
    email = _address()
    expired = await _invite(services, tenant.id, email)
    await execute(services, "UPDATE invitations SET expires_at = now() WHERE invitation_id = %s", (expired.id,))
    replaced = await _invite(services, tenant.id, email)
    withdrawn = await _invite(services, tenant.id, email)
    async with services.database.tenant(tenant.id) as tx:
        await services.access.invitations.withdraw_member(tx, withdrawn.id, by=SYSTEM)
    for sent in (expired, replaced, withdrawn):
        with pytest.raises(LinkRefused):
            await accept(services, email, sent.link)
        async with services.database.operator_read() as reader:
            with pytest.raises(LinkRefused):
                await services.access.invitations.view(reader, token_in(sent.link))
    with pytest.raises(Conflict):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.withdraw_member(tx, withdrawn.id, by=SYSTEM)
    good = await _invite(services, tenant.id, email)
    person = await accept(services, email, good.link)
    assert (await person.principal()).tenant_id == tenant.id
    with pytest.raises(Conflict):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.withdraw_member(tx, good.id, by=SYSTEM)


async def test_another_tenants_invitation_is_not_withdrawn(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    sent = await _invite(services, theirs.id, _address())
    with pytest.raises(NotFound):
        async with services.database.tenant(mine.id) as tx:
            await services.access.invitations.withdraw_member(tx, sent.id, by=SYSTEM)
    async with services.database.tenant_read(mine.id) as reader:
        assert await services.access.invitations.of_members(reader) == []
    with pytest.raises(NotFound):
        async with services.database.operator() as tx:
            await services.access.invitations.withdraw_staff(tx, sent.id, by=SYSTEM)


async def test_a_link_that_is_damaged_is_none(services: Services, tenant: Tenant) -> None:
    token = token_in((await _invite(services, tenant.id, _address())).link)
    for damaged in ("", token[:-1], token.upper(), token + "a", token.replace("biv_", "bln_")):
        async with services.database.operator_read() as reader:
            with pytest.raises(LinkRefused):
                await services.access.invitations.view(reader, damaged)


# --- for whom it is ----------------------------------------------------------------------------------------


async def test_an_invitation_is_for_the_address_it_was_sent_to(services: Services, tenant: Tenant) -> None:
    invited = await make_member(services, tenant.id, "viewer", mfa=False)
    thief = await make_member(services, tenant.id, "viewer", mfa=False)
    other = await create_tenant(services)
    token = token_in((await _invite(services, other.id, invited.email, "owner")).link)
    with pytest.raises(Forbidden, match="another address"):
        await _join(services, thief, token)
    with pytest.raises(Conflict, match="account already"):
        await accept(services, invited.email, "#" + token)
    assert await _join(services, invited, token) == other.id
    with pytest.raises(LinkRefused):
        await _join(services, invited, token)


async def test_a_member_is_not_invited_again_and_a_role_above_ones_own_is_not_given(
    services: Services, tenant: Tenant
) -> None:
    administrator = await make_member(services, tenant.id, "administrator")
    by = await administrator.principal()
    with pytest.raises(Conflict):
        await _invite(services, tenant.id, administrator.email, by=SYSTEM)
    with pytest.raises(Forbidden):
        await _invite(services, tenant.id, _address(), "owner", by)
    with pytest.raises(Invalid):
        await _invite(services, tenant.id, _address(), "nothing", by)
    await _invite(services, tenant.id, _address(), "editor", by)


async def test_nobody_is_staff_and_a_member_at_once(services: Services, owner: Person, tenant: Tenant) -> None:
    member, by = await make_member(services, tenant.id, "viewer", mfa=False), await owner.principal()
    with pytest.raises(Conflict, match="member"):
        await _invite_staff(services, member.email, by)
    staff = await make_staff(services, "support")
    sent = await _invite(services, tenant.id, staff.email)
    with pytest.raises(Conflict):
        await accept(services, staff.email, sent.link)
    with pytest.raises(Forbidden):
        await _join(services, staff, token_in(sent.link))
    email = _address()
    as_staff, as_member = await _invite_staff(services, email, by), await _invite(services, tenant.id, email)
    await accept(services, email, as_member.link)
    with pytest.raises(Conflict):
        await accept(services, email, as_staff.link)
    async with services.database.operator_read() as reader:
        assert await reader.value(
            "SELECT count(*) FROM accounts a JOIN memberships m USING (account_id) WHERE a.kind = 'staff'"
        ) == 0  # fmt: skip


async def test_an_accepted_invitation_makes_the_account_it_promised(
    services: Services, owner: Person, tenant: Tenant
) -> None:
    email = _address()
    sent = await _invite(services, tenant.id, email.upper(), "editor")
    async with services.database.operator_read() as reader:
        view = await services.access.invitations.view(reader, token_in(sent.link))
    assert (view.email, view.place, view.roles, view.has_account) == (email, tenant.name, ["editor"], False)
    person = await accept(services, email, sent.link)
    async with services.database.operator_read() as reader:
        account = await services.access.accounts.get(reader, await person.id())
        verified_at = await reader.value("SELECT verified_at FROM accounts WHERE account_id = %s", (account.id,))
    assert verified_at is None, "whoever was shown the link may not be whoever reads that mailbox"
    assert (account.kind, account.state, account.email) == (AccountKind.MEMBER, AccountState.ACTIVE, email)


async def test_staff_invite_a_tenants_first_owner_and_nobody_after(services: Services, owner: Person) -> None:
    tenant = await create_tenant(services)
    by = await owner.principal()
    async with services.database.tenant(tenant.id) as tx:
        sent = await services.access.invitations.invite_owner(tx, email=_address(), name="First", by=by)
    person = await accept(services, sent.email, sent.link)
    (await person.principal()).require("policy.change")
    with pytest.raises(Conflict, match="has an owner"):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.invite_owner(tx, email=_address(), name="Second", by=by)
    support = await make_staff(services, "support")
    with pytest.raises(Forbidden):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.invite_owner(
                tx, email=_address(), name="Third", by=await support.principal()
            )


async def test_a_new_member_does_not_come_by_an_invitation_to_somebody_who_was_removed(
    services: Services, tenant: Tenant
) -> None:
    person = await make_member(services, tenant.id, "viewer", mfa=False)
    account_id = await person.id()
    async with services.database.tenant(tenant.id) as tx:
        await services.access.members.remove(tx, account_id, by=SYSTEM)
    assert (await person.principal()).permissions == frozenset()
    await join(services, person, tenant.id, "editor")
    async with services.database.operator() as tx:
        moved = await services.access.sessions.switch_tenant(tx, tenant.id, by=await person.principal())
    person.token = moved.token
    (await person.principal()).require("records.create")
    assert (await actions(services, "member.removed"))[-1] == "success"


# --- addresses that are not what they seem ------------------------------------------------------------------

CONFUSABLE = {
    "Cyrillic а": "\u0430da@tenant.example",
    "fullwidth": "ａda@tenant.example",
    "Kelvin sign": "\u212aate@tenant.example",
    "dotless i": "adm\u0131n@tenant.example",
    "zero-width joiner": "a\u200dda@tenant.example",
    "right-to-left override": "\u202eada@tenant.example",
    "combining accent": "ada\u0301@tenant.example",
    "domain with a Cyrillic е": "ada@t\u0435nant.example",
    "fullwidth at": "ada＠tenant.example",
    "no-break space": "ada\u00a0@tenant.example",
    "two addresses": "ada@tenant.example,eve@evil.example",
    "a header": "ada@tenant.example\r\nBcc: eve@evil.example",
    "a NUL": "ada@tenant.example\x00.evil.example",
    "a name": "Ada <ada@tenant.example>",
    "no domain": "ada@localhost",
    "too long": "a" * 65 + "@tenant.example",
}


@pytest.mark.parametrize("email", CONFUSABLE.values(), ids=CONFUSABLE)
async def test_an_address_that_could_be_taken_for_another_is_refused(
    services: Services, owner: Person, tenant: Tenant, email: str
) -> None:
    with pytest.raises(Invalid):
        await _invite(services, tenant.id, email)
    with pytest.raises(Invalid):
        await _invite_staff(services, email, await owner.principal())


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u202eb", "x" * 101, "\x1b[31mred"])
async def test_a_name_is_printable(services: Services, tenant: Tenant, name: str) -> None:
    with pytest.raises(Invalid):
        async with services.database.tenant(tenant.id) as tx:
            await services.access.invitations.invite_member(tx, email=_address(), name=name, role="viewer", by=SYSTEM)


async def test_two_spellings_of_one_address_are_one_account(services: Services, tenant: Tenant) -> None:
    person = await make_member(services, tenant.id, "viewer", email=f"Ada.{new_id()}@Tenant.Example", mfa=False)
    with pytest.raises(Conflict):
        await _invite(services, tenant.id, f" {person.email.upper()} ")
    await person.sign_in()


# --- who invited has gone meanwhile ---------------------------------------------------------------------------


async def _disable(services: Services, person: Person, by: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.disable(tx, account_id, by=by)


async def _lose_role(services: Services, person: Person, by: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.grants.withdraw(tx, account_id, "security_officer", by=by)


async def _off_board(services: Services, person: Person, by: Principal) -> None:
    account_id = await person.id()
    async with services.database.operator() as tx:
        await services.access.accounts.off_board(tx, account_id, by=by)


@pytest.mark.parametrize("leave", [_disable, _lose_role, _off_board])
async def test_invitations_of_staff_end_with_their_rights(
    services: Services, owner: Person, password_hash: str, leave: Callable[..., Awaitable[None]]
) -> None:
    """Else somebody about to be dismissed leaves a way in for a mailbox of theirs."""
    officer = await make_staff(services, "security_officer", "support")
    sent = await _invite_staff(services, f"puppet-{new_id()}@bailee.example", await officer.principal())
    await leave(services, officer, await owner.principal())
    with pytest.raises(LinkRefused):
        await _finish(services, token_in(sent.link), password_hash)


@pytest.mark.parametrize("way", ["disable", "remove", "change_role"])
async def test_invitations_of_members_end_with_their_rights(
    services: Services, tenant: Tenant, password_hash: str, way: str
) -> None:
    administrator = await make_member(services, tenant.id, "administrator")
    sent = await _invite(services, tenant.id, _address(), by=await administrator.principal())
    account_id = await administrator.id()
    more = ("viewer",) if way == "change_role" else ()
    async with services.database.tenant(tenant.id) as tx:
        await getattr(services.access.members, way)(tx, account_id, *more, by=SYSTEM)
    with pytest.raises(LinkRefused):
        await _finish(services, token_in(sent.link), password_hash)


async def test_of_several_first_owners_that_staff_have_invited_one_comes(
    services: Services, owner: Person, password_hash: str
) -> None:
    """Else staff invite themselves beside the customer, and open the second link when the data is there."""
    tenant, by = await create_tenant(services), await owner.principal()
    links = []
    for _ in range(2):
        async with services.database.tenant(tenant.id) as tx:
            sent = await services.access.invitations.invite_owner(tx, email=_address(), name="Own Er", by=by)
        links.append(token_in(sent.link))
    results = await asyncio.gather(*(_finish(services, link, password_hash) for link in links), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["LinkRefused", "StartedSession"]


async def test_passwords_tried_with_one_link_are_counted(services: Services, tenant: Tenant) -> None:
    """Judging a password takes as long as hashing one: a link must not keep everybody else waiting."""
    token = token_in((await _invite(services, tenant.id, _address())).link)
    refused = Counter[str]()
    for _ in range(12):
        try:
            await services.access.invitations.accept(
                token=token, name="New", password=secret("password"), kind=SessionKind.API, by=nobody()
            )
        except (Invalid, TooManyAttempts) as error:
            refused[type(error).__name__] += 1
    assert refused == {"Invalid": 10, "TooManyAttempts": 2}
