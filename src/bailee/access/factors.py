"""Second factors: enrolled, examined and removed. TOTP (RFC 6238), passkeys (WebAuthn), recovery codes."""

import base64
import hashlib
import secrets
import unicodedata
from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.access.errors import FreshSignInRequired, SignInOver, WrongFactor
from bailee.access.letters import Letters
from bailee.access.model import (
    Account,
    AccountState,
    Credentials,
    Enrolled,
    PasskeyChallenge,
    SessionKind,
    StartedSession,
    TotpEnrolment,
)
from bailee.access.model import Factors as OwnFactors
from bailee.access.passkeys import RelyingParty, credential_id_of
from bailee.access.sessions import Sessions, Start
from bailee.access.store import accounts as account_rows
from bailee.access.store import factors as rows
from bailee.access.store import members as member_rows
from bailee.access.store import sessions as session_rows
from bailee.access.totp import matching_step, new_totp_secret, totp_text, totp_uri
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.events import Events, Object, verb
from bailee.events.catalogue import Factor, MfaEnrolled, MfaEnrolmentBegun, MfaRemoved, PasskeyRenamed
from bailee.events.verbs import OWN
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter, constraints
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import ActorKind, Forbidden, Principal
from bailee.foundation.secrets import Secret

ISSUER = "Bailee"
_RECOVERY_CODES = 10
_CHALLENGE_LIFE = timedelta(minutes=5)
_FRESH = timedelta(minutes=15)
"""For so long a sign-in by password counts as a fresh one, where there is no factor to ask for."""
_MAX_PASSKEYS = 20
_MAX_NAME = 100


class Examined(msgspec.Struct, frozen=True):
    """A factor that was shown: which one, or why it was not accepted."""

    factor: Factor | None
    reason: str = ""


class Factors:
    """Everybody's second factors."""

    def __init__(
        self, events: Events, sessions: Sessions, mail: Mail, letters: Letters, key: DataKey,
        relying_party: RelyingParty, clock: Clock,
    ) -> None:  # fmt: skip
        self._events = events
        self._sessions = sessions
        self._mail = mail
        self._letters = letters
        self._key = key
        self._party = relying_party
        self._clock = clock

    # --- one's own ------------------------------------------------------------------------------------

    async def own(self, tx: OperatorReader, *, by: Principal) -> OwnFactors:
        """What the caller has enrolled."""
        totp = await rows.find_totp(tx, by.account_id)
        return OwnFactors(
            totp is not None and totp.confirmed_at is not None,
            await rows.list_passkeys(tx, by.account_id),
            await rows.count_recovery_codes(tx, by.account_id),
        )

    @verb(MfaEnrolmentBegun, permission=OWN)
    async def begin_totp(self, tx: OperatorWriter, *, by: Principal) -> TotpEnrolment:
        """A secret for an authenticator app; `confirm_totp` makes it count. Raises Conflict where one is in use."""
        account = await self._mine(tx, by)
        secret = new_totp_secret()
        if not await rows.put_totp(tx, account.id, self.seal(account.id, secret)):
            raise Conflict("An authenticator app is set up already. Remove it first.")
        await self._record(tx, MfaEnrolmentBegun("totp"), by)
        return TotpEnrolment(totp_text(secret), totp_uri(secret, account.email, ISSUER))

    @verb(MfaEnrolled, permission=OWN)
    async def confirm_totp(self, tx: OperatorWriter, *, code: str, by: Principal) -> Enrolled:
        """Ends the enrolment of an app with its first code. Raises Invalid, or NotFound where none was begun."""
        account = await self._mine(tx, by)
        totp = await rows.find_totp(tx, account.id)
        if totp is None or totp.confirmed_at is not None:
            raise NotFound("No app is being set up. Begin again.")
        step = matching_step(self.unseal(account.id, totp.secret), code, self._clock.now(), 0)
        if step is None or not await rows.confirm_totp(tx, account.id, step):
            raise Invalid("The code is wrong.", errors=[FieldError("code", "Enter the code your app shows now.")])
        return await self._enrolled(tx, account, "totp", by)

    @verb(MfaEnrolmentBegun, permission=OWN)
    async def begin_passkey(self, tx: OperatorWriter, *, by: Principal) -> PasskeyChallenge:
        """What a browser needs to make a passkey. Raises Conflict past 20 of them."""
        account = await self._mine(tx, by)
        known = await rows.list_credential_ids(tx, account.id)
        if len(known) >= _MAX_PASSKEYS:
            raise Conflict(f"You have {_MAX_PASSKEYS} passkeys. Remove one that you no longer use.")
        challenge_id, challenge = await self._challenge(tx, "enrol", account.id)
        await self._record(tx, MfaEnrolmentBegun("passkey"), by)
        options = self._party.registration(account.id, account.email, account.name, challenge, known)
        return PasskeyChallenge(challenge_id, msgspec.json.decode(options))

    @verb(MfaEnrolled, permission=OWN)
    async def confirm_passkey(
        self, tx: OperatorWriter, *, challenge_id: UUID, answer: bytes, name: str, by: Principal
    ) -> Enrolled:
        """Keeps the passkey that a browser has made. Raises WrongFactor, Invalid, Conflict."""
        account = await self._mine(tx, by)
        name = verify_label(name, "name")
        challenge = await rows.use_challenge(tx, challenge_id, "enrol")
        if challenge is None or challenge.account_id != account.id:
            raise WrongFactor
        made = self._party.verify_registration(answer, challenge.challenge)
        if made is None:
            raise WrongFactor
        with constraints({"passkeys_pkey": Conflict("This passkey is registered already.")}):
            await rows.insert_passkey(
                tx, made.credential_id, new_id(), account.id, name, made.public_key, made.sign_count, made.transports,
                synced=made.synced,
            )  # fmt: skip
        return await self._enrolled(tx, account, "passkey", by)

    @verb(PasskeyRenamed, permission=OWN)
    async def rename_passkey(self, tx: OperatorWriter, passkey_id: UUID, *, name: str, by: Principal) -> None:
        """Raises NotFound, Invalid."""
        if not await rows.rename_passkey(tx, by.account_id, passkey_id, verify_label(name, "name")):
            raise NotFound
        await self._record(tx, PasskeyRenamed(), by)

    @verb(MfaRemoved, permission=OWN, step_up=True)
    async def remove_totp(self, tx: OperatorWriter, *, by: Principal) -> None:
        """Raises NotFound, or Conflict for the last factor of somebody who must have one."""
        await self._verify_own_way(tx, by)
        if not await rows.delete_totp(tx, by.account_id):
            raise NotFound
        await self._removed(tx, "totp", by)

    @verb(MfaRemoved, permission=OWN, step_up=True)
    async def remove_passkey(self, tx: OperatorWriter, passkey_id: UUID, *, by: Principal) -> None:
        """Raises NotFound, or Conflict for the last factor of somebody who must have one."""
        await self._verify_own_way(tx, by)
        if not await rows.delete_passkey(tx, by.account_id, passkey_id):
            raise NotFound
        await self._removed(tx, "passkey", by)

    @verb(MfaEnrolled, permission=OWN, step_up=True)
    async def new_recovery_codes(self, tx: OperatorWriter, *, by: Principal) -> list[str]:
        """Ten new codes in place of those before. They are shown this once."""
        await self._verify_own_way(tx, by)
        codes = await self.replace_recovery_codes(tx, by.account_id)
        await self._record(tx, MfaEnrolled("recovery_codes"), by)
        await self._tell(tx, by, "The set of recovery codes")
        return codes

    # --- examined at sign-in and step-up --------------------------------------------------------------

    async def examine_code(self, tx: OperatorWriter, credentials: Credentials, code: str) -> Examined:
        """Uses up a code of the app, or a recovery code. One of many concurrent uses succeeds."""
        code = "".join(code.split())
        if not code.isdigit():
            digest = recovery_digest(credentials.id, code)
            used = await rows.use_recovery_code(tx, credentials.id, digest)
            return Examined("recovery_code") if used else Examined(None, "recovery_code")
        if credentials.totp_secret is None or credentials.totp_step is None:
            return Examined(None, "code")
        secret = self.unseal(credentials.id, credentials.totp_secret)
        step = matching_step(secret, code, self._clock.now(), credentials.totp_step)
        if step is None:
            replayed = matching_step(secret, code, self._clock.now(), 0) is not None
            return Examined(None, "replayed_code" if replayed else "code")
        used = await rows.advance_totp(tx, credentials.id, step)
        return Examined("totp") if used else Examined(None, "replayed_code")

    async def passkey_challenge(
        self, tx: OperatorWriter, purpose: str, credentials: Credentials | None
    ) -> PasskeyChallenge:
        """What a browser is to answer: with a key of the account, or without one with any that knows its user."""
        known = await rows.list_credential_ids(tx, credentials.id) if credentials else []
        challenge_id, challenge = await self._challenge(tx, purpose, credentials.id if credentials else None)
        options = self._party.authentication(challenge, known)
        return PasskeyChallenge(challenge_id, msgspec.json.decode(options))

    async def examine_passkey(
        self, tx: OperatorWriter, purpose: str, challenge_id: UUID, answer: bytes, account_id: UUID | None
    ) -> UUID | None:
        """The account whose key answered, or None. Without `account_id` the key must have verified its user."""
        challenge = await rows.use_challenge(tx, challenge_id, purpose)
        credential_id = credential_id_of(answer)
        key = await rows.find_passkey(tx, credential_id) if credential_id else None
        if challenge is None or key is None or challenge.account_id != account_id:
            return None
        if account_id is not None and key.account_id != account_id:
            return None
        count = self._party.verify_authentication(
            answer, challenge.challenge, key.public_key, user_verified=account_id is None
        )
        if count is None or not await rows.advance_passkey(tx, key.credential_id, count):
            return None
        return key.account_id

    # --- for the rooms beside -------------------------------------------------------------------------

    async def reset(self, tx: OperatorWriter, account_id: UUID) -> int:
        """Takes every factor away, and answers how many there were."""
        codes = await rows.delete_recovery_codes(tx, account_id)
        return int(await rows.delete_totp(tx, account_id)) + await rows.delete_passkeys(tx, account_id) + codes

    async def replace_recovery_codes(
        self, tx: OperatorWriter, account_id: UUID, count: int = _RECOVERY_CODES
    ) -> list[str]:
        """New codes, as text. The verb that calls this records it."""
        codes = [_new_recovery_code() for _ in range(count)]
        await rows.replace_recovery_codes(tx, account_id, [recovery_digest(account_id, code) for code in codes])
        return codes

    def seal(self, account_id: UUID, secret: Secret) -> bytes:
        return seal(self._key, secret.reveal(), Place(OPERATOR, "totp", account_id, 1))

    def unseal(self, account_id: UUID, sealed: bytes) -> Secret:
        return Secret(unseal(self._key, sealed, Place(OPERATOR, "totp", account_id, 1)))

    # --- inside ---------------------------------------------------------------------------------------

    async def _mine(self, tx: OperatorReader, by: Principal) -> Account:
        """The caller's account. Where it has a factor already, one was shown a moment ago; for the first, a password.

        Raises StepUpRequired, FreshSignInRequired, or Forbidden as `_verify_own_way` does.
        """
        stay = await self._verify_own_way(tx, by)
        account = await account_rows.find_account(tx, by.account_id)
        if account is None:
            raise SignInOver
        if account.mfa:
            by.require_step_up()
        elif stay.kind is not SessionKind.ENROLMENT and self._clock.now() - stay.created_at > _FRESH:
            raise FreshSignInRequired
        return account

    async def _verify_own_way(self, tx: OperatorReader, by: Principal) -> session_rows.Stay:
        """The caller's session. Raises Forbidden in one that a tenant's identity provider began, or the sealed account.

        A factor opens, and guards, the account in every tenant: whoever runs one tenant's provider must be able neither
        to leave one behind nor to take one away. And the sealed account opens with what was printed at its sealing, or
        whoever opened it once could come again.
        """
        stay = await session_rows.find_stay(tx, by.session_id) if by.session_id else None
        credentials = await account_rows.find_credentials(tx, account_id=by.account_id)
        if stay is None or credentials is None:
            raise SignInOver
        if stay.via_sso is not None:
            raise Forbidden("Your company signed you in. Sign in with your password to change how you sign in.")
        if credentials.sealed:
            raise Forbidden("The break-glass account opens with what was printed when it was sealed, and nothing else.")
        return stay

    async def _enrolled(self, tx: OperatorWriter, account: Account, factor: Factor, by: Principal) -> Enrolled:
        await self._record(tx, MfaEnrolled("passkey" if factor == "passkey" else "totp"), by)
        await self._tell(tx, by, "A second factor")
        codes = []
        if not account.mfa:
            codes = await self.replace_recovery_codes(tx, account.id)
        return enrolled(await self._session(tx, account, factor, by), codes)

    async def _session(self, tx: OperatorWriter, account: Account, factor: Factor, by: Principal) -> StartedSession:
        """The session goes on; one that was for enrolment alone gives way to a real one."""
        stay = await session_rows.find_stay(tx, by.session_id) if by.session_id else None
        if stay is None or by.session_id is None:
            raise SignInOver
        if stay.kind is not SessionKind.ENROLMENT:
            return await self._sessions.renew(tx, factors=[factor], by=by)
        await session_rows.delete_session(tx, by.session_id)
        if account.state is AccountState.PENDING:
            await account_rows.set_state(tx, account.id, AccountState.PENDING, AccountState.ACTIVE)
        start = Start(account.id, ["password", factor], SessionKind.BROWSER, mfa=True, new_device=True)
        return await self._sessions.start(tx, start, by=by)

    async def _removed(self, tx: OperatorWriter, factor: Factor, by: Principal) -> None:
        credentials = await account_rows.find_credentials(tx, account_id=by.account_id)
        if credentials is None:
            raise SignInOver
        if not credentials.has_mfa:
            if by.kind is ActorKind.STAFF:
                raise Conflict("Staff cannot be without a second factor. Add another before you remove this one.")
            if any(policy.require_mfa for policy in await member_rows.list_policies_of(tx, by.account_id)):
                raise Conflict("Your tenant asks for a second factor. Add another before you remove this one.")
            await rows.delete_recovery_codes(tx, by.account_id)
        await self._record(tx, MfaRemoved("passkey" if factor == "passkey" else "totp"), by)
        await self._tell(tx, by, "A second factor")

    async def _tell(self, tx: OperatorWriter, by: Principal, what: str) -> None:
        """Writes to the caller what was changed, in case that it was somebody else."""
        account = await account_rows.find_account(tx, by.account_id)
        if account is not None:
            await self._mail.queue(tx, self._letters.changed(account.email, what))

    async def _challenge(self, tx: OperatorWriter, purpose: str, account_id: UUID | None) -> tuple[UUID, bytes]:
        challenge_id, challenge = new_id(), secrets.token_bytes(32)
        expires_at = self._clock.now() + _CHALLENGE_LIFE
        await rows.insert_challenge(tx, challenge_id, purpose, account_id, challenge, expires_at)
        return challenge_id, challenge

    async def _record(
        self, tx: OperatorWriter, details: MfaEnrolmentBegun | MfaEnrolled | MfaRemoved | PasskeyRenamed, by: Principal
    ) -> None:
        await self._events.record(tx, details, by=by, on=Object("account", by.id), tenant=by.tenant_id)


def enrolled(session: StartedSession, codes: list[str]) -> Enrolled:
    """A session with the recovery codes that came with the first factor."""
    return Enrolled(**msgspec.structs.asdict(session), recovery_codes=codes)


def recovery_digest(account_id: UUID, code: str) -> bytes:
    """What is kept of a code: 120 random bits need no slow hash."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(account_id.bytes + plain.encode("utf-8", "surrogatepass")).digest()


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def verify_label(text: str, field: str) -> str:
    """A name that a person gives to a thing of theirs, trimmed. Raises Invalid."""
    text = text.strip()
    if not text or len(text) > _MAX_NAME or any(unicodedata.category(c).startswith("C") for c in text):
        message = f"Give a name of 1 to {_MAX_NAME} printable characters."
        raise Invalid("The name is not valid.", errors=[FieldError(field, message)])
    return text
