"""Rules of the data map, executed on real data; floors and ceilings."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bailee.assembly import Services
from bailee.foundation.errors import Error, Invalid, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import StepUpRequired
from bailee.retention.errors import LimitContradicted
from bailee.stores import store
from bailee.stores.durations import Duration
from bailee.stores.errors import KeptByLaw
from bailee.tenants.model import Tenant
from tests.integration.rig import SYSTEM, create_record, define, everything, staff_principal, superuser

BASIS = "§ 147 AO"


def map_with(retention: object) -> dict[str, Any]:
    return {
        "title": "Visits", "purpose": "Tests", "subject": "optional", "retention": retention,
        "fields": {
            "name": {"type": "string", "category": "identity", "searchable": True},
            "left": {"type": "date", "category": "contract"},
            "deal": {"type": "object", "category": "contract", "properties": {"ended": {"type": "datetime"}}},
        },
    }  # fmt: skip


def age(services: Services, tenant: TenantId, record: UUID, days: int, *, column: str = "created_at") -> None:
    with superuser(services.settings.database.main) as connection:
        connection.execute(
            f"UPDATE records SET {column} = now() - make_interval(days => %s)"  # noqa: S608  a column's name
            " WHERE tenant_id = %s AND record_id = %s",
            (days, tenant, record),
        )  # type: ignore[arg-type,unused-ignore]


async def names(services: Services, tenant: TenantId) -> set[Any]:
    return {one.data["name"] for one in await everything(services, tenant, "visits")}


async def test_what_is_older_than_its_rule_goes_with_its_tokens_and_the_rest_stays(
    services: Services, tenant: Tenant
) -> None:
    await define(services, tenant.id, "visits", map_with("P1Y"))
    old = await create_record(services, tenant.id, {"name": "old"}, "ada", "visits")
    await create_record(services, tenant.id, {"name": "new"}, "ada", "visits")
    age(services, tenant.id, old.id, 400)
    async with services.database.tenant_read(tenant.id) as tx:
        (seen,) = await services.retention.rules.preview(tx)
    assert (seen.rule, seen.records, seen.due, seen.due_soon) == ("P1Y after created", 2, 1, 1)
    done = await services.retention.rules.run(tenant.id, by=SYSTEM)
    assert done.collections == {"visits": 1}
    assert await names(services, tenant.id) == {"new"}
    with superuser(services.settings.database.main) as connection:
        left = connection.execute("SELECT count(*) FROM record_tokens WHERE tenant_id = %s", (tenant.id,)).fetchone()
    assert left == (1,)
    assert (await services.retention.rules.run(tenant.id, by=SYSTEM)).collections == {}


async def test_the_last_change_counts_where_the_rule_says_so(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with({"for": "P30D", "after": "changed"}))
    for name, changed in (("idle", 31), ("busy", 29)):
        made = await create_record(services, tenant.id, {"name": name}, None, "visits")
        age(services, tenant.id, made.id, 400)
        age(services, tenant.id, made.id, changed, column="updated_at")
    await services.retention.rules.execute(tenant.id, by=SYSTEM, by_field=False)
    assert await names(services, tenant.id) == {"busy"}


@pytest.mark.parametrize("path", ["left", "deal.ended"])
async def test_a_date_in_the_record_counts_and_without_it_the_record_stays(
    services: Services, tenant: Tenant, path: str
) -> None:
    await define(services, tenant.id, "visits", map_with({"for": "P1M", "after": path}))
    now = services.clock.now()

    def data(name: str, moment: datetime | None) -> dict[str, object]:
        if moment is None:
            return {"name": name}
        return {
            "name": name,
            **({"left": f"{moment:%Y-%m-%d}"} if path == "left" else {"deal": {"ended": moment.isoformat()}}),
        }

    for name, days in (("past", 60), ("recent", 5), ("ahead", -5)):
        await create_record(services, tenant.id, data(name, now - timedelta(days=days)), None, "visits")
    await create_record(services, tenant.id, data("open", None), None, "visits")
    await services.retention.rules.execute(tenant.id, by=SYSTEM, by_field=False)
    assert len(await names(services, tenant.id)) == 4  # the hourly round opens nothing
    async with services.database.tenant_read(tenant.id) as tx:
        (seen,) = await services.retention.rules.preview(tx)
    assert (seen.due, seen.due_soon, seen.complete) == (1, 2, True)
    await services.retention.rules.execute(tenant.id, by=SYSTEM)
    assert await names(services, tenant.id) == {"recent", "ahead", "open"}


async def test_until_instruction_nothing_goes_by_itself(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with({"until": "instruction"}))
    made = await create_record(services, tenant.id, {"name": "kept"}, None, "visits")
    age(services, tenant.id, made.id, 40_000)
    assert (await services.retention.rules.run(tenant.id, by=SYSTEM)).collections == {}


async def test_a_person_with_nothing_left_loses_their_key(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with("P1D"))
    gone = await create_record(services, tenant.id, {"name": "gone"}, "gone", "visits")
    await create_record(services, tenant.id, {"name": "stays"}, "stays", "visits")
    with superuser(services.settings.database.main) as connection:
        connection.execute(
            "UPDATE subjects SET created_at = now() - interval '2 days' WHERE tenant_id = %s", (tenant.id,)
        )
    age(services, tenant.id, gone.id, 3)
    done = await services.retention.rules.run(tenant.id, by=SYSTEM)
    assert done.keys == 1
    with superuser(services.settings.database.keyring) as keys:
        left = keys.execute(
            "SELECT count(*) FROM data_keys WHERE tenant_id = %s AND purpose = 'subject'", (tenant.id,)
        ).fetchone()
    assert left == (1,)
    await create_record(services, tenant.id, {"name": "again"}, "gone", "visits")  # under a new key
    assert await names(services, tenant.id) == {"stays", "again"}


async def test_a_round_that_is_killed_is_finished_by_the_next(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define(services, tenant.id, "visits", map_with("P1D"))
    for number in range(6):
        made = await create_record(services, tenant.id, {"name": str(number)}, f"p{number}", "visits")
        age(services, tenant.id, made.id, 3)
    monkeypatch.setattr("bailee.retention.rules.BATCH", 2)
    real, calls = store.delete_versions, 0

    async def dying(tx: Any, rows: Any) -> list[UUID]:
        nonlocal calls
        calls += 1
        deleted = await real(tx, rows)
        if calls == 2:
            raise ConnectionResetError
        return deleted

    monkeypatch.setattr("bailee.stores.store.delete_versions", dying)
    with pytest.raises(ConnectionResetError):
        await services.retention.rules.run(tenant.id, by=SYSTEM)
    assert len(await names(services, tenant.id)) == 4
    done = await services.retention.rules.run(tenant.id, by=SYSTEM)
    assert done.collections == {"visits": 4}
    assert await names(services, tenant.id) == set()


async def test_a_crash_after_a_subjects_key_died_is_tidied_up_by_the_next_round(
    services: Services, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define(services, tenant.id, "visits", map_with("P1D"))
    made = await create_record(services, tenant.id, {"name": "x"}, "x", "visits")
    age(services, tenant.id, made.id, 3)
    with superuser(services.settings.database.main) as connection:
        connection.execute(
            "UPDATE subjects SET created_at = now() - interval '2 days' WHERE tenant_id = %s", (tenant.id,)
        )

    async def dying(tx: Any, holders: Any) -> int:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr("bailee.stores.store.delete_subjects", dying)
        with pytest.raises(ConnectionResetError):
            await services.retention.rules.run(tenant.id, by=SYSTEM)
    await services.retention.rules.run(tenant.id, by=SYSTEM)
    await create_record(services, tenant.id, {"name": "back"}, "x", "visits")
    assert await names(services, tenant.id) == {"back"}


async def test_a_floor_refuses_shorter_maps_and_deleting_by_hand(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with("P10Y"))
    made = await create_record(services, tenant.id, {"name": "kept"}, None, "visits")
    async with services.database.tenant(tenant.id) as tx:
        await services.retention.limits.set_floor(tx, collection="*", at_least="P6Y", basis=BASIS, by=SYSTEM)
    with pytest.raises(Invalid) as refused:
        await define(services, tenant.id, "visits", map_with("P5Y"))
    assert "P6Y" in refused.value.errors[0].message
    assert BASIS in refused.value.errors[0].message
    await define(services, tenant.id, "visits", map_with({"until": "instruction"}))
    with pytest.raises(KeptByLaw) as kept:
        async with services.database.tenant(tenant.id) as tx:
            await services.vault.delete(tx, "visits", made.id, version=None, by=SYSTEM)
    assert kept.value.extra["basis"] == BASIS
    age(services, tenant.id, made.id, 6 * 366)
    async with services.database.tenant(tenant.id) as tx:
        await services.vault.delete(tx, "visits", made.id, version=None, by=SYSTEM)


async def test_a_ceiling_refuses_longer_maps_and_no_rule_at_all(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with("P1Y"))
    async with services.database.tenant(tenant.id) as tx:
        await services.retention.limits.set_ceiling(
            tx, collection="visits", at_most="P2Y", basis="Contract 7.3", by=staff_principal("data_protection")
        )
    for retention in ("P3Y", None, {"until": "instruction"}):
        with pytest.raises(Invalid):
            await define(services, tenant.id, "visits", map_with(retention))
    await define(services, tenant.id, "visits", map_with("P2Y"))


async def test_a_limit_that_contradicts_a_map_is_refused_with_its_name(services: Services, tenant: Tenant) -> None:
    await define(services, tenant.id, "visits", map_with("P1Y"))
    for limit in ("set_floor", "set_ceiling"):
        names_ = {"set_floor": "at_least", "set_ceiling": "at_most"}
        length = {"set_floor": "P2Y", "set_ceiling": "P1M"}[limit]
        with pytest.raises(LimitContradicted, match="visits"):
            async with services.database.tenant(tenant.id) as tx:
                await getattr(services.retention.limits, limit)(
                    tx, collection="visits", basis=BASIS, by=SYSTEM, **{names_[limit]: length}
                )


@pytest.mark.parametrize("basis", ["", "x" * 201, "line\nfeed", "\u202edrow", "nul\x00", "\x1b[31m"])
async def test_hostile_text_is_no_basis(services: Services, tenant: Tenant, basis: str) -> None:
    with pytest.raises(Invalid):
        async with services.database.tenant(tenant.id) as tx:
            await services.retention.limits.set_floor(tx, collection="*", at_least="P1Y", basis=basis, by=SYSTEM)


async def test_limits_need_a_second_factor_and_a_collection_that_exists(services: Services, tenant: Tenant) -> None:
    tired = staff_principal("data_protection")
    tired = type(tired)(tired.kind, tired.id, tired.permissions)
    with pytest.raises(StepUpRequired):
        async with services.database.tenant(tenant.id) as tx:
            await services.retention.limits.set_ceiling(tx, collection="*", at_most="P1Y", basis=BASIS, by=tired)
    with pytest.raises(NotFound):
        async with services.database.tenant(tenant.id) as tx:
            await services.retention.limits.set_floor(tx, collection="no", at_least="P1Y", basis=BASIS, by=SYSTEM)


async def test_postgresql_counts_as_we_do(databases: Any) -> None:
    with psycopg.connect(databases.main, options="-c timezone=UTC") as connection:
        for start in ("2024-01-31", "2023-01-31", "2024-02-29", "2023-12-31", "2024-08-30"):
            for months, days in ((1, 0), (12, 0), (6, 1), (0, 400), (13, 31)):
                row = connection.execute(
                    "SELECT %s::timestamptz + make_interval(months => %s, days => %s)", (start, months, days)
                ).fetchone()
                assert row is not None
                moment = datetime.fromisoformat(f"{start}T00:00:00+00:00")
                assert row[0] == Duration(months, days).after(moment)


async def test_one_customers_trouble_stops_nobody_elses_rules(
    services: Services, two_tenants: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    async def execute(tenant: TenantId, **_: Any) -> None:
        tried.append(tenant)
        raise Error("no luck")

    monkeypatch.setattr(services.retention.retention_jobs._rules, "execute", execute)
    await services.retention.retention_jobs.hourly()
    assert {one.id for one in two_tenants} <= set(tried)
