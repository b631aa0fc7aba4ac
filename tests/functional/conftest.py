"""Running instances: one demo for each worker, and fresh ones for the tests that break things; and a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.functional.browser import Console, chromium
from tests.functional.instance import Demo, Instance, Person

type Consoles = Callable[..., Console]
type FreshInstance = Callable[..., Instance]


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """An instance with two sample tenants, for tests that leave it as it was for the others."""
    running = Demo()
    try:
        yield running
        assert running.stop() == 0, running.said()[-2000:]
        assert "Traceback" not in running.logs()
    finally:
        running.remove()


@pytest.fixture(scope="module")
def fresh_instance() -> Iterator[FreshInstance]:
    """Makes empty instances (`bailee up`), with settings as environment variables if wanted."""
    made: list[Instance] = []

    def make(**settings: str) -> Instance:
        made.append(Instance("up", settings))
        made[-1].wait_until_ready()
        return made[-1]

    try:
        yield make
    finally:
        for instance in made:
            instance.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, in which each test opens pages of its own."""
    with chromium() as made:
        yield made


@pytest.fixture
def consoles(browser: Browser, demo: Demo) -> Iterator[Consoles]:
    """Makes browsers of their own, for as many people as a test is about: signed in, if a person is given."""
    made: list[Console] = []

    def make(person: Person | None = None, instance: Instance = demo) -> Console:
        made.append(Console(browser, instance.base_url))
        if person is not None:
            made[-1].as_person(person)
        return made[-1]

    yield make
    for one in made:
        one.close()
