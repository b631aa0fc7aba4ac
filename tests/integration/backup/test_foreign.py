"""Servers that are not Bailee's, of every major version that is supported: backed up, restored and rehearsed."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from bailee.backup.errors import BackupFailed
from bailee.backup.manifest import list_backups
from bailee.backup.model import Backup
from bailee.backup.servers import identify, verify_fit
from bailee.backup.store import catalogue
from bailee.backup.tools import Source
from bailee.cli.processes import run_migrations
from bailee.foundation.cluster import embedded_conninfo
from bailee.foundation.settings import load_settings
from tests.foreign import BACKUP, PASSWORD, SUPERUSER, server_root
from tests.functional.instance import free_port
from tests.integration.backup.foreign_house import Abroad, open_abroad
from tests.integration.backup.house import House, elsewhere, now
from tests.integration.backup.test_restoring import _erase
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything

pytestmark = pytest.mark.timeout(240)

_ENCODED = quote(PASSWORD, safe="")


@pytest.fixture(scope="module")
async def abroad() -> AsyncIterator[Abroad]:
    """One for the refusals, of a version that Bailee does not bring itself."""
    async with open_abroad(17) as opened:
        yield opened


@pytest.mark.parametrize("major", [16, 17, 18])
async def test_a_foreign_server_is_backed_up_restored_and_rehearsed(major: int) -> None:
    async with open_abroad(major) as abroad:
        house = abroad.house
        tenant = (await create_tenant(house.services)).id
        await define(house.services, tenant)
        await create_record(house.services, tenant, {"note": "kept"}, "kept")
        await create_record(house.services, tenant, {"note": "leaves"}, "leaves")
        first = {one.server: one for one in await house.take()}
        part = first["main"].postgres
        assert part is not None
        assert (first["main"].kind, part.major, part.foreign) == ("full", major, True)
        assert part.system_id == abroad.main.value("SELECT system_identifier::text FROM pg_control_system()")
        await create_record(house.services, tenant, {"note": "after the backup"}, "kept")
        with processes_named("pg_basebackup") as seen:
            taken = (await house.command("backup", "take", "--json")).json["backups"]
        kinds = {one["server"]: one["kind"] for one in taken}
        assert kinds["main"] == kinds["keyring"] == ("full" if major == 16 else "incremental")
        assert seen
        assert not [line for line in seen if PASSWORD in line or _ENCODED in line or "pa ss" in line]
        await create_record(house.services, tenant, {"note": "after the second"}, "kept")
        await house.settle()
        await asyncio.sleep(0.1)
        moment = now()
        await asyncio.sleep(0.1)
        await create_record(house.services, tenant, {"note": "after the moment"}, "kept")
        await _erase(house, tenant, "leaves")
        async with house.storing_wal() as flush:
            await house.settle_log()
            await flush()
            drilled = await house.command("backup", "drill", "--json", check=False)
            assert drilled.code == 0, drilled.out + drilled.err
            assert drilled.json["state"] == "passed"
            assert drilled.json["rows"] > 50
        upkeep = house.services.backup.upkeep
        assert (await upkeep.verify(await upkeep.complete(), by=SYSTEM)).faults == []
        with elsewhere() as copy:
            said = await house.restore(copy, moment)
            assert "Erased again: 1 people." in said.err
            async with house.opened(copy) as restored:
                notes = sorted(one.data["note"] for one in await everything(restored, tenant))
                assert notes == ["after the backup", "after the second", "kept"]
                await asyncio.to_thread(_verify_settled, copy)
                again = await restored.backup.backups.take("main", by=SYSTEM, asked=True, full=True)
                assert again is not None
                assert again.postgres is not None
                assert (again.postgres.major, again.postgres.foreign) == (major, False)
        assert PASSWORD not in house.logs()
        assert _ENCODED not in house.logs()


def _verify_settled(copy: Path) -> None:
    """The copy is an embedded cluster: nothing of the other server's setting up is in force, its tables are ours."""
    settings = load_settings({"BAILEE_DATA": str(copy)})
    assert settings.database.main == "embedded"
    assert (settings.backup.main_url, settings.backup.keyring_url) == ("", "")
    assert SUPERUSER not in (copy / "bailee.toml").read_text()
    assert "main_url" in (copy / "bailee.toml.before-restore").read_text()
    assert run_migrations(settings) == []
    for server in ("main", "keyring"):
        with psycopg.connect(embedded_conninfo(copy / server, "postgres")) as connection:
            rows = connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN ('archive_mode', 'ssl', 'work_mem',"
                " 'shared_preload_libraries', 'listen_addresses')"
            ).fetchall()
            assert dict(rows) == {
                "archive_mode": "off", "ssl": "off", "shared_preload_libraries": "", "listen_addresses": "",
                "work_mem": "4096",
            }  # fmt: skip
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('bailee', 'jobs')"
            ).fetchall()
            assert owners == [("bailee_owner",)]
            assert connection.execute("SELECT rolname FROM pg_roles WHERE oid = 10").fetchall() == [(SUPERUSER,)]


async def _failed(house: House, server: str) -> Backup:
    async with house.services.database.operator_read() as tx:
        return (await catalogue.list_backups(tx, server=server, limit=1))[0]


async def _refused(abroad: Abroad, what: str, **change: str) -> None:
    """A backup that fails like this: told, on record, and with nothing stored that counts."""
    house = abroad.house
    repository = house.services.backup.backups.place.repository
    before = list_backups(repository, "main")
    said = await house.command("backup", "take", "main", "--full", check=False, change=change)
    assert said.code == 1
    assert what in " ".join(said.err.split())
    assert list_backups(repository, "main") == before
    newest = await _failed(house, "main")
    assert newest.state == "failed"
    assert what in newest.fault
    for secret in (PASSWORD, _ENCODED, "wrong secret"):
        assert secret not in said.err + said.out + newest.fault + house.logs()


async def test_a_wrong_password_is_told_and_not_repeated(abroad: Abroad) -> None:
    wrong = abroad.main.url(BACKUP, password="wrong secret")
    await _refused(abroad, "password authentication failed", BAILEE_BACKUP__MAIN_URL=wrong)


async def test_a_server_that_is_away_is_told(abroad: Abroad) -> None:
    away = abroad.main.url(BACKUP).replace(f":{abroad.main.port}/", f":{free_port()}/")
    await _refused(abroad, "Connection refused", BAILEE_BACKUP__MAIN_URL=away)


async def test_a_login_that_may_not_replicate_is_told(abroad: Abroad) -> None:
    abroad.main.sql(f"ALTER ROLE {BACKUP} NOREPLICATION")
    try:
        await _refused(abroad, "may not replicate")
    finally:
        abroad.main.sql(f"ALTER ROLE {BACKUP} REPLICATION")


@pytest.mark.parametrize(
    "take, give",
    [
        ("REVOKE pg_maintain FROM bailee_backup", "GRANT pg_maintain TO bailee_backup"),
        ("REVOKE pg_read_all_data FROM bailee_backup", "GRANT pg_read_all_data TO bailee_backup"),
        ("ALTER ROLE bailee_backup NOBYPASSRLS", "ALTER ROLE bailee_backup BYPASSRLS"),
        (
            "REVOKE EXECUTE ON FUNCTION pg_create_restore_point(text) FROM bailee_backup",
            "GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO bailee_backup",
        ),
    ],
)
async def test_a_right_that_drills_need_is_told_when_it_is_missing(abroad: Abroad, take: str, give: str) -> None:
    abroad.main.sql(take, database="bailee")
    try:
        with pytest.raises(BackupFailed, match=r"permission denied|row-level security") as told:
            await abroad.house.services.backup.upkeep.fingerprint()
        assert _ENCODED not in told.value.detail
    finally:
        abroad.main.sql(give, database="bailee")


async def test_a_server_of_a_version_without_programs_is_told_with_what_to_set(abroad: Abroad) -> None:
    other = server_root(16, abroad.main.place.parent)
    for named in (str(other), ":"):
        await _refused(abroad, "This takes the programs of PostgreSQL 17", BAILEE_DATABASE__POSTGRES=named)
    await _refused(abroad, "is no PostgreSQL installation", BAILEE_DATABASE__POSTGRES="/usr/share")


async def test_a_tablespace_elsewhere_is_refused(abroad: Abroad) -> None:
    place = abroad.main.place / "elsewhere"
    abroad.main.make_directory(place)
    abroad.main.sql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    try:
        await _refused(abroad, "in the tablespace elsewhere")
    finally:
        abroad.main.sql("DROP TABLESPACE elsewhere")


async def test_the_other_servers_url_is_refused(abroad: Abroad) -> None:
    await _refused(abroad, "is not that of main", BAILEE_BACKUP__MAIN_URL=abroad.keyring.url(BACKUP))


async def test_one_server_for_both_is_refused(abroad: Abroad) -> None:
    source = abroad.house.services.backup.backups.place.sources["main"]
    twin = Source("keyring", source.conninfo, source.database, foreign=True)
    with pytest.raises(BackupFailed, match="databases of one server"):
        verify_fit(source, identify(source), [twin])


async def test_without_summaries_of_the_log_backups_are_full_ones_also_across_a_gap(abroad: Abroad) -> None:
    await abroad.house.take("main")
    abroad.main.sql("ALTER SYSTEM SET summarize_wal = off", "SELECT pg_reload_conf()")
    try:
        await asyncio.sleep(0.5)
        (manifest,) = await abroad.house.take("main")
        assert (manifest.kind, manifest.parent) == ("full", None)
        for _ in range(4):  # what was not summed up is thrown away
            abroad.main.sql("SELECT pg_switch_wal()", "CREATE TABLE scratch ()", "DROP TABLE scratch", "CHECKPOINT")
    finally:
        abroad.main.sql("ALTER SYSTEM RESET summarize_wal", "SELECT pg_reload_conf()")
    await asyncio.sleep(0.5)
    kinds = [(await abroad.house.take("main"))[0].kind for _ in range(2)]
    assert kinds == ["full", "incremental"]


async def test_a_restore_without_the_programs_writes_nothing(abroad: Abroad) -> None:
    house = abroad.house
    await house.take()
    await house.settle()
    bare = House(house.settings, house.services, house.kit)
    with elsewhere() as copy:
        said = await bare.restore(copy, check=False)
        assert said.code == 1
        assert "is of PostgreSQL 17" in said.err
        assert "--postgres" in said.err
        assert not copy.exists()


async def test_a_password_that_breaks_the_url_is_not_repeated(abroad: Abroad) -> None:
    mistyped = abroad.main.url(BACKUP).replace(_ENCODED, "100%secret")
    change = {"BAILEE_BACKUP__MAIN_URL": mistyped}
    said = await abroad.house.command("backup", "take", "main", check=False, change=change)
    assert said.code == 1
    assert "backup.main_url is no PostgreSQL URL" in said.err
    assert "secret" not in said.err + said.out


@contextmanager
def processes_named(name: str) -> Iterator[list[str]]:
    """The command lines of programs of this name that ran while the block did, as everybody can list them."""
    seen: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if name in line.split(" ", 1)[0] and line not in seen:
                    seen.append(line)
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
