"""A server becomes one of the next major version: backups begin anew, and those from before stay of use.

| what                     | before the upgrade          | after it                                              |
| ------------------------ | --------------------------- | ----------------------------------------------------- |
| the cluster              | a system id, major 17       | another system id, major 18                           |
| the next backup          | rests on those before       | a full one, by itself; later ones rest on it alone    |
| the log in the store     | below the old system id     | below the new one                                     |
| a restore to a moment    | with programs of 17         | with programs of 18; the keyring's are always 18's    |
"""

import asyncio
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from bailee.assembly import open_services
from bailee.backup.manifest import Manifest
from bailee.backup.planning import candidates, plan_restore
from bailee.foundation.ids import TenantId
from tests.foreign import SUPERUSER, ForeignServer, foreign_servers, server_root
from tests.integration.backup.foreign_house import configured
from tests.integration.backup.house import House, elsewhere, housed, now
from tests.integration.backup.test_restoring import _erase
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything
from tests.postgres import data_directory

pytestmark = pytest.mark.timeout(240)


def _upgrade(server: ForeignServer, root: Path) -> None:
    """As an operator does it, with pg_upgrade; the server is stopped."""
    old_root, old_data, new_data = server.root, server.data, server.place / "data18"
    server.root = root
    server.initialise(new_data)
    server.run(
        "pg_upgrade", "--old-bindir", str(old_root / "bin"), "--new-bindir", str(root / "bin"),
        "--old-datadir", str(server.place / "etc"), "--new-datadir", str(new_data), "--username", SUPERUSER,
        "--socketdir", str(new_data), "--link", "--no-sync", directory=new_data,
    )  # fmt: skip
    shutil.rmtree(old_data)
    server.data = new_data
    server.configure()


async def test_after_an_upgrade_backups_begin_anew_and_the_older_ones_stay_of_use() -> None:
    with data_directory() as place, foreign_servers(place, 17) as servers:
        settings = configured(place / "instance", *servers)
        programs = (servers[0].root,)
        async with housed(settings, programs) as house:
            tenant = (await create_tenant(house.services)).id
            await define(house.services, tenant)
            await create_record(house.services, tenant, {"note": "before"}, "stays")
            await create_record(house.services, tenant, {"note": "leaves"}, "leaves")
            before = await house.take()
            await house.take("keyring", "main")
            await house.settle()
            await asyncio.sleep(0.1)
            moment = now()
            await asyncio.sleep(0.1)
            await create_record(house.services, tenant, {"note": "after the moment"}, "stays")
            await house.settle()
            kit = house.kit
        for server in servers:
            server.stop()
            _upgrade(server, server_root(18, place))
            server.start()
        async with open_services(settings) as services:
            house = House(settings, services, kit, programs)
            await create_record(services, tenant, {"note": "after the upgrade"}, "stays")
            (first,) = await house.take("main")
            (second,) = await house.take("main")
            await house.take("keyring", "objects")
            await _erase(house, tenant, "leaves")
            await house.settle()
            old = next(one.postgres for one in before if one.server == "main")
            assert first.postgres is not None
            assert old is not None
            assert (first.kind, first.parent, first.postgres.major) == ("full", None, 18)
            assert first.generation == before[1].generation  # all is due again, the most lasting first
            assert (second.kind, second.parent) == ("incremental", first.id)
            assert first.postgres.system_id != old.system_id
            assert sorted(path.name for path in (house.repository / "wal" / "main").iterdir()) == sorted(
                [old.system_id, first.postgres.system_id]
            )
            upkeep = services.backup.upkeep
            assert (await upkeep.verify(await upkeep.complete(), by=SYSTEM)).faults == []
            for chain in _chains(house):
                assert len({(one.postgres.system_id, one.postgres.major) for one in chain if one.postgres}) == 1
            plan = plan_restore(house.access, moment, with_settings=False)
            assert (plan.main.major, plan.keyring.major) == (17, 18)
            with elsewhere() as copy:
                refused = await House(settings, services, kit).restore(copy, moment, check=False)
                assert "is of PostgreSQL 17" in refused.err
                assert not copy.exists()
            assert await _restored(house, tenant, moment, erased=1) == ["before"]
            newest = ["after the moment", "after the upgrade", "before"]
            assert await _restored(house, tenant, None, erased=0) == newest


def _chains(house: House) -> list[list[Manifest]]:
    """What each backup of main would be restored from."""
    return [one.chain for one in candidates(house.access, "main")]


async def _restored(house: House, tenant: TenantId, moment: datetime | None, *, erased: int) -> list[str]:
    """What a restore by the command brings, and how many people had to be erased in it."""
    with elsewhere() as copy:
        assert f"Erased again: {erased} people." in (await house.restore(copy, moment)).err
        async with house.opened(copy) as restored:
            return sorted(one.data["note"] for one in await everything(restored, tenant))
