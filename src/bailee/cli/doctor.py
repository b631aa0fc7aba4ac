"""`bailee doctor`: what a person would look at first when something seems wrong."""

import asyncio
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography import x509

from bailee.assembly import Services, open_services
from bailee.assurance.toms import load_toms
from bailee.encryption.roots import open_root
from bailee.events.catalogue import Examined
from bailee.foundation.errors import Error
from bailee.foundation.mail import KEEP_DAYS
from bailee.foundation.migrate import find_migrations
from bailee.foundation.principal import system
from bailee.foundation.settings import Settings
from bailee.ledger import store as ledger_store
from bailee.tenants import store as tenants_store
from bailee.tenants.model import TenantKind

_MIN_FREE = 1024**3
_MAX_LAG = timedelta(seconds=1)
_MAX_PENDING = 10_000


class Finding(msgspec.Struct, frozen=True):
    """One thing examined."""

    what: str
    ok: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Looks at everything, and goes on after a fault."""
    findings = list(_local(settings))
    try:
        findings += asyncio.run(_live(settings, sum(not finding.ok for finding in findings)))
    except Error as error:
        findings.append(Finding("services", ok=False, detail=str(error)))
    return findings


def _local(settings: Settings) -> Iterator[Finding]:
    data = settings.data
    if not data.is_dir():
        yield Finding("data directory", ok=False, detail=f"{data} does not exist; `bailee up` makes it.")
        return
    free = shutil.disk_usage(data).free
    yield Finding("disk", ok=free > _MIN_FREE, detail=f"{free // 1024**2} MiB free at {data}")
    yield (
        _private(data / "root.key")
        if settings.encryption.root == "file"
        else Finding("root key", ok=True, detail="OpenBao")
    )
    yield _attempt("root key", lambda: f"{type(open_root(settings.encryption, data, create=False)).__name__} opens")
    yield _attempt("TOM document", lambda: f"{len(load_toms(settings.toms).measures())} measures")
    yield _certificate(data / "tls" / "server.pem")


def _private(path: Path) -> Finding:
    if not path.exists():
        return Finding(
            path.name, ok=False, detail=f"{path} is missing. Restore it from your copy: data cannot be read without it."
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(path.name, ok=not mode & 0o077, detail=f"mode {mode:04o}; keep a copy away from this machine")


def _attempt(what: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ok=True, detail=work())
    except Error as error:
        return Finding(what, ok=False, detail=str(error))


def _certificate(path: Path) -> Finding:
    if not path.exists():
        return Finding("certificate", ok=True, detail="supplied, or not made yet")
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return Finding("certificate", ok=True, detail=f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}")


async def _live(settings: Settings, faults: int) -> list[Finding]:
    async with open_services(settings) as services:
        findings = [await _schema(services, server) for server in ("main", "keyring")]
        findings += [await _keys(services), await _ledger(services), await _mail(services), _clock(services)]
        faults += sum(not finding.ok for finding in findings)
        async with services.database.operator() as tx:
            await services.events.record(tx, Examined("doctor", faults), by=system("cli"))
    return findings


async def _schema(services: Services, server: str) -> Finding:
    database = services.database if server == "main" else services.keyring_database
    async with database.operator_read() as tx:
        version = await tx.value("SELECT current_setting('server_version')")
        checksums = await tx.value("SELECT current_setting('data_checksums')")
        ran = await tx.value("SELECT count(*) FROM schema_history")
    known = len(find_migrations(server))
    detail = f"PostgreSQL {version}, {ran} of {known} migrations, checksums {checksums}"
    return Finding(f"{server} database", ok=ran == known and checksums == "on", detail=detail)


async def _keys(services: Services) -> Finding:
    async with services.database.operator_read() as tx:
        tenants = await tenants_store.list_tenants(tx, kind=TenantKind.CUSTOMER, search="", after=None, limit=1000)
    failed = 0
    for tenant in tenants:
        try:
            await services.keyring.general_key(tenant.id)
        except Error:
            failed += tenant.state != "terminated"
    return Finding("tenant keys", ok=not failed, detail=f"{len(tenants) - failed} of {len(tenants)} tenants' keys open")


async def _ledger(services: Services) -> Finding:
    async with services.database.operator_read() as tx:
        pending, size = await ledger_store.count_pending(tx), await ledger_store.latest_size(tx)
    detail = f"{size} leaves published, {pending} waiting"
    return Finding("ledger", ok=pending < _MAX_PENDING, detail=detail)


async def _mail(services: Services) -> Finding:
    """Failed mail alone is no fault of the instance: people mistype addresses. It is told all the same."""
    async with services.database.operator_read() as tx:
        outbox = await services.mail.outbox(tx)
    told = f"{outbox.waiting} waiting, {outbox.failed} given up in {KEEP_DAYS} days"
    told += f" ({', '.join(outbox.reasons)})" if outbox.reasons else ""
    if not services.mail.configured:
        return Finding("mail", ok=not outbox.waiting, detail=f"no mail server in the settings, {told}")
    try:
        await services.mail.verify_server()
    except Error as error:
        return Finding("mail", ok=False, detail=f"{error} {told}")
    return Finding("mail", ok=True, detail=f"{services.mail.server} lets us in, {told}")


def _clock(services: Services) -> Finding:
    lag = services.clock.lag()
    return Finding("clock", ok=lag < _MAX_LAG, detail=f"{services.clock.now():%Y-%m-%d %H:%M:%S} UTC")
