"""An instance that is backed up. Its clusters are its own: what is backed up is whole servers."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.backup.house import House, open_house


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    """One for a module; tests stay apart by tenants, and by what they look for."""
    async with open_house() as opened:
        yield opened


@pytest.fixture
async def own_house() -> AsyncIterator[House]:
    """One of this test's own."""
    async with open_house() as opened:
        yield opened
