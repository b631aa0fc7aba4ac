"""The vault: records over their life, search over ciphertext, and what hostile content does to it."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Error, Invalid, NotFound, TooLarge
from bailee.foundation.http import decode_json
from bailee.foundation.ids import new_id
from bailee.stores.api.batch import BatchLine
from bailee.stores.errors import RecordExists, VersionMismatch
from bailee.stores.model import Record
from bailee.stores.vault import MAX_RECORD, NewRecord
from bailee.tenants.model import Tenant
from tests.integration.rig import PEOPLE, SYSTEM, create_record, define, everything, read_record


@pytest.fixture
async def people(services: Services, tenant: Tenant) -> Tenant:
    """A tenant with the collection `people`."""
    await define(services, tenant.id)
    return tenant


async def _search(services: Services, tenant: Tenant, *, limit: int = 100, after: UUID | None = None,
                  subject: str | None = None, **where: Any) -> list[Record]:  # fmt: skip
    async with services.database.tenant(tenant.id) as tx:
        found, _ = await services.vault.search(
            tx, "people", subject=subject, where={path.replace("__", "."): v for path, v in where.items()},
            after=after, limit=limit, by=SYSTEM,
        )  # fmt: skip
    return found


def _where(path: str, value: str) -> dict[str, Any]:
    return {path.replace(".", "__"): value}


async def _patch(services: Services, tenant: Tenant, record: Record, changes: dict[str, Any]) -> Record:
    async with services.database.tenant(tenant.id) as tx:
        return await services.vault.patch(tx, "people", record.id, changes, version=None, by=SYSTEM)


async def _create_many(services: Services, tenant: Tenant, records: list[NewRecord | Error]) -> list[UUID | Error]:
    async with services.database.tenant(tenant.id) as tx:
        return await services.vault.create_many(tx, "people", records, by=SYSTEM)


# --- a record's life ----------------------------------------------------------------------------


async def test_record_is_read_back_as_it_was_stored(services: Services, people: Tenant) -> None:
    data = {"name": {"first": "Ada", "last": "Løvelace"}, "age": 36, "phones": ["+44 1"], "note": "\x00🎈\r\n\t"}
    stored = await create_record(services, people.id, data, "person-1")
    assert (stored.version, stored.subject, stored.data) == (1, "person-1", data)
    assert await read_record(services, people.id, stored.id) == stored


async def test_replace_puts_everything_new_and_keeps_the_subject(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"note": "x", "age": 3}, "one")
    async with services.database.tenant(people.id) as tx:
        changed = await services.vault.replace(tx, "people", stored.id, {"age": 4}, version=1, by=SYSTEM)
    assert (changed.version, changed.data, changed.subject) == (2, {"age": 4}, "one")
    assert await read_record(services, people.id, stored.id) == changed


@pytest.mark.parametrize(
    "before, patch, after",
    [
        ({"age": 1}, {"age": 2}, {"age": 2}),
        ({"age": 1}, {"note": "x"}, {"age": 1, "note": "x"}),
        ({"age": 1, "note": "x"}, {"note": None}, {"age": 1}),
        ({"name": {"first": "A", "last": "B"}}, {"name": {"first": None}}, {"name": {"last": "B"}}),
        ({"phones": ["111"]}, {"phones": ["222", "333"]}, {"phones": ["222", "333"]}),
        ({}, {"extra": {"a": {"b": None}}}, {"extra": {"a": {}}}),
        ({"extra": {"a": [1]}}, {"extra": {"a": {"b": 1}}}, {"extra": {"a": {"b": 1}}}),
        ({"age": 1}, {}, {"age": 1}),
    ],
)
async def test_patch_follows_rfc_7396(
    services: Services, people: Tenant, before: dict[str, object], patch: dict[str, Any], after: dict[str, object]
) -> None:
    stored = await create_record(services, people.id, before)
    changed = await _patch(services, people, stored, patch)
    assert changed.data == after
    assert (await read_record(services, people.id, stored.id)).data == after


async def test_patch_that_breaks_the_map_changes_nothing(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"age": 1})
    with pytest.raises(Invalid):
        await _patch(services, people, stored, {"age": "old"})
    assert await read_record(services, people.id, stored.id) == stored


async def test_deleted_record_is_gone_from_reading_and_search(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"email": "a@example.com"})
    async with services.database.tenant(people.id) as tx:
        await services.vault.delete(tx, "people", stored.id, version=1, by=SYSTEM)
    with pytest.raises(NotFound):
        await read_record(services, people.id, stored.id)
    assert await _search(services, people, email="a@example.com") == []


async def test_change_with_an_outdated_version_is_refused(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"age": 1})
    changed = await _patch(services, people, stored, {"age": 2})
    async with services.database.tenant(people.id) as tx:
        with pytest.raises(VersionMismatch):
            await services.vault.replace(tx, "people", stored.id, {"age": 3}, version=1, by=SYSTEM)
        with pytest.raises(VersionMismatch):
            await services.vault.delete(tx, "people", stored.id, version=1, by=SYSTEM)
    assert await read_record(services, people.id, stored.id) == changed


async def test_of_twenty_writers_with_one_version_one_wins(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"age": 0}, "one")

    async def write(number: int) -> Record:
        async with services.database.tenant(people.id) as tx:
            return await services.vault.replace(tx, "people", stored.id, {"age": number}, version=1, by=SYSTEM)

    results = await asyncio.gather(*(write(number) for number in range(20)), return_exceptions=True)
    won = [result for result in results if isinstance(result, Record)]
    assert len(won) == 1
    assert sum(isinstance(result, VersionMismatch) for result in results) == 19
    assert await read_record(services, people.id, stored.id) == won[0]


async def test_twenty_patches_without_a_version_all_count(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"extra": {}}, "one")
    await asyncio.gather(*(_patch(services, people, stored, {"extra": {f"k{n}": n}}) for n in range(20)))
    after = await read_record(services, people.id, stored.id)
    assert after.version == 21
    assert after.data["extra"] == {f"k{n}": n for n in range(20)}


async def test_twenty_first_records_of_a_new_person_share_one_key(services: Services, people: Tenant) -> None:
    await asyncio.gather(*(create_record(services, people.id, {"age": n}, "new person") for n in range(20)))
    assert len(await _search(services, people, subject="new person")) == 20
    async with services.database.tenant_read(people.id) as tx:
        assert await tx.value("SELECT count(*) FROM subjects") == 1


async def test_record_of_another_collection_or_tenant_is_not_found(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    for tenant in two_tenants:
        await define(services, tenant.id)
    await define(services, mine.id, "others")
    stored = await create_record(services, mine.id, {"age": 1})
    for tenant, collection in ((mine, "others"), (theirs, "people"), (mine, "missing")):
        with pytest.raises(NotFound):
            await read_record(services, tenant.id, stored.id, collection)
        async with services.database.tenant(tenant.id) as tx:
            with pytest.raises(NotFound):
                await services.vault.delete(tx, collection, stored.id, version=None, by=SYSTEM)


async def test_id_that_another_tenant_uses_is_free(services: Services, two_tenants: tuple[Tenant, Tenant]) -> None:
    record_id = new_id()
    for tenant in two_tenants:
        await define(services, tenant.id)
        async with services.database.tenant(tenant.id) as tx:
            await services.vault.create(tx, "people", NewRecord({"age": 1}, None, record_id), by=SYSTEM)


# --- search -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stored, path, asked, found",
    [
        ({"name": {"last": "Müller"}}, "name.last", "mÜLLER", True),
        ({"name": {"last": "Müller"}}, "name.last", "mu\u0308ller", True),
        ({"name": {"last": "Müller"}}, "name.last", "Muller", False),
        ({"name": {"last": "Straße"}}, "name.last", "STRASSE", True),
        ({"name": {"last": "van  der\tBerg"}}, "name.last", " Van der Berg ", True),
        ({"name": {"last": "\uff46ull"}}, "name.last", "full", True),
        ({"name": {"last": "a"}}, "name.last", "", False),
        ({"email": "Ada@Example.COM"}, "email", "ada@example.com", True),
        ({"phones": ["+49 (30) 12-34"]}, "phones", "0049301234", True),
        ({"phones": ["111", "0222/333"]}, "phones", "0222 333", True),
        ({"phones": ["111"]}, "phones", "11", False),
        ({"born": "2000-02-29"}, "born", "2000-02-29", True),
        ({"member": True}, "member", "true", True),
        ({"member": False}, "member", "true", False),
        ({"email": "a@b.c"}, "email", "' OR 1=1 --", False),
        ({"email": "a@b.c"}, "email", "%", False),
        ({"email": "a@b.c"}, "email", "a@b.c\x00", False),
    ],
)
async def test_search_compares_normalised_values(
    services: Services, people: Tenant, stored: dict[str, object], path: str, asked: str, found: bool
) -> None:
    await create_record(services, people.id, stored)
    assert bool(await _search(services, people, **_where(path, asked))) is found


async def test_search_ands_its_conditions_and_the_subject(services: Services, people: Tenant) -> None:
    for subject, last, born in (("1", "A", "2000-01-01"), ("2", "A", "2001-01-01"), ("3", "B", "2000-01-01")):
        await create_record(services, people.id, {"name": {"last": last}, "born": born}, subject)
    assert len(await _search(services, people, name__last="a")) == 2
    assert [r.subject for r in await _search(services, people, name__last="a", born="2000-01-01")] == ["1"]
    assert await _search(services, people, name__last="a", subject="3") == []


async def test_changed_value_is_found_by_its_new_self_only(services: Services, people: Tenant) -> None:
    stored = await create_record(services, people.id, {"email": "old@example.com"})
    await _patch(services, people, stored, {"email": "new@example.com"})
    assert await _search(services, people, email="old@example.com") == []
    assert len(await _search(services, people, email="new@example.com")) == 1


async def test_pages_follow_the_order_of_making_without_gap_or_repeat(services: Services, people: Tenant) -> None:
    made = [(await create_record(services, people.id, {"age": number % 150})).id for number in range(25)]
    seen: list[UUID] = []
    while page := await _search(services, people, limit=7, after=seen[-1] if seen else None):
        seen += [record.id for record in page]
    assert seen == made


@pytest.mark.parametrize("path", ["age", "note", "name", "name.first", "nothing", "email'--", "", "name.last.x"])
async def test_search_on_a_field_without_index_is_refused(services: Services, people: Tenant, path: str) -> None:
    with pytest.raises(Invalid):
        await _search(services, people, **_where(path, "x"))


async def test_equal_values_leave_unrelated_tokens_in_fields_and_tenants(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    raw = PEOPLE | {"fields": {n: {"type": "string", "category": "c", "searchable": True} for n in ("one", "two")}}
    tokens: list[bytes] = []
    for tenant in two_tenants:
        await define(services, tenant.id, raw=raw)
        await create_record(services, tenant.id, {"one": "same", "two": "same"})
        async with services.database.tenant_read(tenant.id) as tx:
            tokens += await tx.values("SELECT token FROM record_tokens")
    assert len(set(tokens)) == 4


# --- hostile content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, path",
    [
        ({"nothing": 1}, "data.nothing"),
        ({"no such\x1b[31m": 1}, "data.?"),
        ({"tenant_id": "x"}, "data.tenant_id"),
        ({"age": "1"}, "data.age"),
        ({"age": True}, "data.age"),
        ({"age": 1.5}, "data.age"),
        ({"age": 151}, "data.age"),
        ({"age": -1}, "data.age"),
        ({"email": "not one"}, "data.email"),
        ({"born": "2001-02-29"}, "data.born"),
        ({"born": "20010228"}, "data.born"),
        ({"phones": "1"}, "data.phones"),
        ({"phones": ["12345", None]}, "data.phones.1"),
        ({"phones": ["12345", "call me"]}, "data.phones.1"),
        ({"name": {"middle": "x"}}, "data.name.middle"),
        ({"note": "\ud800"}, "data"),
        ({"extra": {"inner": "\udfff"}}, "data"),
        ({"extra": {"\ud800": 1}}, "data"),
    ],
)
async def test_value_that_does_not_fit_is_refused_naming_its_place(
    services: Services, people: Tenant, data: dict[str, object], path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await create_record(services, people.id, data)
    assert [error.path for error in refused.value.errors] == [path]


@pytest.mark.parametrize("subject", ["", " ", " a", "a ", "a\x00", "a\nb", "a\u202eb", "\ud800", "x" * 257])
async def test_subject_that_is_no_identifier_is_refused(services: Services, people: Tenant, subject: str) -> None:
    with pytest.raises(Invalid):
        await create_record(services, people.id, {"age": 1}, subject)
    assert await everything(services, people.id) == []


async def test_search_for_broken_unicode_is_refused(services: Services, people: Tenant) -> None:
    with pytest.raises(Invalid):
        await _search(services, people, email="\ud800")
    with pytest.raises(Invalid):
        await _search(services, people, subject="\ud800")


async def test_record_over_the_limit_is_refused_and_one_at_it_is_stored(services: Services, people: Tenant) -> None:
    room = MAX_RECORD - len(b'{"data":{"note":""},"subject":null}')
    stored = await create_record(services, people.id, {"note": "x" * room})
    assert len((await read_record(services, people.id, stored.id)).data["note"]) == room
    with pytest.raises(TooLarge):
        await create_record(services, people.id, {"note": "x" * (room + 1)})


async def test_more_searchable_values_than_allowed_are_refused(services: Services, people: Tenant) -> None:
    with pytest.raises(Invalid, match="500"):
        await create_record(services, people.id, {"phones": [f"{number:05}" for number in range(501)]})


@pytest.mark.parametrize("levels", [100, 900, 5000])
async def test_deeply_nested_content_is_stored_or_refused_and_breaks_nothing(
    services: Services, people: Tenant, levels: int
) -> None:
    """As a body is parsed, stored, patched and read again."""
    line = '{"data":{"extra":' + '{"a":' * levels + "1" + "}" * levels + "}}"
    try:
        data = decode_json(line.encode(), BatchLine).data
        stored = await create_record(services, people.id, data)
        await _patch(services, people, stored, data)
        opened = await read_record(services, people.id, stored.id)
    except Error as refused:
        assert refused.status in (400, 422)  # noqa: PT017  either answer is right
    else:
        assert json.dumps(opened.data, separators=(",", ":")) == line.removeprefix('{"data":').removesuffix("}")
    assert await everything(services, people.id) is not None


# --- batches ----------------------------------------------------------------------------------------


async def test_batch_stores_its_good_lines_and_names_the_bad_ones(services: Services, people: Tenant) -> None:
    taken = await create_record(services, people.id, {"age": 1})
    fresh, twice = new_id(), new_id()
    unparsed = Invalid("That line was not JSON.")
    results = await _create_many(
        services,
        people,
        [
            NewRecord({"age": 2}, "a"),
            NewRecord({"age": "x"}, "a"),
            unparsed,
            NewRecord({"age": 3}, "b", fresh),
            NewRecord({"age": 4}, None, taken.id),
            NewRecord({"age": 5}, None, twice),
            NewRecord({"age": 6}, None, twice),
            NewRecord({"age": 7}, "\x00"),
            NewRecord({"age": 8}),
        ],
    )
    kinds = [type(result) for result in results]
    assert kinds == [UUID, Invalid, Invalid, UUID, RecordExists, UUID, RecordExists, Invalid, UUID]
    assert results[2] is unparsed
    assert results[3] == fresh
    assert sorted(str(record.data["age"]) for record in await everything(services, people.id)) == list("12358")


async def test_batch_for_an_unknown_collection_is_not_found(services: Services, tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        await _create_many(services, tenant, [NewRecord({"a": 1})])


async def test_batches_about_the_same_people_in_opposite_order_do_not_deadlock(
    services: Services, people: Tenant
) -> None:
    async def write(names: list[str]) -> None:
        results = await _create_many(services, people, [NewRecord({"age": 1}, name) for name in names])
        assert all(isinstance(result, UUID) for result in results)

    names = [f"person {number}" for number in range(40)]
    await asyncio.gather(*(write(names if number % 2 else names[::-1]) for number in range(10)))
    assert len(await everything(services, people.id)) == 400


async def test_chosen_id_is_given_to_one_of_many_at_once(services: Services, people: Tenant) -> None:
    record_id = new_id()

    async def create(number: int) -> Record:
        async with services.database.tenant(people.id) as tx:
            return await services.vault.create(tx, "people", NewRecord({"age": number}, None, record_id), by=SYSTEM)

    results = await asyncio.gather(*(create(number) for number in range(20)), return_exceptions=True)
    assert sum(isinstance(result, Record) for result in results) == 1
    assert sum(isinstance(result, RecordExists) for result in results) == 19
