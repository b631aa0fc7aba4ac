# ruff: noqa: ARG002  every verb takes `by`, for its wrapper

import inspect
import sys
from typing import cast

import pytest

from bailee.events.catalogue import RecordCreated, RecordDeleted, catalogue
from bailee.events.verbs import ANYONE, OWN, SYSTEM, WITHIN, UnrecordedVerb, VerbSpec, find_verbs, spec_of, verb
from bailee.foundation.database import Connection, Writer
from bailee.foundation.errors import NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.principal import (
    ActorKind,
    Forbidden,
    Principal,
    StepUpRequired,
    Unauthenticated,
    anonymous,
    system,
)
from bailee.monitoring.checks import mutating_methods
from bailee.web import app
from tests.unit.events import silent


class Service:
    @verb(RecordCreated, RecordDeleted, permission="records.create")
    async def act(self, tx: Writer, *actions: str, by: Principal) -> int:
        """Does it."""
        tx.recorded.extend(actions)
        return 42

    @verb(RecordCreated, permission=ANYONE)
    async def refuse(self, _tx: Writer, *, by: Principal) -> None:
        raise NotFound(by.id)

    @verb(RecordCreated, permission=OWN)
    async def own(self, tx: Writer, *, by: Principal) -> None:
        await self._done(tx)

    @verb(RecordCreated, permission=SYSTEM)
    async def by_the_clock(self, tx: Writer, *, by: Principal) -> None:
        await self._done(tx)

    @verb(RecordCreated, permission=WITHIN)
    async def part(self, tx: Writer, *, by: Principal) -> None:
        await self._done(tx)

    @verb(RecordCreated, permission="records.create", step_up=True)
    async def careful(self, tx: Writer, *, by: Principal) -> None:
        await self._done(tx)

    @verb(RecordCreated, permission="records.create", lasting=True)
    async def lasting(self, tx: Writer, *, by: Principal) -> None:
        await self._done(tx)

    async def _done(self, tx: Writer) -> None:
        tx.recorded.append("record.created")


BY = system("test")
HELD = frozenset({"records.create"})
KEY = Principal(ActorKind.KEY, str(new_id()), HELD)
MEMBER = Principal(ActorKind.MEMBER, str(new_id()), HELD, session_id=new_id())
FRESH = Principal(ActorKind.MEMBER, str(new_id()), HELD, session_id=new_id(), stepped_up=True)
LENT = Principal(ActorKind.STAFF, str(new_id()), HELD, session_id=new_id(), stepped_up=True, lent=HELD)
NOBODY = anonymous()
SHUT = Principal(ActorKind.STAFF, str(new_id()), session_id=new_id(), unmet=("Sign the undertaking first.",))


@pytest.fixture
def tx() -> Writer:
    return Writer(cast("Connection", None))


@pytest.mark.parametrize("actions", [["record.created"], ["record.deleted"], ["record.read", "record.created"]])
async def test_verb_that_recorded_one_of_its_events_passes(tx: Writer, actions: list[str]) -> None:
    assert await Service().act(tx, *actions, by=BY) == 42


@pytest.mark.parametrize("actions", [[], ["record.read"], ["record"], ["created"]])
async def test_verb_that_recorded_none_of_its_events_cannot_commit(tx: Writer, actions: list[str]) -> None:
    with pytest.raises(UnrecordedVerb, match=r"Service\.act"):
        await Service().act(tx, *actions, by=BY)


async def test_event_of_an_earlier_verb_does_not_count(tx: Writer) -> None:
    await Service().act(tx, "record.created", by=BY)
    with pytest.raises(UnrecordedVerb):
        await Service().act(tx, by=BY)


async def test_refusal_is_passed_on_as_it_is(tx: Writer) -> None:
    with pytest.raises(NotFound):
        await Service().refuse(tx, by=BY)


def test_verb_keeps_its_name_and_says_what_it_records() -> None:
    assert Service.act.__doc__ == "Does it."
    spec = {spec.name: spec for spec in find_verbs(sys.modules[__name__])}["Service.act"]
    assert spec == VerbSpec("Service.act", frozenset({"record.created", "record.deleted"}), "records.create")


# --- who gets as far as its first line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb_, allowed, refused",
    [
        ("act", [BY, KEY, MEMBER, FRESH, LENT], [NOBODY, SHUT]),
        ("careful", [BY, KEY, FRESH, LENT], [NOBODY, SHUT, MEMBER]),
        ("lasting", [BY, KEY, MEMBER, FRESH], [NOBODY, SHUT, LENT]),
        ("own", [MEMBER, FRESH, SHUT], [BY, KEY, NOBODY]),
        ("by_the_clock", [BY], [KEY, MEMBER, FRESH, NOBODY, SHUT]),
        ("part", [BY, KEY, MEMBER, NOBODY, SHUT], []),
    ],
)
def test_verb_is_open_to_whoever_it_says(verb_: str, allowed: list[Principal], refused: list[Principal]) -> None:
    spec = spec_of(getattr(Service, verb_))
    for by in allowed:
        spec.authorise(by)
    for by in refused:
        with pytest.raises((Forbidden, Unauthenticated)):
            spec.authorise(by)


async def test_verb_refuses_before_its_first_line(tx: Writer) -> None:
    with pytest.raises(Unauthenticated):
        await Service().act(tx, "record.created", by=NOBODY)
    with pytest.raises(StepUpRequired):
        await Service().careful(tx, by=MEMBER)
    with pytest.raises(Forbidden, match="Sign the undertaking first"):
        await Service().act(tx, "record.created", by=SHUT)
    assert tx.recorded == []


def test_verb_without_a_permission_is_not_written() -> None:
    """No default: the type checker refuses it, and so does the import."""
    assert inspect.signature(verb).parameters["permission"].default is inspect.Parameter.empty
    with pytest.raises(TypeError, match="permission"):
        verb(RecordCreated)  # type: ignore[call-arg]


def test_what_is_no_verb_has_no_declaration() -> None:
    with pytest.raises(TypeError, match="not a verb"):
        spec_of(silent.Silent.act)


# --- the product ----------------------------------------------------------------------------------------------


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
