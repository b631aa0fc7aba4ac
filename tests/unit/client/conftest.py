"""Rigs for both kinds of client."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.unit.client.harness import Rig

type RigOf = Callable[..., Rig]


@pytest.fixture(params=["blocking", "asyncio"])
async def rig_of(request: pytest.FixtureRequest) -> AsyncIterator[RigOf]:
    """Makes a rig from answers, and checks that they were all asked for."""
    rigs: list[Rig] = []

    def make(*answers: object, **options: int) -> Rig:
        rigs.append(Rig(request.param, *answers, **options))  # type: ignore[arg-type]  # answers of any kind
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.close()
        assert rig.script.spent, "the client did not ask for all answers"
