"""The checks of section 11: each turns red when what it proves is broken."""

from typing import Any

import pytest

from bailee.assembly import Services
from bailee.assurance import Finding, Verdict
from bailee.backup.rotation import HeldBackup, Holding
from bailee.foundation.database import OperatorReader
from bailee.foundation.ids import TenantId, new_id
from bailee.retention import checks
from bailee.retention.model import Purpose
from bailee.retention.rotation import BackupDates
from bailee.tenants.model import Tenant
from tests.integration.retention.test_holds import look, place, sql
from tests.integration.retention.test_rules import age, map_with
from tests.integration.retention.test_terminations import delete, ended
from tests.integration.rig import create_record, create_tenant, define, staff_principal


@pytest.fixture
async def alone(own_services: Services) -> tuple[Services, TenantId]:
    """An instance of the test's own, with one tenant that stores something."""
    tenant: Tenant = await create_tenant(own_services)
    await define(own_services, tenant.id)
    await create_record(own_services, tenant.id, {"note": "a"}, "ada")
    return own_services, tenant.id


async def _gone(services: Services) -> Finding:
    return await checks.terminated_are_gone(services.database, services.retention.deletion, services.clock)


async def _lawful(services: Services) -> Finding:
    return await checks.holds_lawful(services.database, services.retention.rules, services.clock)


class Rotation:
    """Backups as a test has them."""

    taken = True
    late: list[HeldBackup] = []  # noqa: RUF012  one test, one instance

    async def holding(self, tx: OperatorReader, *, since: Any, until: Any) -> Holding:  # noqa: ARG002  the protocol's
        return Holding([], None, None)

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:  # noqa: ARG002  the protocol's
        return self.late


async def test_a_row_an_object_or_a_key_of_a_terminated_tenant_breaks_11_1(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    await ended(services, tenant)
    assert (await _gone(services)).verdict is Verdict.HOLDS
    sql(services, "UPDATE terminations SET delete_from = now() - interval '2 days'")
    assert (await _gone(services)).verdict is Verdict.BROKEN
    await delete(services, tenant)
    assert (await _gone(services)).verdict is Verdict.HOLDS
    sql(services, "INSERT INTO retention_runs (tenant_id, collection, ran_at) VALUES (%s, 'x', now())", tenant)
    assert (await _gone(services)).verdict is Verdict.BROKEN
    sql(services, "DELETE FROM retention_runs WHERE tenant_id = %s", tenant)
    await services.objects.put(f"files/{tenant}/{new_id()}", b"left")
    assert (await _gone(services)).verdict is Verdict.BROKEN
    await services.objects.delete_all(f"files/{tenant}")
    await services.keyring.create_tenant(tenant)
    assert (await _gone(services)).verdict is Verdict.BROKEN


async def test_a_tenant_terminated_past_its_termination_breaks_11_1(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    sql(services, "UPDATE tenants SET state = 'terminated' WHERE tenant_id = %s", tenant)
    assert (await _gone(services)).verdict is Verdict.BROKEN


async def test_a_backup_or_a_certificate_past_its_date_breaks_11_2(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    rotation = Rotation()

    async def verdict(of: Any = rotation) -> Verdict:
        return (await checks.rotation_on_time(services.database, of, services.settings, services.clock)).verdict

    assert await verdict() is Verdict.HOLDS
    none = BackupDates(services.backup.rotation, taken=False)
    assert await verdict(none) is Verdict.ATTENTION
    await ended(services, tenant)
    await delete(services, tenant)
    assert await verdict() is Verdict.HOLDS
    sql(services, "UPDATE deletion_certificates SET issued_at = now() - interval '3 days'")
    assert await verdict() is Verdict.BROKEN
    await services.retention.deletion.certify()
    assert await verdict() is Verdict.HOLDS
    rotation.late = [HeldBackup(new_id(), "main", "full", services.clock.now(), services.clock.now())]
    assert await verdict() is Verdict.BROKEN


async def test_a_hold_past_its_end_breaks_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    await place(services, tenant, subjects=["ada"])
    assert (await _lawful(services)).verdict is Verdict.HOLDS
    sql(services, "UPDATE legal_holds SET ends_on = current_date - 5")
    assert (await _lawful(services)).verdict is Verdict.BROKEN


async def test_an_archive_opened_for_another_purpose_breaks_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    hold = await place(services, tenant, subjects=["ada"])
    await look(services, tenant, hold, Purpose.LEGAL_CLAIM)
    assert (await _lawful(services)).verdict is Verdict.HOLDS
    sql(services, "UPDATE legal_holds SET kind = 'authority'")
    assert (await _lawful(services)).verdict is Verdict.BROKEN


async def test_an_archive_that_the_operator_opened_uncalled_breaks_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    hold = await place(services, tenant, subjects=["ada"])
    await ended(services, tenant)
    await delete(services, tenant)
    await services.retention.customer_holds.look(
        tenant, hold, purpose=Purpose.LEGAL_CLAIM, after=None, limit=1, by=staff_principal("data_protection")
    )
    assert (await _lawful(services)).verdict is Verdict.HOLDS
    sql(services, "UPDATE terminations SET began_at = now()")  # as if the customer had had people until now
    assert (await _lawful(services)).verdict is Verdict.BROKEN


async def test_an_archived_record_among_ordinary_ones_breaks_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    await place(services, tenant, subjects=["ada"])
    sql(
        services,
        "INSERT INTO records SELECT tenant_id, record_id, collection, version, NULL, ciphertext, created_at, updated_at"
        " FROM archived_records",
    )
    assert (await _lawful(services)).verdict is Verdict.BROKEN


async def test_records_left_lying_past_their_rule_break_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    await define(services, tenant, "visits", map_with("P1M"))
    made = await create_record(services, tenant, {"name": "old"}, None, "visits")
    age(services, tenant, made.id, 90)
    sql(services, "UPDATE collections SET updated_at = now() - interval '3 days'")
    assert (await _lawful(services)).verdict is Verdict.BROKEN
    await services.retention.retention_jobs.hourly()
    assert (await _lawful(services)).verdict is Verdict.HOLDS


async def test_a_rule_by_a_date_that_is_not_executed_breaks_11_3(alone: tuple[Services, TenantId]) -> None:
    services, tenant = alone
    await define(services, tenant, "visits", map_with({"for": "P1M", "after": "left"}))
    sql(services, "UPDATE collections SET updated_at = now() - interval '9 days'")
    assert (await _lawful(services)).verdict is Verdict.BROKEN
    await services.retention.retention_jobs.nightly()
    assert (await _lawful(services)).verdict is Verdict.HOLDS
