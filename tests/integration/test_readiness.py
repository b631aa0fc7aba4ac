"""Readiness, with a server that is not there."""

import time

import pytest

from bailee.assembly import Services
from bailee.foundation.database import Database
from bailee.foundation.errors import Unavailable
from bailee.web.metrics import ready


async def test_a_server_that_does_not_answer_is_told_soon(services: Services) -> None:
    nowhere = Database(lambda _role: "host=/nonexistent dbname=x", pool_size=1, name="nowhere")
    await nowhere.open()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await ready.fn(services.database, nowhere)
        assert time.monotonic() - began < 8
        assert (await ready.fn(services.database, services.keyring_database)).keyring
    finally:
        await nowhere.close()
