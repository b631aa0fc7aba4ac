"""What every suite may use."""

from collections.abc import Iterator

import pytest

from tests.postgres import Pair, running_pair


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """The two PostgreSQL servers of this worker."""
    with running_pair() as servers:
        yield servers
