"""Proves 11.1 (terminated customers are gone), 11.2 (backups and certificates keep their dates) and 11.3 (holds are
lawful, and rules executed).
"""

from datetime import timedelta

from bailee.assurance import Facts, Finding, Verdict, check
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.ids import TenantId
from bailee.foundation.settings import EMBEDDED, Settings
from bailee.retention.deletion import Deletion
from bailee.retention.rotation import BackupDates
from bailee.retention.rules import Rules
from bailee.retention.store import evidence as rows
from bailee.retention.store import tenants as tenant_rows

_LATE = timedelta(days=1)
_SHOWN = 20


@check("retention.terminated_are_gone", measure="11.1", every=timedelta(hours=6))
async def terminated_are_gone(database: Database, deletion: Deletion, clock: Clock) -> Finding:
    """Counts what is left of every terminated customer: rows of each table, objects, keys; and looks for late ends."""
    async with database.operator_read() as tx:
        ended = await rows.list_completed(tx)
        overdue = await rows.list_overdue_terminations(tx, clock.now() - _LATE)
        without = await rows.list_terminated_otherwise(tx)
    left = {}
    for tenant in ended:
        found = await deletion.count_left(TenantId(tenant))
        if found:
            left[str(tenant)] = sum(found.values())
    facts: Facts = {
        "terminated": len(ended), "with_something_left": list(left)[:_SHOWN], "left": sum(left.values()),
        "overdue": [str(one) for one in overdue][:_SHOWN],
        "terminated_without_termination": [str(one) for one in without][:_SHOWN],
    }  # fmt: skip
    if left or without:
        return Finding(Verdict.BROKEN, f"Of {len(left) + len(without)} terminated customers something is left.", facts)
    if overdue:
        return Finding(Verdict.BROKEN, f"{len(overdue)} terminated customers are not deleted in time.", facts)
    return Finding(Verdict.HOLDS, f"Of {len(ended)} terminated customers no row, object or key is left.", facts)


@check("retention.rotation_on_time", measure="11.2", every=timedelta(hours=1))
async def rotation_on_time(database: Database, dates: BackupDates, settings: Settings, clock: Clock) -> Finding:
    """Looks for backups past their date, and for certificates whose date has passed without the second one."""
    async with database.operator_read() as tx:
        overdue = await dates.overdue(tx)
        late = await rows.list_late_certificates(tx, clock.now() - _LATE)
    one_server = settings.database.main != EMBEDDED and settings.database.main == settings.database.keyring
    facts: Facts = {
        "backups_taken": dates.taken, "backups_past_their_date": len(overdue),
        "certificates_late": [str(one) for one in late][:_SHOWN], "keyring_on_the_same_server": one_server,
    }  # fmt: skip
    if overdue or late:
        return Finding(
            Verdict.BROKEN, f"{len(overdue)} backups and {len(late)} certificates are past their date.", facts
        )
    if not dates.taken:
        return Finding(Verdict.ATTENTION, "Bailee takes no backups here: it cannot tell when others expire.", facts)
    if one_server:
        return Finding(
            Verdict.ATTENTION, "The keyring lies on the server of the data, and is backed up with it.", facts
        )
    return Finding(Verdict.HOLDS, "No backup is past its date, and every certificate's date was kept.", facts)


@check("retention.holds_lawful", measure="11.3", every=timedelta(hours=6))
async def holds_lawful(database: Database, rules: Rules, clock: Clock) -> Finding:
    """Looks whether holds have a basis, an end and two people; whether the archive was opened for fitting purposes
    only, and by the operator only where the customer has nobody any more; whether nothing of it lies among ordinary
    records; and whether anything that is due by rule was left lying.
    """
    now = clock.now()
    async with database.operator_read() as tx:
        unlawful = await rows.list_unlawful(tx, now.date())
        misread, uncalled = await rows.count_misread(tx), await rows.count_uncalled(tx)
        tenants = await tenant_rows.list_living(tx)
    twice, lying = 0, []
    for tenant in tenants:
        async with database.tenant_read(TenantId(tenant)) as reader:
            twice += await rows.count_twice(reader)
            if await rules.left_lying(reader, now - _LATE):
                lying.append(str(tenant))
    facts: Facts = {
        "holds_without_basis_end_or_second_person": [str(one) for one in unlawful][:_SHOWN],
        "archive_opened_for_another_purpose": misread, "archive_opened_by_the_operator_uncalled": uncalled,
        "archived_and_ordinary": twice,
        "customers_with_records_past_their_rule": lying[:_SHOWN],
    }  # fmt: skip
    if unlawful or misread or uncalled or twice:
        return Finding(Verdict.BROKEN, "A legal hold is not as it has to be.", facts)
    if lying:
        return Finding(Verdict.BROKEN, f"Rules of {len(lying)} customers were not executed in time.", facts)
    return Finding(Verdict.HOLDS, "Holds have basis, end and two people; nothing is past its rule.", facts)
