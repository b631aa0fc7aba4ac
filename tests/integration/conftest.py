"""The real services on real databases. Nothing is mocked."""

from collections.abc import AsyncIterator

import pytest

from bailee.assembly import Services
from bailee.foundation.settings import DatabaseSettings, Settings
from bailee.tenants.model import Tenant
from tests.integration.rig import create_tenant, open_settings, running
from tests.postgres import Pair


@pytest.fixture(scope="module")
async def services(pair: Pair) -> AsyncIterator[Services]:
    """Services on databases of this module's own. Tests stay apart by taking a tenant each."""
    with open_settings(pair) as settings:
        async with running(settings) as opened:
            yield opened


@pytest.fixture
async def own_services(pair: Pair) -> AsyncIterator[Services]:
    """Services on databases of this test's own, for what concerns the whole instance."""
    with open_settings(pair) as settings:
        async with running(settings) as opened:
            yield opened


@pytest.fixture
async def other_process(services: Services) -> AsyncIterator[Services]:
    """A second set of services on the databases and data directory of `services`, as another process has."""
    async with running(services.settings) as opened:
        yield opened


@pytest.fixture
def settings(services: Services) -> Settings:
    return services.settings


@pytest.fixture
def databases(services: Services) -> DatabaseSettings:
    return services.settings.database


@pytest.fixture
async def tenant(services: Services) -> Tenant:
    """A fresh, active tenant."""
    return await create_tenant(services)


@pytest.fixture
async def two_tenants(services: Services) -> tuple[Tenant, Tenant]:
    """Two fresh tenants that must never meet."""
    return await create_tenant(services, "One"), await create_tenant(services, "Two")
