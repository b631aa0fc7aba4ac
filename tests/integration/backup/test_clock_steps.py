"""The machine's clock steps, forward by a day and back by an hour, between real backups of one instance."""

from datetime import UTC, datetime, timedelta

import pytest

from bailee.assembly import Services, open_services
from bailee.backup.manifest import list_backups
from bailee.backup.model import POSTGRES, SERVERS, Backup, Generation
from bailee.backup.schedule import expiry
from bailee.backup.store import catalogue
from bailee.foundation.clock import Clock
from tests.integration.backup.house import House, elsewhere
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything

pytestmark = pytest.mark.timeout(240)


class Machine:
    """Its clock: how far it is from the real one."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def _complete(house: House) -> list[Backup]:
    async with house.services.database.operator_read() as tx:
        return [one for server in SERVERS for one in await catalogue.list_complete(tx, server)]


async def _due(house: House, services: Services) -> list[Backup]:
    """What the schedule takes now of both servers; and what has had its time goes."""
    before = {one.id for one in await _complete(house)}
    await services.backup.upkeep.take_due()
    await services.backup.upkeep.expire()
    return [one for one in await _complete(house) if one.id not in before and one.server in POSTGRES]


def _generations(taken: list[Backup]) -> dict[str, str]:
    return {one.server: one.generation.value for one in taken}


async def test_no_backup_is_lost_or_deleted_early_when_the_clock_steps(
    own_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = own_house
    tenant = (await create_tenant(house.services)).id
    await define(house.services, tenant)
    hour, day = timedelta(hours=1), timedelta(days=1)
    noon = datetime.now(UTC).replace(hour=12, minute=5) - datetime.now(UTC)  # an hour later it is the same day
    machine = Machine(noon)
    monkeypatch.setattr(Clock, "_wall", lambda _clock: machine.wall())
    async with open_services(house.settings) as services:
        first = await _due(house, services)
        assert _generations(first) == {"keyring": "daily", "main": "monthly"}
        await create_record(services, tenant, {"note": "first"})
        assert await _due(house, services) == []
        machine.ahead = noon + day
        ahead = await _due(house, services)
        assert set(_generations(ahead)) == {"keyring", "main"}
        assert not {one.generation for one in ahead} & {Generation.HOURLY, Generation.RECENT}
        await create_record(services, tenant, {"note": "a day ahead"})
        machine.ahead = noon - hour  # this process goes on from where it was
        assert await _due(house, services) == []
    machine.ahead = noon
    async with open_services(house.settings) as services:  # a worker that is started in the right time again
        assert await _due(house, services) == []  # what was taken in this hour still counts
        await create_record(services, tenant, {"note": "back"})
        machine.ahead = noon + hour
        hourly = await _due(house, services)
        assert _generations(hourly) == {"keyring": "hourly", "main": "hourly"}
        assert {one.parent_id for one in hourly} == {one.id for one in first}  # nothing rests on a date to come
    machine.ahead = noon
    async with open_services(house.settings) as services:  # back by an hour once more
        assert await _due(house, services) == []
    everywhen = [*first, *ahead, *hourly]
    kept = {one.id: one for one in await _complete(house)}
    for one in everywhen:
        assert one.taken_at is not None
        rotation = house.services.backup.backups.rotation(one.server)
        assert kept[one.id].expires_at == expiry(rotation, one.generation, one.taken_at)
        assert one.id in list_backups(house.services.backup.backups.place.repository, one.server)
    await house.take("objects", "settings")
    await house.settle()
    upkeep = house.services.backup.upkeep
    assert (await upkeep.verify(await upkeep.complete(), by=SYSTEM)).faults == []
    with elsewhere() as copy:
        await house.restore(copy)
        async with house.opened(copy) as restored:
            notes = sorted(one.data["note"] for one in await everything(restored, tenant))
            assert notes == ["a day ahead", "back", "first"]
