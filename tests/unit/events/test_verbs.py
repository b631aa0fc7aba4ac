import sys
from typing import cast

import pytest

from bailee.events.catalogue import RecordCreated, RecordDeleted, catalogue
from bailee.events.verbs import UnrecordedVerb, VerbSpec, find_verbs, verb
from bailee.foundation.database import Connection, Writer
from bailee.foundation.errors import NotFound
from bailee.monitoring.checks import mutating_methods
from bailee.web import app
from tests.unit.events import silent


class Service:
    @verb(RecordCreated, RecordDeleted)
    async def act(self, tx: Writer, *actions: str) -> int:
        """Does it."""
        tx.recorded.extend(actions)
        return 42

    @verb(RecordCreated)
    async def refuse(self, _tx: Writer) -> None:
        raise NotFound


@pytest.fixture
def tx() -> Writer:
    return Writer(cast("Connection", None))


@pytest.mark.parametrize("actions", [["record.created"], ["record.deleted"], ["record.read", "record.created"]])
async def test_verb_that_recorded_one_of_its_events_passes(tx: Writer, actions: list[str]) -> None:
    assert await Service().act(tx, *actions) == 42


@pytest.mark.parametrize("actions", [[], ["record.read"], ["record"], ["created"]])
async def test_verb_that_recorded_none_of_its_events_cannot_commit(tx: Writer, actions: list[str]) -> None:
    with pytest.raises(UnrecordedVerb, match=r"Service\.act"):
        await Service().act(tx, *actions)


async def test_event_of_an_earlier_verb_does_not_count(tx: Writer) -> None:
    await Service().act(tx, "record.created")
    with pytest.raises(UnrecordedVerb):
        await Service().act(tx)


async def test_refusal_is_passed_on_as_it_is(tx: Writer) -> None:
    with pytest.raises(NotFound):
        await Service().refuse(tx)


def test_verb_keeps_its_name_and_says_what_it_records() -> None:
    assert Service.act.__doc__ == "Does it."
    spec = {spec.name: spec for spec in find_verbs(sys.modules[__name__])}["Service.act"]
    assert spec == VerbSpec("Service.act", frozenset({"record.created", "record.deleted"}))


def test_every_mutating_method_of_the_product_is_a_verb() -> None:
    assert app.__name__ == "bailee.web.app"  # imported for what it imports: every service
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bailee.")]
    methods = dict(mutating_methods(modules))
    assert {"Vault.create", "Collections.define", "Tenants.create", "ApiKeys.revoke"} <= methods.keys()
    known = set(catalogue())
    for name, method in methods.items():
        spec = getattr(method, "__verb__", None)
        assert isinstance(spec, VerbSpec), f"{name} changes things and is no verb"
        assert spec.actions, f"{name} declares no event"
        assert spec.actions <= known, f"{name} declares an event that is not in the catalogue"


def test_method_without_its_mark_is_noticed() -> None:
    assert [name for name, _ in mutating_methods([silent])] == ["Silent.act"]
