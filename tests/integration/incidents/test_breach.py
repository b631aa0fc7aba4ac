"""From a theft in the log to the last customer's notice: whom it concerns, by whom it is told, and when."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import psycopg
import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Error, Invalid, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired
from bailee.foundation.settings import IncidentSettings, Monitoring
from bailee.incidents.errors import NoticeIncomplete, SecondPersonNeeded
from bailee.incidents.model import Breach, Incident, Notice, Reach, Scope
from tests.hooks import hook_server
from tests.integration.rig import (
    SYSTEM,
    create_record,
    create_tenant,
    define,
    key_principal,
    open_settings,
    running,
    staff_principal,
    superuser,
    work,
)
from tests.postgres import Pair
from tests.smtp import mail_server

FACTS = "A laptop with an API key was stolen from a car."
TEXT = {
    "nature": "Somebody has read records.", "impact": "Spam, perhaps.", "mitigation_taken": "The key is revoked.",
    "mitigation_planned": "Keys will be bound to addresses.", "contact": "Ada Example, privacy@operator.example",
}  # fmt: skip
READER = Principal(
    ActorKind.MEMBER, str(new_id()), frozenset({"notices.read", "notices.open", "notices.list_subjects"})
)


def _member(tenant: TenantId) -> Principal:
    return msgspec.structs.replace(READER, tenant_id=tenant)


def _thief(tenant: TenantId, key: UUID, address: str = "198.51.100.9") -> Principal:
    permitted = frozenset({"records.read", "records.search", "subjects.view", "records.change", "files.open"})
    return Principal(ActorKind.KEY, str(key), permitted, tenant, address=address)


async def _open(services: Services, **changed: str) -> Incident:
    words = {"title": "A stolen key", "summary": "It was used.", "impact": "serious", "extent": "some"} | changed
    async with services.database.operator() as tx:
        return await services.incidents.incidents.open(tx, **words, by=staff_principal())  # type: ignore[arg-type]


async def _verify(services: Services, incident: UUID, *, at: datetime | None = None) -> Breach:
    async with services.database.operator() as tx:
        return await services.incidents.breaches.verify(tx, incident, facts=FACTS, at=at, by=staff_principal())


async def _steal(services: Services, tenant: TenantId, key: UUID, subjects: list[str]) -> None:
    """Reads a record of each of these people, and nothing else."""
    for subject in subjects:
        record = await create_record(services, tenant, {"age": 3}, subject)
        async with services.database.tenant(tenant) as tx:
            await services.vault.read(tx, "people", record.id, by=_thief(tenant, key))


def _scope(**of: object) -> Scope:
    now = datetime.now(UTC)
    return msgspec.convert({"since": now - timedelta(hours=1), "until": now + timedelta(hours=1), **of}, Scope)


async def _trace(services: Services, incident: UUID, **of: object) -> Reach:
    return await services.incidents.breaches.trace(incident, _scope(**of), by=staff_principal())


async def _latest(services: Services, incident: UUID) -> list[Notice]:
    async with services.database.operator_read() as tx:
        return await services.incidents.notices.latest(tx, incident)


async def _tell(services: Services, notice: Notice, *, late_reason: str = "") -> Notice:
    """Writes, approves and sends it, as two people."""
    place = (notice.incident_id, notice.tenant_id, notice.version)
    notices, writer, reader = services.incidents.notices, staff_principal(), staff_principal()
    async with services.database.operator() as tx:
        await notices.edit(tx, *place, text={**TEXT, "late_reason": late_reason}, by=writer)
        await notices.approve(tx, *place, by=reader)
        return await notices.send(tx, *place, by=writer)


# --- the blast radius ------------------------------------------------------------------------------------


async def test_the_log_says_whom_a_key_has_reached(services: Services) -> None:
    first, second, third = [(await create_tenant(services, name)).id for name in ("First", "Second", "Third")]
    for tenant in (first, second, third):
        await define(services, tenant)
    key, other = new_id(), new_id()
    await _steal(services, first, key, ["ada", "ada", "grace"])
    await _steal(services, second, key, ["linus"])
    await _steal(services, third, other, ["somebody else's theft"])
    incident = await _open(services)
    reach = await _trace(services, incident.id, keys=[key])
    found = {one.tenant_id: (one.subjects_certain, one.subjects_possible, one.sureness) for one in reach.tenants}
    assert found == {first: (2, 0, "certain"), second: (1, 0, "certain")}
    (people,) = next(one for one in reach.tenants if one.tenant_id == first).collections
    assert (people.collection, people.title, people.reads, people.changes, people.records) == (
        "people",
        "People",
        3,
        0,
        3,
    )
    assert {"identity", "contact"} <= set(people.categories)
    assert reach.events == 4


async def test_a_search_reaches_people_only_possibly(services: Services) -> None:
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    for number in range(5):
        await create_record(services, tenant, {"age": number}, f"person {number}")
    key = new_id()
    async with services.database.tenant(tenant) as tx:
        await services.vault.search(
            tx, "people", subject=None, where={}, after=None, limit=3, by=_thief(tenant, key)
        )  # fmt: skip
    (reached,) = (await _trace(services, (await _open(services)).id, keys=[key])).tenants
    assert (reached.subjects_certain, reached.subjects_possible, reached.sureness) == (0, 3, "possible")


async def test_an_address_a_session_and_a_change_are_traced(services: Services) -> None:
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    record = await create_record(services, tenant, {"age": 3}, "ada")
    session = new_id()
    person = Principal(
        ActorKind.MEMBER, str(new_id()), frozenset({"records.change"}), tenant, address="203.0.113.77",
        session_id=session,
    )  # fmt: skip
    async with services.database.tenant(tenant) as tx:
        await services.vault.patch(tx, "people", record.id, {"age": 4}, version=None, by=person)
    incident = await _open(services)
    for of in ({"addresses": ["203.0.113.77"]}, {"sessions": [session]}, {"accounts": [person.id]},
               {"accounts": [person.id], "addresses": ["203.0.113.77"]}):  # fmt: skip
        reach = await _trace(services, incident.id, **of)
        assert (reach.events, reach.tenants[0].collections[0].changes) == (1, 1), of
    assert (await _trace(services, incident.id, addresses=["203.0.113.78"])).tenants == []


async def test_what_was_deleted_since_counts_as_possible(services: Services) -> None:
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    key = new_id()
    await _steal(services, tenant, key, ["ada", "grace"])
    async with services.database.tenant(tenant) as tx:
        await services.vault.search(tx, "people", subject=None, where={}, after=None, limit=9, by=_thief(tenant, key))
        records, _ = await services.vault.search(
            tx, "people", subject="grace", where={}, after=None, limit=9, by=SYSTEM
        )
        for record in records:
            await services.vault.delete(tx, "people", record.id, version=None, by=SYSTEM)
    (reached,) = (await _trace(services, (await _open(services)).id, keys=[key])).tenants
    (people,) = reached.collections
    assert (reached.subjects_certain, people.sureness, reached.sureness) == (1, "possible", "possible")
    assert people.subjects_possible == 2 + 1  # who may have been listed, and whose record is gone


async def test_new_files_and_empty_lists_reach_nobody(services: Services) -> None:
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    key = new_id()
    async with services.database.tenant(tenant) as tx:
        await services.vault.search(tx, "people", subject=None, where={}, after=None, limit=9, by=_thief(tenant, key))
    assert (await _trace(services, (await _open(services)).id, keys=[key])).tenants == []


async def test_an_open_store_reaches_everything_in_it(own_services: Services) -> None:
    services = own_services
    tenant, empty = (await create_tenant(services)).id, (await create_tenant(services, "Empty")).id
    await define(services, tenant)
    for number in range(3):
        await create_record(services, tenant, {"age": number}, f"person {number}")
    (reached,) = (await _trace(services, (await _open(services)).id, store="vault")).tenants
    assert (reached.tenant_id, reached.subjects_certain, reached.subjects_possible) == (tenant, 0, 3)
    assert reached.tenant_id != empty


@pytest.mark.parametrize(
    "of",
    [
        {},
        {"addresses": ["somewhere"], },
        {"keys": [], "accounts": []},
        {"subprocessor": "Nobody"},
        {"keys": [str(UUID(int=1))], "until": "2001-01-01T00:00:00Z"},
        {"keys": [str(UUID(int=1))], "since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00"},
        {"keys": [str(UUID(int=n)) for n in range(201)]},
    ],
)  # fmt: skip
async def test_a_scope_that_says_nothing_is_refused(services: Services, of: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await _trace(services, (await _open(services)).id, **of)


async def test_the_tenant_sees_by_name_whom_it_concerns_and_nobody_else_does(services: Services) -> None:
    tenant, neighbour = (await create_tenant(services)).id, (await create_tenant(services, "Neighbour")).id
    await define(services, tenant)
    await create_record(services, tenant, {"age": 1}, "never touched")
    key = new_id()
    await _steal(services, tenant, key, ["ada", "grace", "linus"])
    incident = (await _open(services)).id
    await _trace(services, incident, keys=[key])
    await _verify(services, incident)
    (draft,) = await _latest(services, incident)
    notices = services.incidents.notices
    with pytest.raises(NotFound):
        async with services.database.tenant(tenant) as tx:
            await notices.open(tx, incident, by=_member(tenant))
    await _tell(services, draft)
    with pytest.raises(NotFound):
        async with services.database.tenant(neighbour) as tx:
            await notices.open(tx, incident, by=_member(neighbour))
    async with services.database.tenant(tenant) as tx:
        (sent,) = await notices.open(tx, incident, by=_member(tenant))
        page, following = await notices.list_subjects(
            tx, incident, sureness="certain", after=None, limit=2, by=_member(tenant)
        )
        rest, end = await notices.list_subjects(
            tx, incident, sureness="certain", after=following, limit=2, by=_member(tenant)
        )
    assert sent.tenant_id == tenant
    assert ({one.subject for one in page + rest}, end) == ({"ada", "grace", "linus"}, None)
    async with services.database.operator_read() as view:
        (reading,) = await notices.readings(view, incident, tenant)
    assert str(reading.account_id) == READER.id


# --- verification and the clock --------------------------------------------------------------------------


async def test_a_verification_says_who_when_and_why_and_starts_the_clock(services: Services) -> None:
    incident = (await _open(services)).id
    officer = staff_principal("security_officer")
    breaches = services.incidents.breaches
    with pytest.raises(StepUpRequired):
        async with services.database.operator() as tx:
            await breaches.verify(tx, incident, facts=FACTS, by=msgspec.structs.replace(officer, stepped_up=False))
    with pytest.raises(Forbidden):
        async with services.database.operator() as tx:
            await breaches.verify(tx, incident, facts=FACTS, by=staff_principal("support"))
    for facts, at in (
        ("", None),
        (FACTS, datetime.now(UTC) + timedelta(hours=1)),
        (FACTS, datetime(2020, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(Invalid):
            async with services.database.operator() as tx:
                await breaches.verify(tx, incident, facts=facts, at=at, by=officer)
    async with services.database.operator() as tx:
        breach = await breaches.verify(tx, incident, facts=FACTS, at=datetime.now(UTC) - timedelta(hours=2), by=officer)
    assert (breach.verified_by, breach.facts, breach.percent) == (officer.id, FACTS, 8)
    assert breach.due_at - breach.verified_at == timedelta(hours=24)
    with pytest.raises(Conflict):
        await _verify(services, incident)


async def test_one_person_alone_cannot_stop_the_clock_or_set_it_back(services: Services, draft: Notice) -> None:
    breaches, notices = services.incidents.breaches, services.incidents.notices
    place = (draft.incident_id, draft.tenant_id, 1)

    async def breach() -> Breach:
        async with services.database.operator_read() as tx:
            found = await breaches.find(tx, draft.incident_id)
        assert found is not None
        return found

    writer, other = staff_principal(), staff_principal()
    async with services.database.operator() as tx:
        await notices.edit(tx, *place, text=TEXT, by=writer)
    await _trace(services, draft.incident_id, keys=[new_id()])  # finds nothing
    assert (await breach()).told_at is None
    with pytest.raises(SecondPersonNeeded):
        async with services.database.operator() as tx:
            await notices.discard(tx, *place, reason="Nothing to see.", by=writer)
    stale = msgspec.structs.replace(other, stepped_up=False)
    with pytest.raises(StepUpRequired):
        async with services.database.operator() as tx:
            await notices.discard(tx, *place, reason="Nothing to see.", by=stale)
    async with services.database.operator() as tx:
        await notices.discard(tx, *place, reason="It was a test account of ours.", by=other)
    assert (await breach()).told_at is None  # nobody is concerned: that is said by dismissing it, by a second person
    before = await breach()
    async with services.database.operator() as tx:
        await breaches.dismiss(tx, draft.incident_id, reason="It was a test.", by=staff_principal())
    async with services.database.operator() as tx:
        again = await breaches.verify(tx, draft.incident_id, facts=FACTS, by=staff_principal())
    assert (again.verified_at, again.due_at) == (before.verified_at, before.due_at)


async def test_moments_that_cannot_be_kept_are_refused(services: Services) -> None:
    incidents, incident = services.incidents.incidents, (await _open(services)).id
    by = staff_principal()
    odd = [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime.now(),  # noqa: DTZ005  what is refused
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-1))),
    ]  # fmt: skip
    for moment in odd:
        for act in (
            lambda tx, at=moment: incidents.note(tx, incident, text="x", at=at, by=by),
            lambda tx, at=moment: incidents.add_task(tx, incident, title="x", due_at=at, by=by),
            lambda tx, at=moment: services.incidents.breaches.verify(tx, incident, facts="x", at=at, by=by),
        ):
            with pytest.raises(Invalid):
                async with services.database.operator() as tx:
                    await act(tx)
    async with services.database.operator_read() as view:
        assert [one.kind for one in await incidents.entries(view, incident)] == ["opened"]


async def test_a_breach_is_dismissed_by_somebody_else_before_anybody_is_told(services: Services) -> None:
    incident = (await _open(services)).id
    officer = staff_principal()
    breaches = services.incidents.breaches
    async with services.database.operator() as tx:
        await breaches.verify(tx, incident, facts=FACTS, by=officer)
    with pytest.raises(SecondPersonNeeded):
        async with services.database.operator() as tx:
            await breaches.dismiss(tx, incident, reason="It was a test.", by=officer)
    async with services.database.operator() as tx:
        assert (
            await breaches.dismiss(tx, incident, reason="It was a test.", by=staff_principal())
        ).breach == "dismissed"
        assert await breaches.find(tx, incident) is None
    await _verify(services, incident)
    tenant = await create_tenant(services)
    async with services.database.operator() as tx:
        draft = await services.incidents.notices.draft(tx, incident, tenant.id, by=staff_principal())
    await _tell(services, draft)
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await breaches.dismiss(tx, incident, reason="It was a test.", by=staff_principal())


async def test_the_clock_reminds_at_each_mark_once_and_escalates(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            with superuser(services.settings.database.main) as sql:
                owner, deputy, officer = [new_id() for _ in range(3)]
                for account, name, role in (
                    (owner, "owner", "security_officer"), (deputy, "deputy", "security_officer"),
                    (officer, "officer", "data_protection"),
                ):  # fmt: skip
                    sql.execute(
                        "INSERT INTO accounts (account_id, kind, email, name, state)"
                        " VALUES (%s, 'staff', %s, %s, 'active')",
                        (account, f"{name}@operator.example", name),
                    )
                    sql.execute(
                        "INSERT INTO role_grants (account_id, role, granted_by) VALUES (%s, %s, 'x')", (account, role)
                    )
                incident = (await _open(services, impact="limited", extent="one")).id
                async with services.database.operator() as tx:
                    await services.incidents.incidents.assign(
                        tx, incident, owner=owner, deputy=deputy, by=staff_principal()
                    )
                await _verify(services, incident)
                expected = [
                    (49, []), (51, ["owner"]), (60, []), (76, ["owner", "deputy"]),
                    (91, ["owner", "deputy", "officer"]), (99, []), (101, ["owner", "deputy", "officer"]), (150, []),
                ]  # fmt: skip
                for percent, people in expected:
                    sql.execute(
                        "UPDATE breaches SET verified_at = now() - interval '24 hours' * %s / 100.0"
                        " WHERE incident_id = %s",
                        (percent, incident),
                    )
                    server.messages.clear()
                    await services.incidents.breaches.keep_time()
                    await services.incidents.breaches.keep_time()
                    await work(services)
                    told = sorted(str(one["To"]).partition("@")[0] for one in server.messages)
                    assert told == sorted(people), percent
            async with services.database.operator_read() as view:
                lines = await services.incidents.incidents.entries(view, incident)
            assert [one.text.partition(" of")[0] for one in lines if one.kind == "clock"] == [
                "50 %",
                "75 %",
                "90 %",
                "100 %",
            ]


async def test_setting_the_clock_back_gives_nobody_more_time(services: Services) -> None:
    """The machine's wall clock is moved as the database sees it: readings that lie in the future."""
    incident = (await _open(services)).id
    await _verify(services, incident)
    with superuser(services.settings.database.main) as sql:
        sql.execute(
            "UPDATE breaches SET verified_at = verified_at + interval '5 hours', counted = interval '13 hours',"
            " ticked_at = ticked_at + interval '5 hours' WHERE incident_id = %s",
            (incident,),
        )
    async with services.database.operator_read() as tx:
        breach = await services.incidents.breaches.find(tx, incident)
    assert breach is not None
    assert timedelta(hours=13) <= breach.elapsed < timedelta(hours=13, minutes=1)


# --- notices ---------------------------------------------------------------------------------------------


@pytest.fixture
async def draft(services: Services) -> Notice:
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    key = new_id()
    await _steal(services, tenant, key, ["ada"])
    incident = (await _open(services)).id
    await _verify(services, incident)
    await _trace(services, incident, keys=[key])
    (made,) = await _latest(services, incident)
    return made


async def test_a_draft_begins_with_what_is_known(draft: Notice) -> None:
    assert FACTS in draft.nature
    assert "“People”" in draft.nature
    assert "1 people for certain" in draft.nature
    assert "identity" in draft.impact
    assert set(draft.missing) == {"mitigation_taken", "mitigation_planned", "contact"}


@pytest.mark.parametrize("part", sorted(TEXT))
async def test_a_notice_without_one_of_its_parts_goes_nowhere(services: Services, draft: Notice, part: str) -> None:
    notices = services.incidents.notices
    place = (draft.incident_id, draft.tenant_id, 1)
    async with services.database.operator() as tx:
        await notices.edit(tx, *place, text={**TEXT, part: " \n "}, by=staff_principal())
    for act in (notices.approve, notices.send):
        with pytest.raises(NoticeIncomplete) as caught:
            async with services.database.operator() as tx:
                await act(tx, *place, by=staff_principal())
        assert [one.path for one in caught.value.errors] == [part]
    with superuser(services.settings.database.main) as sql, pytest.raises(psycopg.errors.CheckViolation):
        sql.execute("UPDATE notices SET state = 'sent', approved_by = 'x' WHERE incident_id = %s", (draft.incident_id,))


async def test_who_writes_does_not_approve_and_a_change_asks_again(services: Services, draft: Notice) -> None:
    notices = services.incidents.notices
    place = (draft.incident_id, draft.tenant_id, 1)
    writer, reader = staff_principal(), staff_principal()
    async with services.database.operator() as tx:
        await notices.edit(tx, *place, text=TEXT, by=writer)
    for act, by in ((notices.approve, writer), (notices.send, writer), (notices.send, reader)):
        with pytest.raises(SecondPersonNeeded):
            async with services.database.operator() as tx:
                await act(tx, *place, by=by)
    async with services.database.operator() as tx:
        await notices.approve(tx, *place, by=reader)
        await notices.edit(tx, *place, text={"impact": "Nothing at all."}, by=reader)
    with pytest.raises(SecondPersonNeeded):
        async with services.database.operator() as tx:
            await notices.send(tx, *place, by=writer)
    with pytest.raises(SecondPersonNeeded):  # the reader has become a writer
        async with services.database.operator() as tx:
            await notices.approve(tx, *place, by=reader)
    with superuser(services.settings.database.main) as sql, pytest.raises(psycopg.errors.CheckViolation):
        sql.execute(
            "UPDATE notices SET state = 'approved', approved_by = %s WHERE incident_id = %s",
            (writer.id, draft.incident_id),
        )


async def test_many_customers_are_told_at_once_each_under_the_rules_for_one(services: Services) -> None:
    incident = (await _open(services)).id
    await _verify(services, incident)
    tenants = [(await create_tenant(services, f"Customer {number}")).id for number in range(4)]
    writer, reader = staff_principal(), staff_principal()
    notices, bulk = services.incidents.notices, services.incidents.bulk
    async with services.database.operator() as tx:
        for tenant in tenants:
            await notices.draft(tx, incident, tenant, by=writer)
    assert (await bulk.edit(incident, text=TEXT, by=writer)).done == 4
    async with services.database.operator() as tx:
        await notices.edit(tx, incident, tenants[0], 1, text={"contact": ""}, by=writer)
        await notices.edit(tx, incident, tenants[1], 1, text={"impact": "Other."}, by=reader)
    mine = await bulk.approve(incident, by=writer)
    assert (mine.done, len(mine.refused)) == (0, 4)
    approved = await bulk.approve(incident, by=reader)
    assert (approved.done, {one.tenant_id for one in approved.refused}) == (2, {tenants[0], tenants[1]})
    assert any("Say it: who answers questions" in one.reason for one in approved.refused)
    sent = await bulk.send(incident, by=writer)
    assert (sent.done, sent.refused) == (2, [])
    assert sorted(one.state for one in await _latest(services, incident)) == ["draft", "draft", "sent", "sent"]
    for act in (bulk.approve, bulk.send):
        with pytest.raises(NotFound):
            await act(new_id(), by=reader)
        with pytest.raises(StepUpRequired):
            await act(incident, by=msgspec.structs.replace(reader, stepped_up=False))
        with pytest.raises(Forbidden):
            await act(incident, by=staff_principal("auditor"))


async def test_a_late_notice_says_why(services: Services, draft: Notice) -> None:
    with superuser(services.settings.database.main) as sql:
        sql.execute(
            "UPDATE notices SET due_at = now() - interval '1 minute' WHERE incident_id = %s", (draft.incident_id,)
        )
    with pytest.raises(Invalid) as caught:
        await _tell(services, draft)
    assert [one.path for one in caught.value.errors] == ["late_reason"]
    sent = await _tell(services, draft, late_reason="The log had to be restored first.")
    assert sent.late
    assert sent.authority_by is not None
    assert sent.sent_at is not None
    assert sent.authority_by - sent.sent_at == timedelta(hours=72)


async def test_the_clock_stops_when_the_last_customer_is_told(services: Services, draft: Notice) -> None:
    breaches, notices = services.incidents.breaches, services.incidents.notices

    async def told() -> bool:
        async with services.database.operator_read() as tx:
            breach = await breaches.find(tx, draft.incident_id)
        return breach is not None and breach.told_at is not None

    other = await create_tenant(services, "Also concerned")
    async with services.database.operator() as tx:
        second = await notices.draft(tx, draft.incident_id, other.id, by=staff_principal())
    await _tell(services, draft)
    assert not await told()
    async with services.database.operator() as tx:
        await notices.discard(
            tx, draft.incident_id, second.tenant_id, 1, reason="Only their test data.", by=staff_principal()
        )
    assert await told()
    async with services.database.operator() as tx:
        second = await notices.draft(tx, draft.incident_id, other.id, by=staff_principal())
    assert not await told()
    await _tell(services, second)
    assert await told()


async def test_a_supplement_is_a_version_of_its_own(services: Services, draft: Notice) -> None:
    notices = services.incidents.notices
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await notices.draft(tx, draft.incident_id, draft.tenant_id, by=staff_principal())
    await _tell(services, draft)
    for act in (notices.edit, notices.discard):
        extra = {"text": TEXT} if act == notices.edit else {"reason": "None any more."}
        with pytest.raises(Conflict):
            async with services.database.operator() as tx:
                await act(tx, draft.incident_id, draft.tenant_id, 1, **extra, by=staff_principal())
    async with services.database.operator() as tx:
        second = await notices.draft(tx, draft.incident_id, draft.tenant_id, by=staff_principal())
    assert (second.version, second.nature, second.state) == (2, TEXT["nature"], "draft")
    async with services.database.tenant(draft.tenant_id) as tenant_tx:
        assert [
            one.version for one in await notices.open(tenant_tx, draft.incident_id, by=_member(draft.tenant_id))
        ] == [1]
    await _tell(services, second)
    async with services.database.tenant(draft.tenant_id) as tenant_tx:
        versions = await notices.open(tenant_tx, draft.incident_id, by=_member(draft.tenant_id))
        (listed,) = await notices.sent(tenant_tx)
    assert ([one.version for one in versions], listed.version) == ([1, 2], 2)


async def test_a_notice_goes_by_mail_and_its_arrival_is_on_record(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            tenant = await create_tenant(services)
            with superuser(services.settings.database.main) as sql:
                for name, role in (("privacy", "privacy_officer"), ("reader", "viewer"), ("boss", "owner")):
                    account = new_id()
                    email = f"{name}@customer.example"
                    sql.execute(
                        "INSERT INTO accounts (account_id, kind, email, name, state)"
                        " VALUES (%s, 'member', %s, %s, 'active')",
                        (account, email, name),
                    )
                    sql.execute(
                        "INSERT INTO memberships (tenant_id, account_id, email, name, role, state, source)"
                        " VALUES (%s, %s, %s, %s, %s, 'active', 'invitation')",
                        (tenant.id, account, email, name, role),
                    )
            incident = (await _open(services, impact="limited", extent="one")).id
            await _verify(services, incident)
            async with services.database.operator() as tx:
                draft = await services.incidents.notices.draft(tx, incident, tenant.id, by=staff_principal())
            await _tell(services, draft)

            async def states() -> list[str]:
                async with services.database.operator_read() as tx:
                    found = await services.incidents.notices.deliveries(tx, incident, tenant.id)
                return sorted(f"{one.channel} {one.recipient} {one.state}" for one in found)

            assert await states() == [
                "mail boss@customer.example waiting", "mail privacy@customer.example waiting", "portal  delivered",
            ]  # fmt: skip
            await work(services)
            assert await states() == [
                "mail boss@customer.example delivered", "mail privacy@customer.example delivered", "portal  delivered",
            ]  # fmt: skip
            (one, _) = server.messages
            text = one.get_content()
            assert all(part in text for part in TEXT.values())
            assert "72 hours" in text


async def test_a_notice_goes_to_the_webhooks_that_ask_for_it(pair: Pair) -> None:
    with hook_server() as server, open_settings(pair) as settings:
        monitoring = Monitoring(webhook_ca_file=str(server.ca_file), webhook_allow_private=True)
        async with running(msgspec.structs.replace(settings, monitoring=monitoring)) as services:
            tenant = (await create_tenant(services)).id
            async with services.database.tenant(tenant) as tx:
                for topics in (["notices"], ["alerts"]):
                    await services.monitoring.webhooks.add(tx, url=server.url, topics=topics, by=SYSTEM)
            incident = (await _open(services, impact="limited", extent="one")).id
            await _verify(services, incident)
            async with services.database.operator() as tx:
                draft = await services.incidents.notices.draft(tx, incident, tenant, by=staff_principal())
            await _tell(services, draft)
            await work(services)
            async with services.database.operator_read() as view:
                deliveries = await services.incidents.notices.deliveries(view, incident, tenant)
            assert {one.channel: one.state for one in deliveries} == {
                "portal": "delivered", "webhook": "delivered", "mail": "failed",
            }  # fmt: skip
            ((_, body),) = server.received
            told = msgspec.json.decode(body)
            assert told["type"] == "notices"
            assert {name: told["data"][name] for name in TEXT} == TEXT
            assert not {"edited_by", "approved_by", "sent_by"} & told["data"].keys()


async def test_an_incident_at_a_subprocessor_reaches_what_it_holds(pair: Pair) -> None:
    with open_settings(pair) as settings:
        held = IncidentSettings(subprocessors={"Example Hosting": ["vault"]})
        async with running(msgspec.structs.replace(settings, incidents=held)) as services:
            tenant = (await create_tenant(services)).id
            await define(services, tenant)
            await create_record(services, tenant, {"age": 1}, "ada")
            incident = await _open(services, subprocessor="Example Hosting", subprocessor_reference="INC-7")
            assert (incident.subprocessor, incident.subprocessor_reference) == ("Example Hosting", "INC-7")
            (reached,) = (await _trace(services, incident.id, subprocessor="Example Hosting")).tenants
            assert (reached.tenant_id, reached.subjects_possible, reached.sureness) == (tenant, 1, "possible")
            with pytest.raises(Invalid):
                await _trace(services, incident.id, subprocessor="Somebody Else")


# --- exercises -------------------------------------------------------------------------------------------


async def test_a_drill_goes_the_whole_path_and_nothing_leaves(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            result = await services.incidents.exercises.drill(by=staff_principal())
            assert result.faults == []
            assert result.passed
            assert result.tenants == 2
            await work(services)
            assert server.messages == []
            async with services.database.operator_read() as tx:
                assert [one.id for one in await services.incidents.exercises.page(tx)] == [result.id]
                assert [one.phase for one in await services.incidents.incidents.page(tx, state="exercise")] == [
                    "closed"
                ]


async def test_people_exercise_as_in_earnest(services: Services) -> None:
    exercises = services.incidents.exercises
    incident = await exercises.begin(by=staff_principal())
    early = await exercises.begin(by=staff_principal())
    customer = await create_tenant(services)
    key = next(word for word in incident.summary.split() if word.count("-") == 4)
    reach = await _trace(services, incident.id, keys=[key])
    assert len(reach.tenants) == 2
    await _verify(services, incident.id)
    with pytest.raises(Conflict):  # a real customer hears nothing of it
        async with services.database.operator() as tx:
            await services.incidents.notices.draft(tx, incident.id, customer.id, by=staff_principal())
    for notice in await _latest(services, incident.id):
        await _tell(services, notice)
    assert (await exercises.end(incident.id, by=staff_principal())).passed
    failed = await exercises.end(early.id, by=staff_principal())
    assert failed.faults == ["The breach was not verified."]
    with pytest.raises(Conflict):
        await exercises.end((await _open(services)).id, by=staff_principal())


async def test_only_whoever_may_begins_one(services: Services) -> None:
    for role in ("support", "infrastructure", "auditor"):
        with pytest.raises(Forbidden):
            await services.incidents.exercises.begin(by=staff_principal(role))
        with pytest.raises(Error):
            await services.incidents.exercises.drill(by=staff_principal(role))
    with pytest.raises(Forbidden):
        await services.incidents.breaches.trace(
            (await _open(services)).id, _scope(store="vault"), by=key_principal(TenantId(new_id()))
        )
