"""Opens services, and makes the people and customers that tests act as."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg

from bailee.access.permissions import STAFF_ROLES, TENANT_PERMISSIONS
from bailee.assembly import Services, open_services
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import ActorKind, Principal, system
from bailee.foundation.settings import Settings
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
        listener = asyncio.create_task(services.keyring.listen())
        try:
            async with asyncio.timeout(10):
                while not services.keyring._cache._trusted:
                    await asyncio.sleep(0.005)
            yield services
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener


async def create_tenant(services: Services, name: str = "Example", plan: str = "standard") -> Tenant:
    async with services.database.operator() as tx:
        return await services.tenants.create(tx, name=name, plan=plan, by=SYSTEM)


def key_principal(tenant: TenantId, *permissions: str) -> Principal:
    """An API key of `tenant` that may do what is named, or everything that a key can."""
    return Principal(ActorKind.KEY, str(new_id()), frozenset(permissions or TENANT_PERMISSIONS), tenant)


def staff_principal(role: str = "owner") -> Principal:
    """A member of the operator's staff."""
    return Principal(ActorKind.STAFF, str(new_id()), STAFF_ROLES[role])


def superuser(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that no policy binds, to look at rows and to tamper with them."""
    connection: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
        url, autocommit=True, options="-c search_path=bailee,jobs"
    )
    return connection
