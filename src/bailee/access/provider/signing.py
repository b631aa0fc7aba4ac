"""The provider's signing keys: made, sealed, published, rotated; and the ID tokens that they sign.

1. RSA of 3072 bits, RS256 (RFC 7518 §3.3): what every OpenID client can verify.
2. The private half lies in the database, sealed (AES-256-GCM) under a secret of the instance that lies with the
   keyring, and bound to its row.
3. There is one key that signs and one that will sign next. The next one is published from the moment when it is
   made, a rotation period ahead, so that no client meets a signature whose key it has not had time to fetch.
4. A retired key is published until long after the last ID token that it signed has expired. One that is withdrawn
   because it may be known to others is not.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError, MissingKeyError
from joserfc.jwk import GuestProtocol, RSAKey

from bailee.access.provider import store as rows
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.events import Events, Object, verb
from bailee.events.catalogue import SigningKeyMade, SigningKeysRotated
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorWriter
from bailee.foundation.ids import OPERATOR, new_id
from bailee.foundation.principal import Principal, system

ALGORITHM = "RS256"
ROTATE_AFTER = timedelta(days=30)
_BITS = 3072
_PUBLISHED_AFTER = timedelta(days=1)
_KEPT_SECONDS = 30.0


class _Keys(msgspec.Struct, frozen=True):
    """What a process has read; read anew after some seconds, since another process may have rotated."""

    current: RSAKey
    current_id: UUID
    activated_at: datetime
    verifying: dict[str, RSAKey]
    published: list[dict[str, Any]]
    learnt: float


class Fresh(msgspec.Struct, frozen=True):
    """A new key that is not in the database yet."""

    key_id: UUID
    public_jwk: str
    sealed: bytes


class Signing:
    """The keys of this provider."""

    def __init__(self, database: Database, events: Events, key: DataKey, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._key = key
        self._clock = clock
        self._known: _Keys | None = None
        self._reading = asyncio.Lock()

    async def published(self) -> dict[str, Any]:
        """The JWK Set: public halves alone (RFC 7517 §5)."""
        return {"keys": (await self._keys()).published}

    async def sign(self, claims: dict[str, Any]) -> str:
        """A signed JWT of the claims."""
        keys = await self._keys()
        header = {"alg": ALGORITHM, "kid": str(keys.current_id), "typ": "JWT"}
        return jwt.encode(header, claims, keys.current, algorithms=[ALGORITHM])

    async def verify(self, token: str, *, issuer: str) -> dict[str, Any] | None:
        """The claims of an ID token that was signed here, expired or not; None for anything else."""
        keys = await self._keys()

        def find_key(signature: GuestProtocol) -> RSAKey:
            found = keys.verifying.get(str(signature.headers().get("kid")))
            if found is None:
                raise MissingKeyError
            return found

        try:
            claims = jwt.decode(token, find_key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        return claims if claims.get("iss") == issuer else None

    # --- rotation -------------------------------------------------------------------------------------

    async def is_due(self) -> bool:
        """Whether the key that signs has signed long enough."""
        return self._clock.now() - (await self._keys()).activated_at >= ROTATE_AFTER

    async def rotate(self, *, withdraw: bool, by: Principal) -> UUID:
        """Retires the key that signs, and answers the id of the one that follows it.

        With `withdraw` both published keys are taken back at once, as after a leak: what they signed no longer
        verifies anywhere, as soon as clients read the key set again (five minutes).
        """
        await self._keys()  # there is a key to retire
        fresh = [await self._make() for _ in range(1 + withdraw)]
        async with self._database.operator() as tx:
            key_id = await self.finish_rotation(tx, fresh, withdraw=withdraw, by=by)
        self._known = None
        return key_id

    @verb(SigningKeysRotated, permission="provider.rotate_keys", step_up=True)
    async def finish_rotation(self, tx: OperatorWriter, fresh: list[Fresh], *, withdraw: bool, by: Principal) -> UUID:
        """The transaction of `rotate`."""
        await rows.lock_signing_keys(tx)
        await rows.retire_signing_key(tx, "current", "withdrawn" if withdraw else "retired")
        if withdraw:
            await rows.retire_signing_key(tx, "next", "withdrawn")
            await rows.insert_signing_key(tx, fresh[1].key_id, "current", fresh[1].public_jwk, fresh[1].sealed)
        else:
            await rows.activate_signing_key(tx)
        await rows.insert_signing_key(tx, fresh[0].key_id, "next", fresh[0].public_jwk, fresh[0].sealed)
        await rows.delete_old_signing_keys(tx)
        current = next(key for key in await rows.list_signing_keys(tx) if key.state == "current")
        on = Object("signing_key", str(current.key_id))
        await self._events.record(tx, SigningKeysRotated(withdrawn=withdraw), by=by, on=on)
        return current.key_id

    @verb(SigningKeyMade, permission=SYSTEM)
    async def finish_first(self, tx: OperatorWriter, fresh: list[Fresh], *, by: Principal) -> None:
        """The first two keys, unless another process was faster."""
        await rows.lock_signing_keys(tx)
        made = [] if await rows.list_signing_keys(tx) else list(zip(("current", "next"), fresh, strict=True))
        for state, key in made:
            await rows.insert_signing_key(tx, key.key_id, state, key.public_jwk, key.sealed)
        on = Object("signing_key", str(fresh[0].key_id))
        await self._events.record(tx, SigningKeyMade(len(made)), by=by, on=on)

    # --- inside ---------------------------------------------------------------------------------------

    async def _keys(self) -> _Keys:
        known = self._known
        if known is None or time.monotonic() - known.learnt > _KEPT_SECONDS:
            async with self._reading:
                known = self._known
                if known is None or time.monotonic() - known.learnt > _KEPT_SECONDS:
                    known = self._known = await self._read()
        return known

    async def _read(self) -> _Keys:
        async with self._database.operator_read() as reader:
            found = await rows.list_signing_keys(reader)
        if not found:
            fresh = [await self._make() for _ in range(2)]
            async with self._database.operator() as tx:
                await self.finish_first(tx, fresh, by=system("provider"))
            async with self._database.operator_read() as reader:
                found = await rows.list_signing_keys(reader)
        current = next(key for key in found if key.state == "current")
        private = RSAKey.import_key(unseal(self._key, current.sealed, _place(current.key_id)))
        since = self._clock.now() - _PUBLISHED_AFTER
        return _Keys(
            current=private,
            current_id=current.key_id,
            activated_at=current.activated_at or self._clock.now(),
            verifying={str(key.key_id): RSAKey.import_key(msgspec.json.decode(key.public_jwk)) for key in found},
            published=[
                msgspec.json.decode(key.public_jwk) for key in found if key.retired_at is None or key.retired_at > since
            ],
            learnt=time.monotonic(),
        )

    async def _make(self) -> Fresh:
        """A key, made off the event loop: finding primes takes a while."""
        return await asyncio.to_thread(self._make_now)

    def _make_now(self) -> Fresh:
        key_id = new_id()
        made = RSAKey.generate_key(_BITS, {"use": "sig", "alg": ALGORITHM, "kid": str(key_id)})
        sealed = seal(self._key, made.as_pem(private=True), _place(key_id))
        return Fresh(key_id, msgspec.json.encode(made.as_dict(private=False)).decode(), sealed)


def _place(key_id: UUID) -> Place:
    return Place(OPERATOR, "oidc", key_id, 1)
