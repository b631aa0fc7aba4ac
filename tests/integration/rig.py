"""Opens services, and makes the people and customers that tests act as."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import psycopg

from bailee.access.permissions import SCOPES, STAFF_ROLES, expand
from bailee.assembly import Services, open_services
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.settings import Settings
from bailee.stores.model import Record
from bailee.stores.vault import NewRecord
from bailee.tenants.model import Tenant
from tests.postgres import Pair, data_directory

SYSTEM = system("test")


@contextmanager
def open_settings(pair: Pair) -> Iterator[Settings]:
    """Settings for fresh databases and a fresh data directory."""
    with data_directory() as data, pair.databases() as databases:
        yield Settings(data=data, database=databases)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Open services that hear of destroyed keys, as those of a serving process do."""
    async with open_services(settings) as services:
        listener = asyncio.gather(services.keyring.listen(), services.access.authenticator.listen())
        try:
            await eventually(lambda: services.keyring._cache._trusted)
            yield services
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until `holds`, for at most five seconds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.005)


async def create_tenant(services: Services, name: str = "Example", plan: str = "standard") -> Tenant:
    async with services.database.operator() as tx:
        return await services.tenants.create(tx, name=name, plan=plan, by=SYSTEM)


def key_principal(tenant: TenantId, *permissions: str) -> Principal:
    """An API key of `tenant` that may do what is named, or everything that a key can."""
    return Principal(ActorKind.KEY, str(new_id()), expand(permissions or SCOPES), tenant)


def staff_principal(role: str = "owner") -> Principal:
    """A member of the operator's staff."""
    return Principal(ActorKind.STAFF, str(new_id()), STAFF_ROLES[role].permissions, stepped_up=True)


def superuser(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that no policy binds, to look at rows and to tamper with them."""
    connection: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
        url, autocommit=True, options="-c search_path=bailee,jobs"
    )
    return connection


async def work(services: Services) -> None:
    """Runs every job that waits, as a worker does, and returns when none is left."""
    app = services.jobs._app
    app.periodic_registry.periodic_tasks.clear()  # what the clock starts is not what a test has queued
    await app.run_worker_async(wait=False, listen_notify=False, install_signal_handlers=False, concurrency=4)
    async with services.database.operator_read() as tx:
        assert (
            await tx.values("SELECT task_name FROM procrastinate_jobs WHERE attempts > 0 AND status <> 'succeeded'")
            == []
        )


PEOPLE: dict[str, object] = {
    "title": "People",
    "purpose": "Tests",
    "subject": "optional",
    "fields": {
        "name": {
            "type": "object",
            "category": "identity",
            "properties": {"first": {"type": "string"}, "last": {"type": "string", "searchable": True}},
        },
        "email": {"type": "email", "category": "contact", "searchable": True},
        "phones": {"type": "array", "category": "contact", "items": {"type": "phone", "searchable": True}},
        "born": {"type": "date", "category": "identity", "searchable": True},
        "age": {"type": "integer", "category": "identity", "minimum": 0, "maximum": 150},
        "member": {"type": "boolean", "category": "contract", "searchable": True},
        "note": {"type": "string", "category": "free_text", "maxLength": 2000000},
        "extra": {"type": "object", "category": "other", "properties": {}, "additionalProperties": True},
    },
}


async def define(services: Services, tenant: TenantId, name: str = "people", raw: object = PEOPLE) -> None:
    async with services.database.tenant(tenant) as tx:
        await services.collections.define(tx, name, raw, by=SYSTEM)


async def create_record(
    services: Services,
    tenant: TenantId,
    data: dict[str, object],
    subject: str | None = None,
    collection: str = "people",
) -> Record:
    async with services.database.tenant(tenant) as tx:
        return await services.vault.create(tx, collection, NewRecord(data, subject), by=SYSTEM)


async def read_record(services: Services, tenant: TenantId, record_id: UUID, collection: str = "people") -> Record:
    async with services.database.tenant(tenant) as tx:
        return await services.vault.read(tx, collection, record_id, by=SYSTEM)


async def everything(services: Services, tenant: TenantId, collection: str = "people") -> list[Record]:
    """Every record of a collection; each is opened on the way."""
    async with services.database.tenant(tenant) as tx:
        records, _ = await services.vault.search(
            tx, collection, subject=None, where={}, after=None, limit=100_000, by=SYSTEM
        )
    return records
