"""What happens by the clock, and what people are written: through a real queue and a real mail server."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import msgspec
import pytest

from bailee.access.model import Account, AccountState, IssuedApiKey, SessionKind, StartedSession
from bailee.access.store import accounts as account_rows
from bailee.assembly import Services
from bailee.events import Event
from bailee.foundation.database import OperatorWriter
from bailee.foundation.errors import Conflict, Unavailable
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.tenants.model import Tenant
from tests.integration.access.people import (
    Person,
    actions,
    execute,
    make_member,
    make_owner,
    make_staff,
    nobody,
    secret,
)
from tests.integration.rig import SYSTEM, create_tenant, open_settings, running, work
from tests.postgres import Pair
from tests.smtp import MailServer, mail_server

NEW = "sixteen loud herons at dusk"
REASON = "Lost the phone on a train."


class Office:
    """Services without a mail server, to make people with the links that are shown; and the same with one."""

    def __init__(self, bare: Services, mailing: Services, server: MailServer) -> None:
        self.bare = bare
        self.mailing = mailing
        self._server = server

    async def sent(self, *, to: str, subject: str) -> EmailMessage:
        """Delivers what waits; answers the one that was looked for."""
        await work(self.mailing)
        return self._server.wait_for(to=to, subject=subject, seconds=1)

    async def count(self, *, to: str, subject: str) -> int:
        await work(self.mailing)
        return sum(to in str(one["To"]) and subject in str(one["Subject"]) for one in self._server.messages)


@pytest.fixture(scope="module")
async def office(pair: Pair) -> AsyncIterator[Office]:
    with mail_server() as server, open_settings(pair) as settings:
        with_mail = msgspec.structs.replace(settings, mail=server.mail_settings())
        async with running(settings) as bare, running(with_mail) as mailing:
            yield Office(bare, mailing, server)


@pytest.fixture(scope="module")
async def owner(office: Office) -> Person:
    return await make_owner(office.bare)


@pytest.fixture
async def tenant(office: Office, owner: Person) -> Tenant:
    return await create_tenant(office.bare, "Example Clinic")


def _link(message: EmailMessage, page: str) -> str:
    """The token in a letter's link to a page of ours."""
    text = message.get_content()
    found = re.search(rf"https://localhost:8443/{page}#(\S+)", text)
    assert found is not None, text
    return found[1]


async def _is_verified(services: Services, email: str) -> bool:
    """Whether somebody has shown that they read what goes to an address."""
    async with services.database.operator_read() as reader:
        found: bool = await reader.value("SELECT verified_at IS NOT NULL FROM accounts WHERE email = %s", (email,))
    return found


# --- links that go by mail --------------------------------------------------------------------------------


async def test_an_invitation_goes_by_mail_and_is_shown_to_nobody(office: Office, owner: Person, tenant: Tenant) -> None:
    services = office.mailing
    async with services.database.tenant(tenant.id) as tx:
        invited = await services.access.invitations.invite_member(
            tx, email="ada@tenant.example", name="Ada", role="viewer", by=SYSTEM
        )
    assert invited.link is None
    message = await office.sent(to="ada@tenant.example", subject="Example Clinic")
    started = await services.access.invitations.accept(
        token=_link(message, "invitation"), name="Ada", password=secret(NEW), kind=SessionKind.API, by=nobody()
    )
    assert started.account.email == "ada@tenant.example"
    assert await _is_verified(services, "ada@tenant.example")


async def test_a_link_to_choose_a_password_goes_by_mail_and_the_change_is_told(
    office: Office, owner: Person, tenant: Tenant
) -> None:
    services = office.mailing
    person = await make_member(office.bare, tenant.id, "viewer", mfa=False)
    await services.access.password_change.ask(email=person.email.upper(), by=nobody())
    await services.access.password_change.ask(email="nobody@tenant.example", by=nobody())
    message = await office.sent(to=person.email, subject="Choose a new password")
    await services.access.password_change.reset(token=_link(message, "password"), new=secret(NEW), by=nobody())
    await office.sent(to=person.email, subject="The password was changed")
    assert await office.count(to="nobody@tenant.example", subject="") == 0
    person.password = NEW
    await person.sign_in()
    assert await _is_verified(services, person.email)


async def test_a_change_of_password_is_told(office: Office, owner: Person, tenant: Tenant) -> None:
    person = await make_member(office.bare, tenant.id, "viewer", mfa=False)
    await office.mailing.access.password_change.change(
        old=secret(person.password), new=secret(NEW), by=await person.principal()
    )
    told = await office.sent(to=person.email, subject="The password was changed")
    assert NEW not in told.get_content()


async def test_a_reset_of_factors_is_told_with_a_link_for_staff_and_without_for_members(
    office: Office, owner: Person, tenant: Tenant
) -> None:
    services = office.mailing
    staff, member = await make_staff(office.bare, "support"), await make_member(office.bare, tenant.id, "viewer")
    async with services.database.operator() as tx:
        link = await services.access.accounts.reset_factors(
            tx, await staff.id(), reason=REASON, by=await owner.principal()
        )
    assert link is None, "whoever resets somebody's factors does not get to see the link"
    async with services.database.tenant_read(tenant.id) as reader:
        membership = await services.access.members.get(reader, await member.id())
    async with services.database.operator() as tx:
        await services.access.members.reset_factors(tx, membership, tenant=tenant.id, reason=REASON, by=SYSTEM)
    letter = await office.sent(to=staff.email, subject="second factor was reset")
    started = await services.access.password_change.enrol(
        token=_link(letter, "enrolment"), password=secret(staff.password), by=nobody()
    )
    assert started.account.email == staff.email
    told = await office.sent(to=member.email, subject="second factor was reset")
    assert "#" not in told.get_content()
    assert REASON not in told.get_content() + letter.get_content()


# --- those in charge are told ------------------------------------------------------------------------------


async def test_whoever_is_in_charge_hears_of_elevations_reviews_and_the_broken_seal(
    office: Office, owner: Person
) -> None:
    services = office.mailing
    officer, support = await make_staff(office.bare, "security_officer"), await make_staff(office.bare, "support")
    by = await officer.principal()
    async with services.database.operator() as tx:
        await services.access.elevations.request(tx, role="owner", reason=REASON, minutes=5, by=by)
    await office.sent(to=owner.email, subject="elevation")
    assert await office.count(to=officer.email, subject="elevation") == 0, "who asks does not decide"
    async with services.database.operator() as tx:
        await services.access.reviews.open(
            tx, title="Autumn", due_at=services.clock.now() + timedelta(days=7), by=await owner.principal()
        )
    for person in (owner, officer):
        await office.sent(to=person.email, subject="access review")
    envelope = await services.access.break_glass.seal(by=await owner.principal())
    opened = await services.access.sign_in.by_password(
        email=envelope.email, password=secret(envelope.password), code=envelope.codes[0], kind=SessionKind.API,
        by=nobody(),
    )  # fmt: skip
    assert isinstance(opened, StartedSession)
    for person in (owner, officer):
        alarm = await office.sent(to=person.email, subject="ALARM")
        assert envelope.password not in alarm.get_content()
    assert await office.count(to=support.email, subject="") == 0
    assert await office.count(to=envelope.email, subject="") == 0


# --- accounts that nobody uses ------------------------------------------------------------------------------


async def _unseen(services: Services, person: Person, days: int, *, warned: int | None = None) -> None:
    account_id = await person.id()
    await execute(
        services,
        "UPDATE accounts SET seen_at = now() - make_interval(days => %s), "
        "dormancy_warned_at = now() - make_interval(days => %s) WHERE account_id = %s",
        (days, warned, account_id),
    )
    await execute(
        services,
        "UPDATE sessions SET seen_at = now() - make_interval(days => %s) WHERE account_id = %s",
        (days, account_id),
    )


async def _state(services: Services, email: str) -> AccountState:
    async with services.database.operator_read() as reader:
        account = await account_rows.find_by_email(reader, email)
    assert account is not None
    return account.state


async def test_whoever_is_not_seen_is_warned_once_and_disabled_two_weeks_later(
    office: Office, owner: Person, tenant: Tenant
) -> None:
    services = office.mailing
    member, staff = await make_member(office.bare, tenant.id), await make_staff(office.bare, "support")
    used = await make_staff(office.bare, "support")
    for person in (member, staff):
        await _unseen(office.bare, person, 77)
    for _ in range(2):
        await services.upkeep.look_for_dormant()
    for person in (member, staff):
        await office.sent(to=person.email, subject="will be disabled")
        assert await office.count(to=person.email, subject="will be disabled") == 1
        assert await _state(services, person.email) is AccountState.ACTIVE
    await execute(
        services,
        "UPDATE accounts SET seen_at = seen_at - interval '14 days', "
        "dormancy_warned_at = dormancy_warned_at - interval '14 days' WHERE email = ANY(%s)",
        ([member.email, staff.email],),
    )
    await services.upkeep.look_for_dormant()
    assert await _state(services, member.email) is AccountState.DISABLED
    assert await _state(services, staff.email) is AccountState.DISABLED
    assert await _state(services, used.email) is AccountState.ACTIVE
    async with services.database.operator_read() as reader:
        found = await account_rows.find_by_email(reader, member.email)
    assert found is not None
    assert found.disabled_because == "dormant"


async def test_a_late_warning_leaves_two_weeks_all_the_same(office: Office, owner: Person, tenant: Tenant) -> None:
    person = await make_member(office.bare, tenant.id)
    await _unseen(office.bare, person, 400)
    await office.mailing.upkeep.look_for_dormant()
    await office.mailing.upkeep.look_for_dormant()
    assert await _state(office.mailing, person.email) is AccountState.ACTIVE


async def test_without_a_mail_server_the_lists_of_people_warn(office: Office, owner: Person, tenant: Tenant) -> None:
    """And the log says that no mail went."""
    services = office.bare
    member, staff = await make_member(services, tenant.id, mfa=False), await make_staff(services, "support")
    for person in (member, staff):
        await _unseen(services, person, 77)
    await services.upkeep.look_for_dormant()
    ids = [await member.id(), await staff.id(), await owner.id()]
    async with services.database.operator_read() as reader:
        unused = await services.access.accounts.unused(reader, ids)
        announced = await reader.values(
            "SELECT body FROM events WHERE action = 'account.dormancy_announced' ORDER BY event_id DESC LIMIT 2"
        )
    assert unused.keys() == set(ids[:2])
    assert all(timedelta(days=13) < at - services.clock.now() <= timedelta(days=14) for at in unused.values())
    assert [msgspec.json.decode(body, type=Event).details["mailed"] for body in announced] == [False, False]
    await staff.sign_in()
    async with services.database.operator_read() as reader:
        assert (await services.access.accounts.unused(reader, ids)).keys() == {ids[0]}, "used again"


async def test_an_account_that_cannot_be_disabled_does_not_keep_those_behind_it(
    office: Office, owner: Person, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = office.mailing
    stuck, behind = [await make_member(office.bare, tenant.id, mfa=False) for _ in range(2)]  # in this order
    for person in (stuck, behind):
        await _unseen(office.bare, person, 100, warned=20)
    stuck_id, disable = await stuck.id(), services.access.accounts.disable_dormant

    async def fail_once(tx: OperatorWriter, account_id: UUID, *, by: Principal) -> Account:
        if account_id == stuck_id:
            raise Unavailable("Not now.")
        return await disable(tx, account_id, by=by)

    with monkeypatch.context() as patched:
        patched.setattr(services.access.accounts, "disable_dormant", fail_once)
        await services.upkeep.look_for_dormant()
    assert await _state(services, stuck.email) is AccountState.ACTIVE
    assert await _state(services, behind.email) is AccountState.DISABLED
    await services.upkeep.look_for_dormant()
    assert await _state(services, stuck.email) is AccountState.DISABLED


async def test_whoever_comes_back_after_the_warning_stays(office: Office, owner: Person, tenant: Tenant) -> None:
    person = await make_member(office.bare, tenant.id, mfa=False)
    account_id = await person.id()
    await _unseen(office.bare, person, 100, warned=20)
    await person.sign_in()
    with pytest.raises(Conflict, match="in use again"):  # the round had listed it before
        async with office.mailing.database.operator() as tx:
            await office.mailing.access.accounts.disable_dormant(tx, account_id, by=SYSTEM)
    await office.mailing.upkeep.look_for_dormant()
    assert await _state(office.mailing, person.email) is AccountState.ACTIVE


async def test_the_last_owner_is_warned_and_kept_and_the_sealed_account_may_sleep(
    office: Office, owner: Person
) -> None:
    services = office.mailing
    await services.access.break_glass.seal(by=await owner.principal())
    await execute(services, "UPDATE accounts SET seen_at = now() - interval '400 days' WHERE sealed")
    await _unseen(office.bare, owner, 100)
    try:
        await services.upkeep.look_for_dormant()
        await office.sent(to=owner.email, subject="will be disabled")
        await execute(
            services, "UPDATE accounts SET dormancy_warned_at = now() - interval '15 days' WHERE email = %s",
            (owner.email,),
        )  # fmt: skip
        before = len(await actions(services, "account.disabled"))
        await services.upkeep.look_for_dormant()
        assert len(await actions(services, "account.disabled")) == before
        assert await _state(services, owner.email) is AccountState.ACTIVE
        assert await _state(services, "break-glass@sealed.invalid") is AccountState.ACTIVE
    finally:
        await execute(services, "UPDATE accounts SET seen_at = now(), dormancy_warned_at = NULL")
        await execute(services, "UPDATE sessions SET seen_at = now()")


# --- keys that end ------------------------------------------------------------------------------------------


async def _key(services: Services, tenant: TenantId, name: str, days: int) -> IssuedApiKey:
    async with services.database.tenant(tenant) as tx:
        return await services.access.keys.issue(
            tx, name=name, permissions=["records:read"], expires_at=services.clock.now() + timedelta(days=days),
            by=SYSTEM,
        )  # fmt: skip


async def test_the_end_of_a_key_is_announced_once_to_those_who_can_rotate_it(
    office: Office, owner: Person, tenant: Tenant
) -> None:
    services = office.mailing
    told = [await make_member(office.bare, tenant.id, role, mfa=False) for role in ("owner", "administrator")]
    other = await make_member(office.bare, tenant.id, "viewer", mfa=False)
    gone = await make_member(office.bare, tenant.id, "administrator", mfa=False)
    gone_id = await gone.id()
    async with services.database.tenant(tenant.id) as tx:
        await services.access.members.disable(tx, gone_id, by=SYSTEM)
    await _key(services, tenant.id, "soon", 13)
    await _key(services, tenant.id, "later", 15)
    rotated = await _key(services, tenant.id, "rotated", 13)
    revoked = await _key(services, tenant.id, "revoked", 13)
    async with services.database.tenant(tenant.id) as tx:
        await services.access.keys.rotate(tx, rotated.id, overlap_hours=100, by=SYSTEM)
        await services.access.keys.revoke(tx, revoked.id, by=SYSTEM)
    await execute(services, "UPDATE api_keys SET expires_at = now() + interval '1 year' WHERE replaces IS NOT NULL")
    for _ in range(2):
        await services.upkeep.announce_expiring_keys()
    for person in told:
        letter = await office.sent(to=person.email, subject="API key")
        assert "“soon” of Example Clinic" in letter.get_content()
        assert await office.count(to=person.email, subject="API key") == 1
    for person in (other, gone):
        assert await office.count(to=person.email, subject="API key") == 0
    async with services.database.tenant_read(tenant.id) as reader:
        events = await reader.values("SELECT count(*) FROM events WHERE action = 'api_key.expiry_announced'")
    assert events == [1]


# --- what ended long ago ------------------------------------------------------------------------------------


async def test_what_ended_long_ago_is_cleared_away(office: Office, owner: Person, tenant: Tenant) -> None:
    services = office.bare
    person = await make_staff(services, "support")
    account_id = await person.id()
    await services.access.password_change.ask(email=person.email, by=nobody())
    async with services.database.operator() as tx:
        account = await services.access.accounts.get(tx, account_id)
        await services.access.password_change.send(tx, account, by=nobody())
    await person.begin()
    await services.access.sign_in.passkey_for_anyone(by=nobody())
    for table in ("links", "pending_sign_ins", "challenges", "sessions"):
        async with services.database.operator_read() as reader:
            assert await reader.value(f"SELECT count(*) FROM {table}")  # noqa: S608  names of this test's own
    for statement in (
        "UPDATE links SET expires_at = now() - interval '1 minute'",
        "UPDATE pending_sign_ins SET expires_at = now() - interval '1 minute'",
        "UPDATE challenges SET expires_at = now() - interval '1 minute'",
        "UPDATE sign_in_failures SET failed_at = now() - interval '2 days'",
        "UPDATE devices SET used_at = now() - interval '181 days'",
    ):
        await execute(services, statement)
    await execute(
        services, "UPDATE sessions SET expires_at = now() - interval '2 days' WHERE account_id = %s", (account_id,)
    )
    await services.upkeep.sweep()
    for table in ("links", "pending_sign_ins", "challenges", "sign_in_failures", "devices"):
        async with services.database.operator_read() as reader:
            assert await reader.value(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608
    async with services.database.operator_read() as reader:
        assert await reader.value("SELECT count(*) FROM sessions WHERE account_id = %s", (account_id,)) == 0
        assert await reader.value("SELECT count(*) FROM sessions"), "those that live stay"
