"""The history of the schema: once, in order, unedited, by one at a time."""

import asyncio

import pytest

from bailee.foundation.errors import ConfigurationError
from bailee.foundation.migrate import find_migrations, migrate
from tests.integration.rig import superuser
from tests.postgres import SERVERS, Pair


@pytest.mark.parametrize("server", SERVERS)
def test_second_run_does_nothing(pair: Pair, server: str) -> None:
    with pair.empty(server) as owner:
        assert len(migrate(owner, server)) >= len(find_migrations(server))
        assert migrate(owner, server) == []


def test_migration_edited_after_it_ran_is_refused(pair: Pair) -> None:
    with pair.empty("keyring") as owner:
        migrate(owner, "keyring")
        with superuser(owner) as connection:
            connection.execute("UPDATE schema_history SET digest = 'other'")
        with pytest.raises(ConfigurationError, match="edited after it ran"):
            migrate(owner, "keyring")


@pytest.mark.parametrize("server", SERVERS)
async def test_two_at_once_run_each_step_once(pair: Pair, server: str) -> None:
    with pair.empty(server) as owner:
        steps = await asyncio.gather(*(asyncio.to_thread(migrate, owner, server) for _ in range(3)))
        assert sorted(len(done) > 0 for done in steps) == [False, False, True]
