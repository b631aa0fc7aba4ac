"""Letters before the end of a hold: to whom, when, once each, and whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from bailee.assembly import Services
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Forbidden
from bailee.retention.model import HoldKind
from bailee.retention.reminders import reminder_due
from bailee.retention.store.holds import Ending, list_ending
from tests.integration.retention.test_holds import ask, person, place, sql, wanted
from tests.integration.rig import create_record, create_tenant, define, open_settings, running, staff_principal, work
from tests.postgres import Pair
from tests.smtp import MailServer, mail_server


@pytest.fixture(scope="module")
async def post(pair: Pair) -> AsyncIterator[tuple[Services, MailServer]]:
    """Services with a mail server, and one data protection officer and one owner of the operator's."""
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            for name in ("data_protection", "owner", "support"):
                account = new_id()
                sql(
                    services, "INSERT INTO accounts (account_id, kind, email, name, state)"
                    " VALUES (%s, 'staff', %s, 'Staff', 'active')", account, f"{name}@operator.example",
                )  # fmt: skip
                sql(
                    services, "INSERT INTO role_grants (account_id, role, granted_by) VALUES (%s, %s, 'x')",
                    account, name,
                )  # fmt: skip
            yield services, server


async def customer(services: Services, *roles: str) -> TenantId:
    """A customer with a record of ada, and somebody in each role."""
    tenant = (await create_tenant(services, plan="enterprise")).id
    await define(services, tenant)
    await create_record(services, tenant, {"note": "marked-note"}, "ada-the-subject")
    for role in roles:
        account, email = new_id(), f"{role}@{tenant}.example"
        sql(
            services, "INSERT INTO accounts (account_id, email, kind, state, name)"
            " VALUES (%s, %s, 'member', 'active', 'Ada Example')", account, email,
        )  # fmt: skip
        sql(
            services, "INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source)"
            " VALUES (%s, %s, %s, 'Ada Example', %s, 'active', 'invitation')", tenant, account, email, role,
        )  # fmt: skip
    return tenant


async def hold_of(services: Services, tenant: TenantId, days: int, **of: Any) -> UUID:
    return await place(services, tenant, subjects=["ada-the-subject"], days=days, **of)


def end_in(services: Services, hold: UUID, days: int) -> None:
    """Lets time pass, as far as the hold knows."""
    sql(
        services, "UPDATE legal_holds SET ends_on = (now() AT TIME ZONE 'UTC')::date + %s::int WHERE hold_id = %s",
        days, hold,
    )  # fmt: skip


async def told(post: tuple[Services, MailServer], tenant: TenantId) -> list[tuple[str, str]]:
    """To whom letters about a customer's holds went that came in a round, with their texts."""
    services, server = post
    before = len(server.messages)
    await services.retention.reminders.round()
    await work(services)
    ids = {str(row[0]) for row in sql(services, "SELECT hold_id FROM legal_holds WHERE tenant_id = %s", tenant)}
    letters = [(str(one["To"]), str(one["Subject"]) + "\n" + one.get_content()) for one in server.messages[before:]]
    return sorted((to, text) for to, text in letters if any(one in text for one in ids))


async def test_who_may_extend_is_told_thirty_and_seven_days_before_once_each(
    post: tuple[Services, MailServer],
) -> None:
    services, _ = post
    tenant = await customer(services, "owner", "privacy_officer", "administrator", "viewer", "auditor")
    hold = await hold_of(services, tenant, 31)
    assert await told(post, tenant) == []
    end_in(services, hold, 30)
    letters = await told(post, tenant)
    assert [to for to, _ in letters] == [f"owner@{tenant}.example", f"privacy_officer@{tenant}.example"]
    day = (services.clock.now() + timedelta(days=30)).date()
    for _, text in letters:
        assert f"{day:%Y-%m-%d}" in text
        assert "litigation" in text
        assert f"{services.settings.base_url}/holds/{hold}" in text
        for secret in ("Case 7 O 12/26", "ada-the-subject", "marked-note", "Ada Example", "people"):
            assert secret not in text
    assert await told(post, tenant) == []
    end_in(services, hold, 8)
    assert await told(post, tenant) == []
    end_in(services, hold, 7)
    assert len(await told(post, tenant)) == 2
    for days in (6, 0, -1):
        end_in(services, hold, days)
        assert await told(post, tenant) == []
    async with services.database.tenant_read(tenant) as tx:
        events = await services.events.page(tx, action="hold.reminded", before=None, limit=10)
    assert [one.details for one in events] == [
        {"days": 7, "people": 2, "to": "tenant"}, {"days": 30, "people": 2, "to": "tenant"},
    ]  # fmt: skip


async def test_a_short_hold_is_told_of_once(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "owner")
    await hold_of(services, tenant, 5)
    assert len(await told(post, tenant)) == 1
    assert await told(post, tenant) == []


async def test_an_extension_lets_both_letters_come_again(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "owner")
    hold = await hold_of(services, tenant, 5)
    assert len(await told(post, tenant)) == 1
    holds = services.retention.holds
    async with services.database.tenant(tenant) as tx:
        day = services.clock.now().date() + timedelta(days=20)
        await holds.ask_to_extend(tx, hold, ends_on=day, by=person(tenant))
    assert await told(post, tenant) == []
    async with services.database.tenant(tenant) as tx:
        await holds.decide_change(tx, hold, approved=True, by=person(tenant))
    assert len(await told(post, tenant)) == 1
    end_in(services, hold, 6)
    assert len(await told(post, tenant)) == 1


async def test_a_role_of_the_customers_own_is_told_too(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "counsel", "reader")
    for name, permission in (("counsel", "holds.lift"), ("reader", "holds.read")):
        sql(
            services, "INSERT INTO tenant_roles (tenant_id, name, title, permissions) VALUES (%s, %s, 'x', %s)",
            tenant, name, [permission],
        )  # fmt: skip
    neighbour = await customer(services, "reader")  # where a role of the same name may extend
    sql(
        services, "INSERT INTO tenant_roles (tenant_id, name, title, permissions) VALUES (%s, 'reader', 'x', %s)",
        neighbour, ["holds.extend"],
    )  # fmt: skip
    await hold_of(services, tenant, 30)
    assert [to for to, _ in await told(post, tenant)] == [f"counsel@{tenant}.example"]


async def test_where_the_customer_has_nobody_data_protection_is_told(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "viewer")
    hold = await hold_of(services, tenant, 30)
    ((to, text),) = await told(post, tenant)
    assert to == "data_protection@operator.example"
    assert f"{services.settings.base_url}/tenants/{tenant}/holds/{hold}" in text
    sql(services, "UPDATE accounts SET state = 'disabled' WHERE email = 'data_protection@operator.example'")
    try:
        end_in(services, hold, 7)
        assert [to for to, _ in await told(post, tenant)] == ["owner@operator.example"]
    finally:
        sql(services, "UPDATE accounts SET state = 'active' WHERE email = 'data_protection@operator.example'")


async def test_nobody_is_told_of_what_a_floor_holds_or_of_what_is_not_in_force(
    post: tuple[Services, MailServer],
) -> None:
    services, _ = post
    tenant = await customer(services, "owner")
    hold = await hold_of(services, tenant, 30)
    sql(services, "UPDATE legal_holds SET origin = 'floor' WHERE hold_id = %s", hold)
    await ask(services, tenant, wanted(services, subjects=["ada-the-subject"], days=20, kind=HoldKind.TAX))
    assert await told(post, tenant) == []


async def test_a_round_that_dies_tells_nobody_and_the_next_one_does(
    post: tuple[Services, MailServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _ = post
    tenant = await customer(services, "owner", "privacy_officer")
    await hold_of(services, tenant, 30)
    real, queued = services.mail.queue, 0

    async def dying(*of: Any, **named: Any) -> bool:
        nonlocal queued
        queued += 1
        if queued == 2:
            raise ConnectionResetError
        return await real(*of, **named)

    with monkeypatch.context() as patch:
        patch.setattr(services.mail, "queue", dying)
        with pytest.raises(ConnectionResetError):
            await services.retention.reminders.round()
    assert len(await told(post, tenant)) == 2


async def test_of_many_rounds_at_once_one_tells(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "owner")
    await hold_of(services, tenant, 30)
    await asyncio.gather(*(services.retention.reminders.round() for _ in range(8)))
    assert len(await told(post, tenant)) == 1


async def test_without_a_mail_server_nothing_counts_as_told(services: Services) -> None:
    tenant = await customer(services, "owner")
    hold = await hold_of(services, tenant, 5)
    await services.retention.reminders.round()
    assert sql(services, "SELECT reminded_days FROM legal_holds WHERE hold_id = %s", hold) == [(None,)]


async def test_nobody_of_the_staff_reminds_by_hand(post: tuple[Services, MailServer]) -> None:
    services, _ = post
    tenant = await customer(services, "owner")
    hold = await hold_of(services, tenant, 5)
    today = services.clock.now().date()
    async with services.database.operator() as tx:
        (ending,) = [one for one in await list_ending(tx, today, 30, 7) if one.hold_id == hold]
        with pytest.raises(Forbidden):
            await services.retention.reminders.remind(tx, ending, 7, by=staff_principal("owner"))


@pytest.mark.parametrize(
    "left, before, due",
    [
        (31, None, None), (30, None, 30), (30, 30, None), (8, None, 30), (8, 30, None), (7, 30, 7), (7, 7, None),
        (0, 30, 7), (0, None, 7), (-1, None, None),
    ],
)  # fmt: skip
def test_each_letter_has_its_day(left: int, before: int | None, due: int | None) -> None:
    day = timedelta(days=left)
    today = date(2026, 3, 1)
    assert reminder_due(Ending(TenantId(new_id()), new_id(), today + day, before), today) == due
