"""Proves 4.1 (the ledger verifies, every verb has its event), 4.2 (attacks are found) and 4.3 (no content in logs)."""

import asyncio
import inspect
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import get_type_hints
from urllib.parse import quote

import httpx2

from bailee.access.keys import ApiKeys
from bailee.access.permissions import SCOPES
from bailee.assurance import Facts, Finding, Verdict, check
from bailee.assurance.markers import PREFIX, search_files
from bailee.encryption.tls import Certificates, own_endpoint
from bailee.events import Events
from bailee.events.catalogue import catalogue
from bailee.events.verbs import VerbSpec
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, Writer
from bailee.foundation.objects import Objects
from bailee.foundation.principal import Principal, system
from bailee.foundation.settings import Settings
from bailee.ledger.fsck import verify_ledger
from bailee.ledger.note import Signer
from bailee.monitoring.detector import lag_of, rule_folders
from bailee.monitoring.sigma.rules import RuleSet
from bailee.monitoring.sigma.trials import find_trials, run_trial
from bailee.monitoring.store import evidence as store
from bailee.monitoring.store.support import count_reads_outside
from bailee.stores.probes import COLLECTION, Probes

_LATE = timedelta(minutes=1)
_BEHIND = timedelta(seconds=30)
"""The limit of how late an event may be looked at."""


@check("monitoring.ledger_verifies", measure="4.1", every=timedelta(hours=1))
async def ledger_verifies(database: Database, objects: Objects, signer: Signer, clock: Clock) -> Finding:
    """Re-verifies the log from its first leaf to the signed checkpoint, and looks for events that never got in."""
    async with database.operator_read() as tx:
        late = await store.count_late(tx, clock.now() - _LATE)
        unlogged = await store.count_unlogged(tx)
    report = await verify_ledger(database, objects, signer)
    facts: Facts = {
        "leaves": report.leaves, "root": report.root, "faults": report.faults, "waiting_over_a_minute": late,
        "events_without_commitment": unlogged,
    }  # fmt: skip
    if report.faults or unlogged:
        return Finding(Verdict.BROKEN, "The ledger does not verify.", facts)
    if late:
        return Finding(Verdict.ATTENTION, f"{late} events have waited for the ledger for over a minute.", facts)
    return Finding(Verdict.HOLDS, f"{report.leaves} leaves verify against the signed checkpoint.", facts)


@check("monitoring.every_verb_has_its_event", measure="4.1", every=timedelta(days=1))
async def every_verb_has_its_event() -> Finding:
    """Walks the services of the running program: each verb that changes things declares events of the catalogue."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bailee.")]
    known = set(catalogue())
    verbs, silent = 0, []
    for name, method in mutating_methods(modules):
        spec = getattr(method, "__verb__", None)
        if isinstance(spec, VerbSpec) and spec.actions and spec.actions <= known:
            verbs += 1
        else:
            silent.append(name)
    facts: Facts = {"verbs": verbs, "without_event": sorted(silent), "actions": len(known)}
    if silent or not verbs:
        return Finding(Verdict.BROKEN, "A verb changes things and records nothing.", facts)
    return Finding(Verdict.HOLDS, f"Each of {verbs} verbs records an event, or cannot commit.", facts)


def mutating_methods(modules: list[ModuleType]) -> Iterator[tuple[str, object]]:
    """Public methods that act on somebody's behalf (`by`) in a transaction that may write; the recorder aside."""
    for module in modules:
        for service in list(vars(module).values()):
            if not inspect.isclass(service) or service.__module__ != module.__name__ or service is Events:
                continue
            if getattr(service, "_is_protocol", False):  # it does nothing: what implements it does
                continue
            for name, method in vars(service).items():
                if (
                    inspect.iscoroutinefunction(inspect.unwrap(method))
                    and not name.startswith("_")
                    and _mutates(method)
                ):
                    yield f"{service.__qualname__}.{name}", method


def _mutates(method: object) -> bool:
    hints = get_type_hints(inspect.unwrap(method))  # type: ignore[arg-type]  # a function, as the caller saw
    first = hints.get("tx")
    return hints.get("by") is Principal and inspect.isclass(first) and issubclass(first, Writer)


@check("monitoring.attacks_are_found", measure="4.2", every=timedelta(hours=1))
async def attacks_are_found(database: Database, rules: RuleSet, settings: Settings, clock: Clock) -> Finding:
    """Has recorded attacks, and what looks like one, pass the rules in use; sees how far behind the detector is."""
    failed, told = [], 0
    trials = await asyncio.to_thread(find_trials, rule_folders(settings.monitoring))
    for trial in trials:
        found = await asyncio.to_thread(run_trial, trial, rules)
        told += len(found)
        if found != sorted(trial.expect):
            failed.append(trial.name)
    async with database.operator_read() as tx:
        lag = await lag_of(tx, clock.now())
    facts: Facts = {
        "rules": len(rules.rules) + len(rules.correlations), "rules_left_out": len(rules.faults),
        "trials": len(trials), "alerts_expected_and_told": told, "failed_trials": sorted(failed),
        "events_waiting": lag.events, "oldest_waits_seconds": lag.seconds,
    }  # fmt: skip
    if failed or not told:
        return Finding(
            Verdict.BROKEN, f"{len(failed)} of {len(trials)} recorded attacks are not told as expected.", facts
        )
    if lag.events < 0:
        return Finding(
            Verdict.BROKEN, "The detector passes over events: it claims to have seen what is yet to come.", facts
        )
    if lag.seconds > _BEHIND.total_seconds():
        return Finding(Verdict.BROKEN, f"The detector is {lag.seconds} seconds behind the ledger.", facts)
    if rules.faults:
        return Finding(Verdict.ATTENTION, f"{len(rules.faults)} rules cannot be used; see `bailee rules lint`.", facts)
    return Finding(Verdict.HOLDS, f"{len(trials)} recorded attacks and harmless days are told apart.", facts)


@check("monitoring.no_content_in_logs", measure="4.3", every=timedelta(hours=6))
async def no_content_in_logs(
    settings: Settings, certificates: Certificates, database: Database, probes: Probes, keys: ApiKeys
) -> Finding:
    """Moves marked content through every kind of request, good and bad; looks for it in logs, events and job queue."""
    probe, _ = await probes.plant()
    by = system("probe")
    async with database.tenant(probe.tenant) as tx:
        key = await keys.issue(tx, name="probe", permissions=sorted(SCOPES), expires_at=None, by=by)
    try:
        async with own_endpoint(settings, certificates) as http:
            http.headers["Authorization"] = f"Bearer {key.token}"
            answers = await _traffic(http, probe.marker, probe.subject)
    finally:
        async with database.tenant(probe.tenant) as tx:
            await keys.revoke(tx, key.id, by=by)
    async with database.operator_read() as reader:
        events = await store.count_events_with(reader, PREFIX)
        jobs = await store.count_jobs_with(reader, PREFIX)
        staff = await store.count_staff_reads(reader)
        outside = await count_reads_outside(reader)
    search = await search_files(
        settings.data, [settings.data / "logs", settings.data / "main" / "log", settings.data / "keyring" / "log"]
    )
    facts: Facts = {
        "requests": len(answers), "answered": sum(a < 500 for a in answers), "log_files": search.files,  # noqa: PLR2004
        "found_in": search.found, "events_with_content": events, "jobs_with_content": jobs,
        "staff_reads_of_content": staff, "reads_outside_a_case": outside, "search_proven": search.proven,
    }  # fmt: skip
    if search.found or events or jobs or staff or outside:
        return Finding(Verdict.BROKEN, "Content has reached a log, or staff has reached content.", facts)
    if not search.proven or 200 not in answers or 422 not in answers:  # noqa: PLR2004
        return Finding(Verdict.UNKNOWN, "The probe did not go through; nothing is proven.", facts)
    return Finding(
        Verdict.HOLDS, f"{len(answers)} requests with marked content; none of it in any log or event.", facts
    )


async def _traffic(http: httpx2.AsyncClient, marker: str, subject: str) -> list[int]:
    records = f"/api/v1/collections/{COLLECTION}/records"
    person = f"/api/v1/subjects/{quote(subject, safe='')}"
    answers = [
        await http.get(records, params={"where.marker": marker}),
        await http.get(records, params={"subject": subject}),
        await http.get(records, params={"where.nothing": marker}),
        await http.get(person),
        await http.get(f"/api/v1/subjects/{marker}-nobody"),
        await http.post(records, json={"subject": subject, "data": {"marker": marker}}),
        await http.post(records, json={"data": {"marker": [marker], "other": marker}}),
        await http.post(records, content=f'{{"data": {{"marker": "{marker}'.encode()),
        await http.post(
            f"{records}/batch", content=f'{{"data": {{"marker": "{marker}"}}}}\n{marker}\n'.encode(),
            headers={"Content-Type": "application/x-ndjson"},
        ),
        await http.get(f"/api/v1/{marker}"),
        await http.get(f"/api/v1/files/{marker}"),
        await http.get("/api/v1/events", params={"action": marker}),
        await http.delete(person),
    ]  # fmt: skip
    return [answer.status_code for answer in answers]
