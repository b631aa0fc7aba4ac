"""What somebody who can write to the main database can do to ciphertexts: destroy, never deceive."""

import pytest

from bailee.assembly import Services
from bailee.encryption.envelope import Place, seal, unseal
from bailee.encryption.errors import DecryptionFailed, KeyDestroyed
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import new_id
from bailee.stores.model import Record
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, create_record, define, read_record, superuser


def _ciphertext(services: Services, record: Record) -> bytes:
    with superuser(services.settings.database.main) as connection:
        row = connection.execute("SELECT ciphertext FROM records WHERE record_id = %s", (record.id,)).fetchone()
    assert row is not None
    assert isinstance(row[0], bytes)
    return row[0]


def _replace(services: Services, record: Record, ciphertext: bytes) -> None:
    with superuser(services.settings.database.main) as connection:
        connection.execute("UPDATE records SET ciphertext = %s WHERE record_id = %s", (ciphertext, record.id))


async def _two_records(services: Services, tenant: Tenant) -> tuple[Record, Record]:
    await define(services, tenant.id)
    return (
        await create_record(services, tenant.id, {"note": "mine"}, "one"),
        await create_record(services, tenant.id, {"note": "theirs"}, "one"),
    )


async def test_ciphertext_swapped_between_records_of_one_person_fails_closed(
    services: Services, tenant: Tenant
) -> None:
    one, two = await _two_records(services, tenant)
    _replace(services, one, _ciphertext(services, two))
    with pytest.raises(DecryptionFailed):
        await read_record(services, tenant.id, one.id)


async def test_ciphertext_moved_to_another_collection_fails_closed(services: Services, tenant: Tenant) -> None:
    one, _ = await _two_records(services, tenant)
    await define(services, tenant.id, "others")
    with superuser(services.settings.database.main) as connection:
        connection.execute("UPDATE records SET collection = 'others' WHERE record_id = %s", (one.id,))
    with pytest.raises(DecryptionFailed):
        await read_record(services, tenant.id, one.id, "others")


async def test_ciphertext_moved_to_another_tenant_opens_for_neither(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    for tenant in two_tenants:
        await define(services, tenant.id)
    record = await create_record(services, mine.id, {"note": "mine"})
    with superuser(services.settings.database.main) as connection:
        connection.execute("UPDATE records SET tenant_id = %s WHERE record_id = %s", (theirs.id, record.id))
    # The key is the other tenant's, so it is not there at all: the same as erased.
    with pytest.raises(NotFound):
        await read_record(services, theirs.id, record.id)
    with pytest.raises(NotFound):
        await read_record(services, mine.id, record.id)


async def test_data_key_moved_with_its_ciphertext_to_another_tenant_fails_closed(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    for tenant in two_tenants:
        await define(services, tenant.id)
    record = await create_record(services, mine.id, {"note": "mine"}, "one")
    with superuser(services.settings.database.main) as connection:
        connection.execute(
            "UPDATE records SET tenant_id = %s, holder = NULL WHERE record_id = %s", (theirs.id, record.id)
        )
    with superuser(services.settings.database.keyring) as connection:
        connection.execute(
            "UPDATE data_keys SET tenant_id = %s WHERE tenant_id = %s AND purpose = 'subject'", (theirs.id, mine.id)
        )
    with pytest.raises(DecryptionFailed):
        await read_record(services, theirs.id, record.id)


async def test_older_version_put_back_fails_closed(services: Services, tenant: Tenant) -> None:
    record, _ = await _two_records(services, tenant)
    old = _ciphertext(services, record)
    async with services.database.tenant(tenant.id) as tx:
        await services.vault.replace(tx, "people", record.id, {"note": "newer"}, version=1, by=SYSTEM)
    _replace(services, record, old)
    with pytest.raises(DecryptionFailed):
        await read_record(services, tenant.id, record.id)


@pytest.mark.parametrize("position", [0, 1, 16, 17, 28, 29, -17, -1])
async def test_altered_byte_anywhere_fails_closed(services: Services, tenant: Tenant, position: int) -> None:
    record, _ = await _two_records(services, tenant)
    altered = bytearray(_ciphertext(services, record))
    altered[position] ^= 1
    _replace(services, record, bytes(altered))
    # With another key id in it, it names a key that does not exist, like that of an erased person.
    with pytest.raises((DecryptionFailed, NotFound)):
        await read_record(services, tenant.id, record.id)


@pytest.mark.parametrize("length", [0, 1, 28, 29, 30, 44])
async def test_truncated_ciphertext_fails_closed(services: Services, tenant: Tenant, length: int) -> None:
    record, _ = await _two_records(services, tenant)
    _replace(services, record, _ciphertext(services, record)[:length])
    with pytest.raises(DecryptionFailed):
        await read_record(services, tenant.id, record.id)


async def test_unknown_format_byte_is_refused(services: Services, tenant: Tenant) -> None:
    record, _ = await _two_records(services, tenant)
    _replace(services, record, b"\x02" + _ciphertext(services, record)[1:])
    with pytest.raises(DecryptionFailed, match="unknown format"):
        await read_record(services, tenant.id, record.id)


async def test_value_sealed_for_one_field_does_not_open_as_another(services: Services, tenant: Tenant) -> None:
    key = await services.keyring.general_key(tenant.id)
    record = new_id()
    sealed = seal(key, b"x", Place(tenant.id, "totp", record, 1))
    for place in (
        Place(tenant.id, "tot", record, 1),
        Place(tenant.id, "totp ", record, 1),
        Place(tenant.id, "totp", new_id(), 1),
        Place(tenant.id, "totp", record, 2),
    ):
        with pytest.raises(DecryptionFailed):
            unseal(key, sealed, place)


async def test_destroyed_key_opens_nothing_more(services: Services, tenant: Tenant) -> None:
    record, other = await _two_records(services, tenant)
    with superuser(services.settings.database.main) as connection:
        row = connection.execute("SELECT key_id FROM subjects WHERE tenant_id = %s", (tenant.id,)).fetchone()
    assert row is not None
    key_id = row[0]
    assert await services.keyring.destroy(tenant.id, [key_id]) == 1  # type: ignore[list-item]  # a UUID
    with pytest.raises(KeyDestroyed):
        await services.keyring.open_key(tenant.id, key_id)  # type: ignore[arg-type]  # the same
    for gone in (record, other):
        with pytest.raises(NotFound):
            await read_record(services, tenant.id, gone.id)


async def test_nothing_of_a_record_lies_in_the_main_database_in_clear(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id)
    await create_record(
        services, tenant.id, {"note": "MARKERnote", "email": "MARKER@example.com", "name": {"last": "MARKERlast"}},
        "MARKERsubject",
    )  # fmt: skip
    with superuser(services.settings.database.main) as connection:
        tables = connection.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                                    "WHERE schemaname IN ('bailee', 'jobs')").fetchall()  # fmt: skip
        for (table,) in tables:
            text = connection.execute(
                f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%marker%' "  # noqa: S608
                "OR t::text ILIKE '%4d41524b4552%'"
            ).fetchone()
            assert text == (0,), table
