"""Gates: what must be true of a staff account before any of its permissions is effective.

They stand in one list and are evaluated in one place, whenever a session is examined. Rooms above add theirs at
composition (an undertaking signed, policies acknowledged); an account that does not pass one keeps nothing but its
own account, and is told in words what is missing.
"""

from collections.abc import Awaitable, Callable

import msgspec

from bailee.access.model import AccountState
from bailee.access.store.sessions import SessionCheck
from bailee.foundation.database import OperatorReader

type Examine = Callable[[OperatorReader, SessionCheck], Awaitable[bool]]


class Gate(msgspec.Struct, frozen=True):
    """One condition: its name, what to tell whoever does not meet it, and whether a session meets it."""

    name: str
    advice: str
    is_met: Examine


async def _is_active(_tx: OperatorReader, session: SessionCheck) -> bool:
    return session.state is AccountState.ACTIVE


async def _has_mfa(_tx: OperatorReader, session: SessionCheck) -> bool:
    return session.mfa_at is not None and (session.has_mfa or session.sealed)


ACTIVE = Gate("account_active", "Your account is not active.", _is_active)
MFA = Gate("mfa_enrolled", "Staff work with a second factor: enrol one, then sign in with it.", _has_mfa)


class Gates:
    """The list."""

    def __init__(self, *more: Gate) -> None:
        self._gates = (ACTIVE, MFA, *more)

    @property
    def names(self) -> list[str]:
        """The gates in force."""
        return [gate.name for gate in self._gates]

    async def unmet(self, tx: OperatorReader, session: SessionCheck) -> tuple[str, ...]:
        """The advice of every gate that the session does not pass."""
        return tuple([gate.advice for gate in self._gates if not await gate.is_met(tx, session)])
