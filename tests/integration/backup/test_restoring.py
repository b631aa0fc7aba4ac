"""Restores through the real command: to any moment, and never with what was erased, ended or revoked since."""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId
from bailee.ledger.fsck import verify_ledger
from bailee.ledger.tree import verify_consistency
from tests.functional.instance import free_port
from tests.integration.backup.house import House, elsewhere, now, open_house
from tests.integration.retention.test_holds import place
from tests.integration.rig import SYSTEM, create_record, create_tenant, define, everything, key_principal

pytestmark = pytest.mark.timeout(240)


async def _erase(house: House, tenant: TenantId, subject: str) -> None:
    services = house.services
    async with services.database.tenant(tenant) as tx:
        erasure = await services.subjects.begin_erasure(tx, subject, by=SYSTEM)
    async with services.database.tenant(tenant) as tx:
        await services.subjects.erase(tx, erasure, by=SYSTEM)


async def test_any_moment_is_restored_and_what_was_erased_since_is_not() -> None:
    async with open_house() as house:
        tenant = (await create_tenant(house.services)).id
        await define(house.services, tenant)
        await create_record(house.services, tenant, {"note": "kept"}, "kept")
        await create_record(house.services, tenant, {"note": "leaves"}, "leaves")
        await house.take()
        await create_record(house.services, tenant, {"note": "after the backup"}, "kept")
        await house.settle()
        await asyncio.sleep(0.1)
        moment = now()
        await asyncio.sleep(0.1)
        await create_record(house.services, tenant, {"note": "after the moment"}, "kept")
        await _erase(house, tenant, "leaves")
        await house.settle()
        with elsewhere() as copy:
            said = await house.restore(copy, moment)
            assert "Erased again: 1 people." in said.err
            async with house.opened(copy) as restored:
                notes = sorted(one.data["note"] for one in await everything(restored, tenant))
                assert notes == ["after the backup", "kept"]
                async with restored.database.tenant(tenant) as tx:
                    with pytest.raises(NotFound):
                        await restored.subjects.view(tx, "leaves", after=None, limit=10, by=SYSTEM)
                report = await verify_ledger(restored.database, restored.objects, restored.signer)
                assert report.faults == []


async def test_the_newest_state_comes_back_whole(house: House) -> None:
    tenant = (await create_tenant(house.services)).id
    await define(house.services, tenant)
    await house.take()
    for number in range(20):
        await create_record(house.services, tenant, {"note": str(number)}, f"person {number}")
    await house.settle()
    with elsewhere() as copy:
        await house.restore(copy)
        async with house.opened(copy) as restored:
            assert len(await everything(restored, tenant)) == 20
            async with restored.database.operator_read() as tx:
                (note,) = await restored.backup.replay.page(tx)
            assert (note.purpose.value, note.opened_with, note.replayed) == ("disaster_recovery", "recovery_key", True)


async def test_a_damaged_backup_is_passed_over_and_nothing_is_lost(own_house: House) -> None:
    tenant = (await create_tenant(own_house.services)).id
    await define(own_house.services, tenant)

    async def content() -> AsyncIterator[bytes]:
        yield os.urandom(300_000)

    await own_house.services.files.store(
        tenant, "lost.bin", content(), subject=None, content_type="text/plain", version=None, by=SYSTEM
    )
    await own_house.take()
    await create_record(own_house.services, tenant, {"note": "between the backups"})
    await own_house.settle()
    await own_house.take()  # what changed, on top of the first
    await own_house.take("main", "keyring", full=True)
    await create_record(own_house.services, tenant, {"note": "after them"})
    await own_house.settle()
    for server in ("main", "keyring"):
        newest = own_house.access.repository.list(f"backups/{server}")
        volume = own_house.repository / [one.name for one in newest if one.name.endswith("/00000000.zst.age")][-1]
        volume.write_bytes(volume.read_bytes()[:-1])
    largest = max(own_house.stored("/chunks/"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    with elsewhere() as copy:
        said = await own_house.restore(copy)
        assert "passed over" in said.out + said.err
        assert "damaged objects are left out (1)" in said.out + said.err
        async with own_house.opened(copy) as restored:
            assert {one.data["note"] for one in await everything(restored, tenant)} == {
                "between the backups", "after them",
            }  # fmt: skip


async def test_where_wal_is_damaged_the_newest_state_ends_and_a_moment_past_it_is_refused(own_house: House) -> None:
    tenant = (await create_tenant(own_house.services)).id
    await define(own_house.services, tenant)
    await own_house.take()
    async with own_house.storing_wal() as flush:
        await create_record(own_house.services, tenant, {"note": "before"})
        await flush()
        present = set(own_house.stored("/wal/main/"))
        await create_record(own_house.services, tenant, {"note": "after"})
        await flush()
        (damaged,) = set(own_house.stored("/wal/main/")) - present
        moment = now()
        await create_record(own_house.services, tenant, {"note": "later still"})
        await flush()
    await own_house.settle()
    again = [path for path in own_house.stored("/wal/main/") if ".00000000-" in path.name and path not in present]
    assert again  # the segment was sent once more, from its beginning
    damaged.write_bytes(b"pay")
    with elsewhere() as copy:
        await own_house.restore(copy, moment)  # what is damaged lies there a second time
        async with own_house.opened(copy) as restored:
            assert {one.data["note"] for one in await everything(restored, tenant)} == {"before", "after"}
    for path in again:
        path.write_bytes(b"pay")
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment, check=False)
        assert said.code == 1
        assert ".zst.age: That is not an age file" in said.err
    with elsewhere() as copy:
        said = await own_house.restore(copy)
        assert "the WAL of main is damaged after" in said.out + said.err
        async with own_house.opened(copy) as restored:
            assert [one.data["note"] for one in await everything(restored, tenant)] == ["before"]


async def _erased_since(house: House, *notes: str) -> tuple[TenantId, datetime]:
    """A tenant with these notes, and one of somebody who was erased after the moment."""
    tenant = (await create_tenant(house.services)).id
    await define(house.services, tenant)
    for note in notes:
        await create_record(house.services, tenant, {"note": note})
    await create_record(house.services, tenant, {"note": "leaves"}, "leaves")
    await house.take()
    await house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    await _erase(house, tenant, "leaves")
    await house.settle()
    return tenant, moment


async def test_what_somebody_adds_to_a_repository_stands_in_the_place_of_nothing(own_house: House) -> None:
    tenant, moment = await _erased_since(own_house, "kept")
    await own_house.services.backup.upkeep.fingerprint()
    await own_house.settle()
    genuine = own_house.stored("/wal/main/")[-1]
    _add_wal(genuine)
    await create_record(own_house.services, tenant, {"note": "after the thief"})
    await own_house.settle()  # what the thief says of the log does not tell where to go on
    async with own_house.storing_wal():
        drill = await own_house.command("backup", "drill", "--json", check=False)
    assert drill.json["state"] == "passed", drill.out
    report = await own_house.services.backup.upkeep.verify(await own_house.services.backup.upkeep.complete(), by=SYSTEM)
    assert any("age file" in fault for fault in report.faults)
    for at, notes in ((moment, {"kept"}), (None, {"kept", "after the thief"})):
        with elsewhere() as copy:
            await own_house.restore(copy, at)
            async with own_house.opened(copy) as restored:
                assert {one.data["note"] for one in await everything(restored, tenant)} == notes
    # The journal is another matter: what cannot be read may have been ours.
    (own_house.repository / "journal" / f"{'9' * 20}-{'9' * 20}.zst.age").write_bytes(b"pay")
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment, check=False)
        assert said.code == 1
        assert "--without-damaged-journal" in said.err
        assert not copy.exists()
        said = await own_house.restore(copy, moment, more=("--without-damaged-journal",))
        assert "Erased again: 1 people." in said.err
        async with own_house.opened(copy) as restored:
            assert [one.data["note"] for one in await everything(restored, tenant)] == ["kept"]


def _add_wal(genuine: Path) -> None:
    """Puts junk beside the newest log: as its segment, as parts of it, as segments to come, and as what cannot be."""
    segment = genuine.name.partition(".")[0]
    following = f"{segment[:16]}{int(segment[16:], 16) + 1:08X}"
    far = f"{segment[:16]}{200:08X}"
    for name in (
        segment, f"{segment}.0123456789abcdef", f"{segment}.00000000-01000000", f"{segment}.00000000-00ffffff",
        f"{segment}.00000000-ffffffff", f"{segment}.00000010-00000001", following, far,
    ):  # fmt: skip
        genuine.with_name(f"{name}.zst.age").write_bytes(b"pay")


async def test_without_the_journal_the_keyring_still_keeps_the_erased_away(own_house: House) -> None:
    tenant, moment = await _erased_since(own_house)
    shutil.rmtree(own_house.repository / "journal")  # a thief of evidence, or a store that lost it
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment)
        assert "Erased again: 1 people." in said.err
        async with own_house.opened(copy) as restored:
            assert await everything(restored, tenant) == []


async def test_a_backup_that_runs_while_somebody_is_erased_does_not_keep_them(own_house: House) -> None:
    tenant = (await create_tenant(own_house.services)).id
    await define(own_house.services, tenant)
    for number in range(300):
        await create_record(own_house.services, tenant, {"note": "x" * 2000}, f"person {number % 30}")
    taking = asyncio.create_task(own_house.take())
    for number in range(15):
        await _erase(own_house, tenant, f"person {number}")
    await taking
    await own_house.settle()
    with elsewhere() as copy:
        await own_house.restore(copy)
        async with own_house.opened(copy) as restored:
            people = {one.subject for one in await everything(restored, tenant)}
            assert people == {f"person {number}" for number in range(15, 30)}


async def test_a_copy_to_be_read_runs_no_worker(own_house: House) -> None:
    tenant = (await create_tenant(own_house.services)).id
    await define(own_house.services, tenant)
    await create_record(own_house.services, tenant, {"note": "kept by law"})
    await own_house.take()
    await own_house.settle()
    with elsewhere() as copy:
        await own_house.restore(copy, purpose="legal_retention")
        async with own_house.opened(copy) as restored:
            said = await own_house.command("worker", data=copy, check=False)
            assert said.code != 0
            assert "no worker runs in it" in said.err
            assert [one.data["note"] for one in await everything(restored, tenant)] == ["kept by law"]
        environment = {**own_house.environment(copy), "BAILEE_PORT": str(free_port())}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bailee.cli", "up", env=environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                while b"Bailee is ready" not in await process.stdout.readline():
                    pass
            commands = await asyncio.to_thread(_children, process.pid)
            assert any(b"serve" in one for one in commands)
            assert not any(b"worker" in one for one in commands)
        finally:
            process.terminate()
            await process.communicate()


def _children(pid: int) -> list[list[bytes]]:
    """The commands of a process's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children]


async def test_revoked_keys_and_ended_sessions_do_not_come_back(own_house: House) -> None:
    services = own_house.services
    tenant = (await create_tenant(services)).id
    async with services.database.tenant(tenant) as tx:
        key = await services.access.keys.issue(tx, name="old", permissions=["records:read"], expires_at=None, by=SYSTEM)
    await own_house.take()
    await own_house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    async with services.database.tenant(tenant) as tx:
        await services.access.keys.revoke(tx, key.id, by=SYSTEM)
    await own_house.settle()
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment)
        assert "Revoked again: 1." in said.err
        async with own_house.opened(copy) as restored, restored.database.tenant_read(tenant) as tx:
            assert (await restored.access.keys.get(tx, key.id)).revoked_at is not None


async def test_the_published_log_goes_on_and_does_not_fork(own_house: House) -> None:
    tenant = (await create_tenant(own_house.services)).id
    await define(own_house.services, tenant)
    await own_house.take()
    await own_house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    for number in range(300):  # past the end of a tile
        await create_record(own_house.services, tenant, {"note": str(number)})
    await own_house.settle()
    await own_house.take("objects")
    published = await own_house.services.ledger.published()
    with elsewhere() as copy:
        await own_house.restore(copy, moment)
        async with own_house.opened(copy) as restored:
            await create_tenant(restored)
            await restored.sequencer.step()
            later = await restored.ledger.published()
            assert later.checkpoint.size > published.checkpoint.size
            proof = await restored.ledger.prove_consistency(published.checkpoint.size, later)
            old, new = published.checkpoint, later.checkpoint
            verify_consistency(old.size, new.size, old.root, new.root, [base64.b64decode(one) for one in proof])
            assert (await verify_ledger(restored.database, restored.objects, restored.signer)).faults == []


async def test_files_of_the_moment_come_back_though_they_were_deleted_since(own_house: House) -> None:
    services = own_house.services
    tenant = (await create_tenant(services)).id

    async def content() -> AsyncIterator[bytes]:
        yield b"a letter" * 100_000

    await services.files.store(
        tenant, "letter.txt", content(), subject=None, content_type="text/plain", version=None, by=SYSTEM
    )
    await own_house.take()
    await own_house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    async with services.database.tenant(tenant) as tx:
        await services.files.delete(tx, "letter.txt", version=None, by=key_principal(tenant))
    await own_house.take("objects")
    await own_house.settle()
    with elsewhere() as copy:
        await own_house.restore(copy, moment)
        async with own_house.opened(copy) as restored:
            async with restored.database.tenant(tenant) as tx:
                file = await restored.files.open(tx, "letter.txt", version=None, by=SYSTEM)
            read = b"".join([block async for block in restored.files.content(file, 0, file.file.size)])
            assert read == b"a letter" * 100_000


async def test_a_customer_whose_contract_ended_since_does_not_come_back(own_house: House) -> None:
    services = own_house.services
    gone, stays = (await create_tenant(services, "Gone")).id, (await create_tenant(services, "Stays")).id
    for tenant in (gone, stays):
        await define(services, tenant)
        await create_record(services, tenant, {"note": "x"}, "somebody")
    await own_house.take()
    await own_house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    async with services.database.operator() as tx:
        await services.retention.terminations.request_for(
            tx, gone, contract_ended_on=moment.date(), grace_days=0, by=SYSTEM
        )
    await services.retention.deletion.delete(gone, by=SYSTEM)
    await own_house.settle()
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment)
        assert "Ended again: 1 customers." in said.err
        async with own_house.opened(copy) as restored:
            assert await restored.retention.deletion.count_left(gone) == {}
            assert len(await everything(restored, stays)) == 1
    shutil.rmtree(own_house.repository / "journal")  # the keyring alone tells it too
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment)
        assert "Ended again: 1 customers." in said.err
        async with own_house.opened(copy) as restored:
            assert await restored.retention.deletion.count_left(gone) == {}


async def test_a_hold_since_then_holds_in_the_copy_too(own_house: House) -> None:
    services = own_house.services
    tenant = (await create_tenant(services)).id
    await define(services, tenant)
    for subject in ("ada", "bob"):
        await create_record(services, tenant, {"note": subject}, subject)
    await own_house.take()
    await own_house.settle()
    moment = now()
    await asyncio.sleep(0.1)
    await place(services, tenant, subjects=["ada"])
    await own_house.settle()
    with elsewhere() as copy:
        said = await own_house.restore(copy, moment)
        assert "Held again: 1." in said.err
        async with own_house.opened(copy) as restored:
            assert [one.data["note"] for one in await everything(restored, tenant)] == ["bob"]
