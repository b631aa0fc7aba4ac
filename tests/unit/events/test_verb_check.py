"""The check of 4.1 sees a verb that records nothing."""

import sys
from types import ModuleType

import pytest

import bailee.web.app  # noqa: F401  what is checked is the loaded program
from bailee.assurance import Verdict
from bailee.foundation.database import Writer
from bailee.foundation.principal import Principal
from bailee.monitoring.checks import every_verb_has_its_event


class Silent:
    """A service with a verb that records nothing."""

    async def change(self, tx: Writer, *, by: Principal) -> None:
        """Changes something."""


async def test_verb_without_event_turns_the_check_red(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "bailee.stores.vault" in sys.modules  # the app loads every service
    assert (await every_verb_has_its_event()).verdict is Verdict.HOLDS
    module = ModuleType("bailee.silent")
    monkeypatch.setattr(Silent, "__module__", module.__name__)
    setattr(module, "Silent", Silent)  # noqa: B010  a module made here has no such attribute for the type checker
    monkeypatch.setitem(sys.modules, module.__name__, module)
    finding = await every_verb_has_its_event()
    assert finding.verdict is Verdict.BROKEN
    assert finding.facts["without_event"] == ["Silent.change"]
