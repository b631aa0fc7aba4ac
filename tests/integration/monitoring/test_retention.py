"""Events are forgotten when their time is up; the ledger verifies as before, and nothing else is lost."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from bailee.assembly import Services
from bailee.events.catalogue import AccountEnabled, Details, RecordRead, SignedIn, catalogue, retention_classes
from bailee.foundation.errors import NotFound
from bailee.foundation.principal import anonymous
from bailee.foundation.settings import EventRetention
from bailee.ledger.fsck import verify_ledger
from bailee.monitoring.jobs import Forgetting
from tests.integration.rig import create_tenant, superuser

DAYS = {RecordRead: 30, SignedIn: 60}


async def _record(services: Services, details: Details, *, age: int) -> UUID:
    """An event that is so many days old."""
    tenant = await create_tenant(services)
    async with services.database.operator() as tx:
        event = await services.events.record(tx, details, by=anonymous(), tenant=tenant.id)
    with superuser(services.settings.database.main) as sql:
        sql.execute("UPDATE events SET occurred_at = now() - %s * interval '1 day' WHERE event_id = %s", (age, event))
    return event


async def _number(services: Services) -> None:
    while await services.sequencer.step():
        pass
    while await services.monitoring.detector.step():
        pass


async def _there(services: Services, event: UUID) -> bool:
    async with services.database.operator_read() as tx:
        return bool(await services.events.listed(tx, [event]))


def _forgetting(services: Services) -> Forgetting:
    retention = EventRetention(content_access=30, authentication=60, operation=30, administration=0)
    return Forgetting(services.database, services.events, retention, services.clock)


def test_every_event_has_one_class() -> None:
    classes = retention_classes()
    assert sorted(one for actions in classes.values() for one in actions) == sorted(catalogue())
    assert set(classes) == {one.name for one in msgspec.structs.fields(EventRetention)}


async def test_what_is_too_old_goes_and_the_ledger_still_verifies(own_services: Services) -> None:
    services = own_services
    ages = {
        await _record(services, RecordRead("people"), age=31): False,
        await _record(services, RecordRead("people"), age=29): True,
        await _record(services, SignedIn(["password"]), age=31): True,
        await _record(services, SignedIn(["password"]), age=61): False,
        await _record(services, AccountEnabled(), age=4000): True,
    }
    await _number(services)
    await _forgetting(services).run()
    assert {event: await _there(services, event) for event in ages} == ages
    await _number(services)
    report = await verify_ledger(services.database, services.objects, services.signer)
    assert report.faults == []
    with superuser(services.settings.database.main) as sql:
        rows = sql.execute(
            "SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT FROM ledger_leaves l WHERE l.entry_id = e.event_id)"
        )
        assert rows.fetchone() == (0,)
    gone = next(event for event, stays in ages.items() if not stays)
    async with services.database.operator_read() as tx:
        with pytest.raises(NotFound):
            await services.events.prove(tx, [gone])
        forgotten = await services.events.page(tx, action="events.forgotten", before=None, limit=10)
    counted = {(one.details["kind"], one.details["count"]) for one in forgotten}
    assert counted == {("content_access", 1), ("authentication", 1)}


async def test_silence_is_noted_once(own_services: Services) -> None:
    listening = own_services.monitoring.listening
    await _record(own_services, AccountEnabled(), age=0)
    await listening.run()

    async def noted() -> int:
        async with own_services.database.operator_read() as tx:
            return len(await own_services.events.page(tx, action="log.silent", before=None, limit=10))

    assert await noted() == 0
    with superuser(own_services.settings.database.main) as sql:
        sql.execute("UPDATE events SET occurred_at = now() - interval '25 minutes'")
    await listening.run()
    await listening.run()
    assert await noted() == 1


async def test_what_nobody_has_looked_at_stays(own_services: Services) -> None:
    event = await _record(own_services, RecordRead("people"), age=int(timedelta(days=99).days))
    await _forgetting(own_services).run()
    assert await _there(own_services, event)
