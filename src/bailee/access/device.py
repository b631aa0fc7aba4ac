"""Signing in a program by a browser: the device authorization grant (RFC 8628), for the command line.

    program  → begin: a device code, which it keeps, and a user code, which it shows
    person   → types the user code on our page, sees which machine asks, approves or refuses
    program  → poll, until it is answered with a session

The person approves in a browser session whose second factor was shown a moment ago (or, for somebody without one,
that was begun a moment ago). The new session is worth what that one is: its factors, its tenant, and a second factor
of the same age, so that no chain of approvals makes anything fresher or longer than the person made it.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.access.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    FreshSignInRequired,
    SlowDown,
    TooManyAttempts,
)
from bailee.access.factors import verify_label
from bailee.access.model import AccountKind, SessionKind, StartedSession
from bailee.access.sessions import Sessions, Start
from bailee.access.sign_in import throttle_key
from bailee.access.store import device as rows
from bailee.access.store import sessions as session_rows
from bailee.access.store.device import OpenRequest
from bailee.access.tokens import DEVICE_CODE, SESSION, same
from bailee.events import Events, Object, verb
from bailee.events.catalogue import DeviceApproved, DeviceRefused, DeviceRequested, SignedIn, SignInFailed
from bailee.events.model import Outcome
from bailee.events.verbs import ANYONE, OWN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Forbidden, Principal
from bailee.foundation.secrets import Secret

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""For what people type (RFC 8628 §6.1): no vowels, so no words, and nothing that looks like something else."""
INTERVAL = 5
"""Seconds between two polls, and what is added for asking sooner (RFC 8628 §3.5)."""
_HALF = 4
_LIFE = timedelta(minutes=10)
_FRESH = timedelta(minutes=5)
_OPEN_PER_ADDRESS = 20
_PER_ADDRESS, _PER_ACCOUNT = 50, 10


class DeviceRequest(msgspec.Struct, frozen=True):
    """What a program shows to its person, and what it polls with. Seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int


class DeviceSignIn:
    """Programs that ask to be signed in, and the people who decide."""

    def __init__(
        self, database: Database, events: Events, sessions: Sessions, key: Secret, base_url: str, clock: Clock
    ) -> None:
        """`key` is for digests of user codes, which are too short to be hashed without one."""
        self._database = database
        self._events = events
        self._sessions = sessions
        self._key = key
        self._base_url = base_url
        self._clock = clock

    # --- the program ----------------------------------------------------------------------------------

    @verb(DeviceRequested, permission=ANYONE)
    async def begin(self, tx: OperatorWriter, *, label: str, by: Principal) -> DeviceRequest:
        """Asks to be signed in; `label` is what the program calls its machine. Raises Invalid, TooManyAttempts."""
        label = verify_label(label, "label")
        source = throttle_key(by.address)
        await rows.delete_old_requests(tx)
        if await rows.count_requests(tx, source) >= _OPEN_PER_ADDRESS:
            raise TooManyAttempts(
                "Too many sign-ins wait for an approval. Finish one of them, or wait ten minutes.", retry_after=600
            )
        request_id = new_id()
        device_code, digest = DEVICE_CODE.new(request_id)
        user_code = _new_user_code()
        while not await rows.insert_request(
            tx, request_id, digest, self._digest(user_code), label=label, address=by.address, source=source,
            interval=INTERVAL, expires_at=self._clock.now() + _LIFE,
        ):  # fmt: skip
            user_code = _new_user_code()
        await self._events.record(tx, DeviceRequested(), by=by, on=Object("device_request", str(request_id)))
        uri = f"{self._base_url}/device"
        return DeviceRequest(device_code, user_code, uri, int(_LIFE.total_seconds()), INTERVAL)

    async def poll(self, *, device_code: str, by: Principal) -> StartedSession:
        """The session, once somebody has approved it; of many polls at once one gets it.

        Raises AuthorizationPending, SlowDown, AccessDenied, ExpiredToken: the answers of RFC 8628 §3.5.
        """
        parsed = DEVICE_CODE.parse(device_code)
        if parsed is None:
            raise ExpiredToken
        async with self._database.operator() as tx:
            found = await rows.poll(tx, parsed.id, INTERVAL)
        if found is None or not same(parsed.digest, found.digest):
            raise ExpiredToken
        if found.state == "refused":
            raise AccessDenied
        if found.state == "pending":
            raise SlowDown if found.too_soon else AuthorizationPending
        async with self._database.operator() as tx:
            return await self.finish(tx, parsed.id, digest=parsed.digest, by=by)

    @verb(SignedIn, permission=ANYONE)
    async def finish(self, tx: OperatorWriter, request_id: UUID, *, digest: bytes, by: Principal) -> StartedSession:
        """The transaction of `poll`, once approved. Raises ExpiredToken, also when the account has changed since."""
        approved = await rows.use_approved(tx, request_id, digest)
        if approved is None:
            raise ExpiredToken
        start = msgspec.convert(
            {
                "account_id": approved.account_id,
                "factors": [*approved.factors, "device"],
                "kind": SessionKind.CLI,
                "mfa": approved.mfa_at is not None,
                "weak_password": approved.weak_password,
                "tenant": approved.tenant_id,
                "via_sso": approved.sso_tenant_id,
                "epoch": approved.epoch,
            },
            Start,
        )
        program = msgspec.structs.replace(by, device=f"Command line on {approved.label}")
        started = await self._sessions.start(tx, start, by=program)
        session = SESSION.parse(started.token)
        if session is not None and approved.mfa_at is not None:
            await rows.set_mfa_at(tx, session.id, approved.mfa_at)
        return started

    # --- the person -----------------------------------------------------------------------------------

    async def verify_approver(self, *, by: Principal) -> None:
        """Whether the caller may approve at this moment.

        Raises Forbidden, StepUpRequired, or FreshSignInRequired for somebody without a second factor.
        """
        async with self._database.operator_read() as tx:
            await self._verify_approver(tx, by)

    async def find(self, *, code: str, by: Principal) -> OpenRequest:
        """Which machine a user code belongs to. Attempts are counted by account and address.

        Raises Invalid for a code that is not, or no longer, good; TooManyAttempts; what `verify_approver` raises.
        """
        async with self._database.operator() as tx:
            await self._verify_approver(tx, by)
            attempt = await session_rows.begin_attempt(
                tx, f"codes {throttle_key(by.address)}", _guesses_of(by.account_id), None, per_address=_PER_ADDRESS,
                per_account=_PER_ACCOUNT,
            )  # fmt: skip
        if attempt is None:
            raise TooManyAttempts("Too many wrong codes. Wait 15 minutes.", retry_after=900)
        async with self._database.operator() as tx:
            found = await rows.find_open(tx, self._digest(_normalised(code)))
            if found is not None:
                await session_rows.end_attempts(tx, [attempt])
                return found
            on = Object("account", by.id)
            await self._events.record(tx, SignInFailed("device"), by=by, on=on, outcome=Outcome.REFUSED)
        message = "This code is not, or no longer, good. Look at the program again, or start it anew."
        raise Invalid("The code is not valid.", errors=[FieldError("code", message)])

    async def approve(self, *, code: str, by: Principal) -> OpenRequest:
        """Signs the program in as the caller, at its next poll. Raises what `find` raises, and Conflict."""
        found = await self.find(code=code, by=by)
        async with self._database.operator() as tx:
            await self.finish_approval(tx, found.id, by=by)
        return found

    @verb(DeviceApproved, permission=OWN)
    async def finish_approval(self, tx: OperatorWriter, request_id: UUID, *, by: Principal) -> None:
        """The transaction of `approve`."""
        await self._verify_approver(tx, by)
        if by.session_id is None or not await rows.approve(tx, request_id, by.session_id):
            raise Conflict("This sign-in was decided already, or has expired.")
        on = Object("device_request", str(request_id))
        await self._events.record(tx, DeviceApproved(), by=by, on=on, tenant=by.tenant_id)

    async def refuse(self, *, code: str, by: Principal) -> OpenRequest:
        """Turns the program away. Raises what `find` raises, and Conflict."""
        found = await self.find(code=code, by=by)
        async with self._database.operator() as tx:
            await self.finish_refusal(tx, found.id, by=by)
        return found

    @verb(DeviceRefused, permission=OWN)
    async def finish_refusal(self, tx: OperatorWriter, request_id: UUID, *, by: Principal) -> None:
        """The transaction of `refuse`."""
        if not await rows.refuse(tx, request_id):
            raise Conflict("This sign-in was decided already, or has expired.")
        on = Object("device_request", str(request_id))
        await self._events.record(tx, DeviceRefused(), by=by, on=on, tenant=by.tenant_id)

    # --- inside ---------------------------------------------------------------------------------------

    async def _verify_approver(self, tx: OperatorReader, by: Principal) -> None:
        by.require_session()
        session = await session_rows.find_check(tx, by.session_id) if by.session_id else None
        # A session that was itself approved, or that a program holds, approves none: no chain begins here.
        if session is None or session.session_kind is not SessionKind.BROWSER or session.sealed:
            raise Forbidden("Approve this in a browser that you have signed in with yourself.")
        if by.unmet:
            raise Forbidden(" ".join(by.unmet))
        if session.kind is AccountKind.STAFF or session.has_mfa:
            by.require_step_up()
        elif self._clock.now() - session.created_at > _FRESH:
            raise FreshSignInRequired

    def _digest(self, user_code: str) -> bytes:
        return hmac.digest(self._key.reveal(), user_code.encode(), "sha256")


def _new_user_code() -> str:
    """34 random bits, as BCDF-GHJK: guessed by nobody in the ten attempts that an account has."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(2 * _HALF))
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def _normalised(code: str) -> str:
    """As a person types it: lower case, with or without the dash."""
    letters = "".join(letter for letter in code.upper() if letter in ALPHABET)[: 2 * _HALF + 1]
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def _guesses_of(account_id: UUID) -> bytes:
    """What an account's wrong user codes are counted by, apart from its failed sign-ins."""
    return hashlib.sha256(b"device\0" + account_id.bytes).digest()
