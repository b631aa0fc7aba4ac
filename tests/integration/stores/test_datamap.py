"""The data map: what it refuses, and how it changes under records that exist."""

from typing import Any

import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.stores.errors import CollectionChangeRefused
from bailee.stores.model import Collection
from bailee.tenants.model import Tenant
from tests.integration.rig import PEOPLE, SYSTEM, create_record, define, work

TEXT = {"type": "string", "category": "identity"}


def _map(fields: object = None, **changes: object) -> dict[str, Any]:
    return {"title": "T", "purpose": "P", "subject": "optional", "fields": fields or {"a": TEXT}} | changes


async def _define(services: Services, tenant: Tenant, raw: object, name: str = "things") -> Collection:
    async with services.database.tenant(tenant.id) as tx:
        collection, _ = await services.collections.define(tx, name, raw, by=SYSTEM)
        return collection


async def _found(services: Services, tenant: Tenant, **where: str) -> int:
    async with services.database.tenant(tenant.id) as tx:
        found, _ = await services.vault.search(tx, "things", subject=None, where=where, after=None, limit=10, by=SYSTEM)
    return len(found)


def _deep(levels: int) -> dict[str, Any]:
    field: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        field = {"type": "object", "properties": {"f": field}}
    return field | {"category": "other"}


@pytest.mark.parametrize(
    "raw, path",
    [
        ([], "collection"),
        (_map(title=" "), "title"),
        (_map(title="a\x00b"), "title"),
        (_map(purpose="x" * 501), "purpose"),
        (_map(retention="3 years"), "retention"),
        (_map(retention="P"), "retention"),
        (_map(retention="PT5M"), "retention"),
        (_map(subject="maybe"), "subject"),
        (_map(surprise=1), "collection"),
        (_map({"9a": TEXT}), "fields.9a"),
        (_map({"a.b": TEXT}), "fields.a.b"),
        (_map({"a": {"type": "string"}}), "fields.a.category"),
        (_map({"a": {"type": "string", "category": "With Space"}}), "fields.a.category"),
        (_map({"a": TEXT | {"type": "bytes"}}), "fields[...].type"),
        (_map({"a": TEXT | {"serchable": True}}), "fields[...]"),
        (_map({"a": TEXT | {"type": "integer", "format": "email"}}), "fields.a.format"),
        (_map({"a": TEXT | {"type": "object", "searchable": True}}), "fields.a.searchable"),
        (_map({"a": TEXT | {"properties": {"b": {"type": "string"}}}}), "fields.a.properties"),
        (_map({"a": TEXT | {"type": "array"}}), "fields.a.items"),
        (_map({"a": TEXT | {"items": {"type": "string"}}}), "fields.a.items"),
        (_map({"a": TEXT | {"enum": []}}), "fields.a.enum"),
        (_map({"a": TEXT | {"enum": ["a\x00b"]}}), "fields.a.enum"),
        (_map({"a": TEXT | {"title": "a\x00b"}}), "fields.a.title"),
        (_map({"a": _deep(9)}), "fields.a" + ".properties.f" * 8),
        (_map({f"f{i}": TEXT for i in range(501)}), "fields"),
    ],
)  # fmt: skip
async def test_faulty_definition_is_refused_naming_the_place(
    services: Services, tenant: Tenant, raw: object, path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await _define(services, tenant, raw)
    assert path in [error.path for error in refused.value.errors]


@pytest.mark.parametrize("levels", [50, 300, 2000])
async def test_definition_nested_to_exhaust_the_stack_is_refused(
    services: Services, tenant: Tenant, levels: int
) -> None:
    with pytest.raises(Invalid):
        await _define(services, tenant, _map({"a": _deep(levels)}))


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a" * 64, "ä", "a\n", "../a"])
async def test_collection_name_outside_the_alphabet_is_refused(services: Services, tenant: Tenant, name: str) -> None:
    with pytest.raises(Invalid):
        await _define(services, tenant, PEOPLE, name)


async def test_same_definition_again_changes_nothing(services: Services, tenant: Tenant) -> None:
    one = await _define(services, tenant, PEOPLE)
    two = await _define(services, tenant, PEOPLE)
    assert (one.version, two.version) == (1, 1)


@pytest.mark.parametrize(
    "changed, path",
    [
        (_map({"b": TEXT}), "fields.a"),
        (_map({"a": TEXT | {"type": "integer"}}), "fields.a.type"),
        (_map({"a": TEXT | {"required": True}}), "fields.a.required"),
        (_map({"a": TEXT | {"maxLength": 3}}), "fields.a.max_length"),
        (_map({"a": TEXT | {"minLength": 1}}), "fields.a.min_length"),
        (_map({"a": TEXT | {"enum": ["x"]}}), "fields.a.enum"),
        (_map({"a": TEXT | {"format": "email"}}), "fields.a.type"),
        (_map({"a": TEXT, "b": TEXT | {"required": True}}), "fields.b.required"),
        (_map(subject="required"), "subject"),
        (_map(subject="none"), "subject"),
    ],
)
async def test_change_that_would_strand_records_is_refused_naming_the_place(
    services: Services, tenant: Tenant, changed: object, path: str
) -> None:
    await _define(services, tenant, _map())
    await create_record(services, tenant.id, {"a": "value"}, collection="things")
    with pytest.raises(CollectionChangeRefused) as refused:
        await _define(services, tenant, changed)
    assert [error.path for error in refused.value.errors] == [path]


async def test_empty_collection_may_change_in_any_way(services: Services, tenant: Tenant) -> None:
    await _define(services, tenant, _map())
    assert (await _define(services, tenant, _map({"b": TEXT}, subject="none"))).version == 2


async def test_field_that_becomes_searchable_is_indexed_by_the_job(services: Services, tenant: Tenant) -> None:
    await _define(services, tenant, _map())
    for number in range(12):
        await create_record(services, tenant.id, {"a": f"Value {number % 3}"}, collection="things")
    with pytest.raises(Invalid):
        await _found(services, tenant, a="value 1")

    changed = await _define(services, tenant, _map({"a": TEXT | {"searchable": True}}))
    assert changed.building == ["a"]
    with pytest.raises(Conflict, match="being built"):
        await _found(services, tenant, a="value 1")
    await create_record(services, tenant.id, {"a": "value 1"}, collection="things")

    await work(services)

    assert await _found(services, tenant, a="VALUE  1") == 5
    async with services.database.tenant_read(tenant.id) as tx:
        assert (await services.collections.get(tx, "things")).building == []


async def test_field_that_stops_being_searchable_loses_its_tokens(services: Services, tenant: Tenant) -> None:
    await _define(services, tenant, _map({"a": TEXT | {"searchable": True}}))
    await create_record(services, tenant.id, {"a": "x"}, collection="things")
    await _define(services, tenant, _map())
    async with services.database.tenant_read(tenant.id) as tx:
        assert await tx.value("SELECT count(*) FROM record_tokens") == 0
    with pytest.raises(Invalid):
        await _found(services, tenant, a="x")


async def test_changed_normalisation_is_reindexed(services: Services, tenant: Tenant) -> None:
    await _define(services, tenant, _map({"a": TEXT | {"searchable": "exact"}}))
    await create_record(services, tenant.id, {"a": "Ada"}, collection="things")
    assert await _found(services, tenant, a="ada") == 0
    await _define(services, tenant, _map({"a": TEXT | {"searchable": "text"}}))
    await work(services)
    assert await _found(services, tenant, a="ada") == 1


async def test_collection_with_records_is_not_deleted_and_an_empty_one_is(services: Services, tenant: Tenant) -> None:
    await _define(services, tenant, _map())
    record = await create_record(services, tenant.id, {"a": "x"}, collection="things")
    with pytest.raises(Conflict, match="holds records"):
        async with services.database.tenant(tenant.id) as tx:
            await services.collections.delete(tx, "things", by=SYSTEM)
    async with services.database.tenant(tenant.id) as tx:
        await services.vault.delete(tx, "things", record.id, version=None, by=SYSTEM)
    async with services.database.tenant(tenant.id) as tx:
        await services.collections.delete(tx, "things", by=SYSTEM)
    async with services.database.tenant_read(tenant.id) as tx:
        with pytest.raises(NotFound):
            await services.collections.get(tx, "things")


async def test_collections_of_another_tenant_are_not_there(
    services: Services, two_tenants: tuple[Tenant, Tenant]
) -> None:
    mine, theirs = two_tenants
    await define(services, mine.id)
    async with services.database.tenant_read(theirs.id) as tx:
        assert await services.collections.page(tx) == []
        with pytest.raises(NotFound):
            await services.collections.get(tx, "people")
