"""From an event to an alert: once, for whom it concerns, whatever dies in between."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from bailee.assembly import Services
from bailee.events import Object
from bailee.events.catalogue import AuthorisationFailed, BreakGlassUsed, Details, SignInFailed, SubjectErasureBegun
from bailee.events.model import Outcome
from bailee.foundation.database import OperatorWriter
from bailee.foundation.errors import Conflict, Invalid, NotFound, Unavailable
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired, anonymous
from bailee.monitoring.alerts import MAX_LETTERS, Raised
from bailee.monitoring.detector import Detector
from bailee.monitoring.model import Alert
from bailee.monitoring.store import stream
from bailee.tenants.model import Tenant
from tests.integration.rig import create_tenant, key_principal, open_settings, running, staff_principal, superuser, work
from tests.postgres import Pair
from tests.smtp import mail_server

REASON = "A drill that everybody knows of."


async def _record(
    services: Services, details: Details, by: Principal, *, on: str | None = None, tenant: TenantId | None = None
) -> UUID:
    async with services.database.operator() as tx:
        thing = Object("account", on) if on else None
        return await services.events.record(tx, details, by=by, on=thing, tenant=tenant, outcome=Outcome.REFUSED)


async def _look(services: Services, detector: Detector | None = None) -> None:
    """Numbers what was committed, and looks at all of it."""
    while await services.sequencer.step():
        pass
    while await (detector or services.monitoring.detector).step():
        pass


async def _alerts(services: Services, tenant: TenantId | None = None, **chosen: str) -> list[Alert]:
    async with services.database.operator_read() as tx:
        return await services.monitoring.alerts.page(tx, tenant=tenant, **chosen)  # type: ignore[arg-type]


async def _guess(services: Services, account: str, count: int, address: str = "192.0.2.1") -> list[UUID]:
    return [
        await _record(services, SignInFailed("credentials"), anonymous(f"{address}{n}", new_id()), on=account)
        for n in range(count)
    ]


def _of(alerts: list[Alert], title: str) -> list[Alert]:
    return [one for one in alerts if one.title == title]


GUESSED = "Many wrong passwords for one account"


@pytest.fixture
async def tenants(services: Services) -> tuple[Tenant, Tenant]:
    return await create_tenant(services, "One"), await create_tenant(services, "Two")


# --- once ------------------------------------------------------------------------------------------------------


async def test_an_alert_is_told_once_and_counts_on(services: Services) -> None:
    account = str(new_id())
    ids = await _guess(services, account, 8)
    await _look(services)
    (alert,) = [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    assert (alert.title, alert.level, alert.matches, alert.metric) == (GUESSED, "medium", 1, 8)
    async with services.database.operator_read() as tx:
        assert set(await services.monitoring.alerts.events_of(tx, alert.id)) == set(ids)
    more = await _guess(services, account, 2, "198.51.100.")
    await _look(services)
    (after,) = [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    assert (after.id, after.matches, after.metric) == (alert.id, 3, 10)
    async with services.database.operator_read() as tx:
        assert set(await services.monitoring.alerts.events_of(tx, alert.id)) == {*ids, *more}


async def test_what_was_begun_before_a_restart_goes_on_after_it(services: Services) -> None:
    account = str(new_id())
    await _guess(services, account, 7)
    await _look(services)
    assert not [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    again = Detector(
        services.database,
        services.monitoring.alerts,
        services.monitoring.detector._rules,
        services.monitoring.detector._countries,
        services.clock,
    )
    await _guess(services, account, 1, "198.51.100.")
    await _look(services, again)
    (alert,) = [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    assert alert.metric == 8, "with the seven from before"
    services.monitoring.detector._engine = None


async def test_what_fails_half_way_is_looked_at_again_and_told_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = str(new_id())
    await _guess(services, account, 8)

    async def broken(_tx: OperatorWriter, _leaf: int) -> None:
        raise Unavailable("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(stream, "advance", broken)
        with pytest.raises(Unavailable):
            await _look(services)
    assert not [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    await _look(services)
    (alert,) = [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    assert (alert.matches, alert.metric) == (1, 8)


async def test_events_that_are_forgotten_hold_nothing_up(services: Services) -> None:
    ids = await _guess(services, str(new_id()), 3)
    while await services.sequencer.step():
        pass
    with superuser(services.settings.database.main) as connection:
        connection.execute("DELETE FROM events WHERE event_id = %s", (ids[1],))
    await _look(services)
    async with services.database.operator_read() as tx:
        assert await stream.find_next(tx) == await stream.count_leaves(tx)


# --- for whom it concerns -----------------------------------------------------------------------------------------


async def test_a_tenant_sees_its_own_alerts_and_nobody_elses(
    services: Services, tenants: tuple[Tenant, Tenant]
) -> None:
    one, two = tenants
    by = key_principal(one.id)
    for number in range(10):
        await _record(services, SubjectErasureBegun(), by, on=str(number), tenant=one.id)
    await _look(services)
    async with services.database.tenant_read(one.id) as tx:
        (alert,) = await services.monitoring.alerts.page(tx)
        assert len(await services.monitoring.alerts.events_of(tx, alert.id)) == 10
    async with services.database.tenant_read(two.id) as tx:
        assert await services.monitoring.alerts.page(tx) == []
        for attempt in (
            services.monitoring.alerts.get,
            services.monitoring.alerts.events_of,
            services.monitoring.alerts.notes,
        ):
            with pytest.raises(NotFound):
                await attempt(tx, alert.id)
    async with services.database.tenant(two.id) as writer:
        by = key_principal(two.id)
        with pytest.raises(NotFound):
            await services.monitoring.alerts.close(writer, alert.id, resolution="handled", by=by)
        with pytest.raises(NotFound):
            await services.monitoring.alerts.note(writer, alert.id, "mine", by=by)
    assert (await _alerts(services, one.id))[0].status == "open"


async def test_what_concerns_several_tenants_is_the_operators(services: Services) -> None:
    address, ids = "203.0.113.50", []
    for number in range(3):
        tenant = await create_tenant(services, f"Probed {number}")
        by = msgspec.structs.replace(key_principal(tenant.id), address=address)
        ids.append(await _record(services, AuthorisationFailed("GET /x", 403), by, tenant=tenant.id))
    await _look(services)
    (alert,) = _of(await _alerts(services), "One address is refused in several tenants")
    assert alert.tenant_id == OPERATOR
    async with services.database.operator_read() as tx:
        assert set(await services.monitoring.alerts.events_of(tx, alert.id)) == set(ids)


# --- handling ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def alert(services: Services) -> Alert:
    account = str(new_id())
    await _guess(services, account, 8)
    await _look(services)
    (found,) = [one for one in await _alerts(services) if one.grouped_by == {"object.id": account}]
    return found


async def test_an_alert_is_acknowledged_noted_and_closed_and_the_next_match_opens_another(
    services: Services, alert: Alert
) -> None:
    by, alerts = staff_principal(), services.monitoring.alerts
    async with services.database.operator() as tx:
        assert (await alerts.acknowledge(tx, alert.id, by=by)).status == "acknowledged"
        with pytest.raises(Conflict):
            await alerts.acknowledge(tx, alert.id, by=by)
        (note,) = await alerts.note(tx, alert.id, "Asked the person.\nIt was them.", by=by)
        assert note.author == by.id
        closed = await alerts.close(tx, alert.id, resolution="expected", by=by)
        assert (closed.status, closed.resolution) == ("closed", "expected")
        with pytest.raises(Conflict):
            await alerts.close(tx, alert.id, resolution="handled", by=by)
    await _guess(services, str(alert.grouped_by["object.id"]), 1, "198.51.100.")
    await _look(services)
    again = [one for one in await _alerts(services) if one.grouped_by == alert.grouped_by]
    assert [one.status for one in again] == ["open", "closed"]


@pytest.mark.parametrize("text", ["", "  ", "x" * 4001, "a\x1b[31m", "a\u202eb"])
async def test_a_note_is_printable_and_of_a_length(services: Services, alert: Alert, text: str) -> None:
    async with services.database.operator() as tx:
        with pytest.raises(Invalid):
            await services.monitoring.alerts.note(tx, alert.id, text, by=staff_principal())


async def test_a_resolution_is_one_of_three(services: Services, alert: Alert) -> None:
    async with services.database.operator() as tx:
        with pytest.raises(Invalid):
            await services.monitoring.alerts.close(tx, alert.id, resolution="ignored", by=staff_principal())


async def test_of_many_closings_at_once_one_counts(services: Services, alert: Alert) -> None:
    async def close() -> None:
        async with services.database.operator() as tx:
            await services.monitoring.alerts.close(tx, alert.id, resolution="handled", by=staff_principal())

    results = await asyncio.gather(*(close() for _ in range(10)), return_exceptions=True)
    assert sum(result is None for result in results) == 1


async def test_who_may_only_read_handles_nothing(services: Services, alert: Alert) -> None:
    by = staff_principal("auditor")
    async with services.database.operator() as tx:
        for attempt in (
            lambda: services.monitoring.alerts.acknowledge(tx, alert.id, by=by),
            lambda: services.monitoring.alerts.close(tx, alert.id, resolution="handled", by=by),
            lambda: services.monitoring.alerts.note(tx, alert.id, "x", by=by),
            lambda: services.monitoring.alerts.assign(tx, alert.id, None, by=by),
            lambda: services.monitoring.alerts.suppress(tx, alert.id, days=1, reason=REASON, everything=False, by=by),
        ):
            with pytest.raises(Forbidden):
                await attempt()


async def test_an_alert_is_given_to_somebody_who_could_see_it(services: Services, alert: Alert) -> None:
    async with services.database.operator() as tx:
        with pytest.raises(Invalid):
            await services.monitoring.alerts.assign(tx, alert.id, new_id(), by=staff_principal())
        assert (await services.monitoring.alerts.assign(tx, alert.id, None, by=staff_principal())).assignee is None


# --- being quiet ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", [False, True])
async def test_a_rule_is_quiet_for_a_while_and_what_it_would_have_told_is_counted(
    services: Services, alert: Alert, everything: bool
) -> None:
    by, account = staff_principal(), str(alert.grouped_by["object.id"])
    async with services.database.operator() as tx:
        quiet = await services.monitoring.alerts.suppress(
            tx, alert.id, days=7, reason=REASON, everything=everything, by=by
        )
        await services.monitoring.alerts.close(tx, alert.id, resolution="expected", by=by)
    await _guess(services, account, 2, "198.51.100.")
    other = str(new_id())
    await _guess(services, other, 8, "203.0.113.")
    await _look(services)
    open_ones = {one.grouped_by.get("object.id") for one in await _alerts(services, status="open")}
    assert account not in open_ones
    assert (other in open_ones) is not everything
    async with services.database.operator() as tx:
        assert (await services.monitoring.alerts.get_suppression(tx, quiet.id)).matches == (3 if everything else 2)
        await services.monitoring.alerts.end_suppression(tx, quiet.id, by=by)
        with pytest.raises(Conflict):
            await services.monitoring.alerts.end_suppression(tx, quiet.id, by=by)
    await _guess(services, account, 1, "192.0.2.2")
    await _look(services)
    assert account in {one.grouped_by.get("object.id") for one in await _alerts(services, status="open")}


async def test_being_quiet_takes_a_reason_an_end_and_a_fresh_factor(services: Services, alert: Alert) -> None:
    by = staff_principal()
    stale = msgspec.structs.replace(by, stepped_up=False)
    async with services.database.operator() as tx:
        for days, reason in ((0, REASON), (91, REASON), (7, ""), (7, "short")):
            with pytest.raises(Invalid):
                await services.monitoring.alerts.suppress(
                    tx, alert.id, days=days, reason=reason, everything=False, by=by
                )
        with pytest.raises(StepUpRequired):
            await services.monitoring.alerts.suppress(tx, alert.id, days=7, reason=REASON, everything=False, by=stale)


# --- being told -------------------------------------------------------------------------------------------------------


async def test_what_is_grave_is_mailed_to_those_in_charge(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            with superuser(settings.database.main) as connection:
                account = new_id()
                connection.execute(
                    "INSERT INTO accounts (account_id, kind, email, name, state)"
                    " VALUES (%s, 'staff', %s, 'O', 'active')",
                    (account, "officer@bailee.example"),
                )
                connection.execute("INSERT INTO role_grants VALUES (%s, 'security_officer', 'x')", (account,))
            by = Principal(ActorKind.ANONYMOUS, "", address="192.0.2.1")
            await _record(services, BreakGlassUsed(), by)
            await _look(services)
            await work(services)
            message = server.wait_for(to="officer@bailee.example", subject="Alert (critical)", seconds=5)
            (alert,) = _of(await _alerts(services), "The break-glass account was used")
            assert f"/alerts/{alert.id}" in message.get_content()


async def test_a_storm_of_alerts_is_no_storm_of_mail(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            with superuser(settings.database.main) as connection:
                account = new_id()
                connection.execute(
                    "INSERT INTO accounts (account_id, kind, email, name, state)"
                    " VALUES (%s, 'staff', %s, 'O', 'active')",
                    (account, "storm@bailee.example"),
                )
                connection.execute("INSERT INTO role_grants VALUES (%s, 'owner', 'x')", (account,))
            raised = Raised(new_id(), "A drill", "high", {}, "It is one.", 1_700_000_000.0, [], None)
            async with services.database.operator() as tx:
                many = [msgspec.structs.replace(raised, grouped_by={"n": n}) for n in range(MAX_LETTERS + 5)]
                await services.monitoring.alerts.take(tx, many)
                grave = msgspec.structs.replace(raised, level="critical", title="A grave drill")
                await services.monitoring.alerts.take(tx, [grave])
            await work(services)
            server.wait_for(to="storm@bailee.example", subject="A grave drill", seconds=5)
            letters = [one for one in server.messages if one["to"] == "storm@bailee.example"]
            drills = [one for one in letters if "A drill" in one["subject"]]
            assert len(drills) == MAX_LETTERS
            assert sum("Further ones are not mailed" in one.get_content() for one in drills) == 1


async def test_a_flood_of_matches_is_written_once(services: Services) -> None:
    account, other = str(new_id()), str(new_id())
    ids = await _guess(services, account, 300)
    await _guess(services, other, 9)
    await _look(services)
    found = {one.grouped_by.get("object.id"): one for one in await _alerts(services)}
    assert (found[account].matches, found[account].metric) == (293, 300)
    assert (found[other].matches, found[other].metric) == (2, 9)
    async with services.database.operator_read() as tx:
        assert set(ids[-100:]) <= set(await services.monitoring.alerts.events_of(tx, found[account].id))
