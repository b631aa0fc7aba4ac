"""The keys that backups are encrypted to: the operator's recovery key, and the drill key of the key provider.

The recovery key's private half is shown once, in the recovery kit, and never stored. The drill key is derived from a
secret that the root key wraps: with it Bailee rehearses restores, and, when two people have approved it, restores.
"""

from datetime import datetime

import msgspec

from bailee.backup.age import Identity, Recipient, new_identity, parse_identity, parse_recipient
from bailee.backup.errors import KeyRefused
from bailee.backup.model import RecoveryKey
from bailee.backup.store import catalogue
from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import RecoveryKeyMade
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Principal
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.note import Verifier, parse_vkey
from bailee.ledger.service import Ledger

_SECRET, _BYTES = "backup-drill", 32
_TITLE = "BAILEE RECOVERY KIT"
_VERIFIER, _INSTANCE = "verifier: ", "instance: "


class Kit(msgspec.Struct, frozen=True):
    """What is needed to restore with nothing else left, as read from its text."""

    identity: Identity
    verifiers: list[Verifier]
    instance: str


class BackupKeys:
    """Makes and finds them."""

    def __init__(self, keyring: Keyring, ledger: Ledger, events: Events, place: str, clock: Clock) -> None:
        self._keyring = keyring
        self._ledger = ledger
        self._events = events
        self._place = place
        self._clock = clock

    @verb(RecoveryKeyMade, permission="backups.make_recovery_key", step_up=True)
    async def make_recovery_key(self, tx: OperatorWriter, *, by: Principal) -> str:
        """A new recovery key, which later backups are encrypted to; answers the kit, which nobody can show again.

        Backups from before go on being opened by the key of their time.
        """
        identity = new_identity()
        key_id = new_id()
        await catalogue.insert_recovery_key(tx, key_id, str(identity.recipient))
        await self._events.record(tx, RecoveryKeyMade(), by=by, on=Object("recovery_key", str(key_id)))
        return write_kit(identity, self._ledger.origin, self._ledger.vkeys[:1], self._place, self._clock.now())

    async def recovery_recipient(self, tx: OperatorReader) -> Recipient | None:
        """The recovery key in force, its public half."""
        keys = await catalogue.list_recovery_keys(tx)
        return next((parse_recipient(one.recipient) for one in keys if one.retired_at is None), None)

    async def every(self, tx: OperatorReader) -> list[RecoveryKey]:
        """The public halves of all there ever were, newest first: old backups are opened with the key of their time."""
        return await catalogue.list_recovery_keys(tx)

    async def recipients(self, tx: OperatorReader) -> list[Recipient]:
        """Whom backups are encrypted to; nobody before there is a recovery key."""
        recovery = await self.recovery_recipient(tx)
        return [] if recovery is None else [recovery, (await self.drill_identity()).recipient]

    async def drill_identity(self) -> Identity:
        """The drill key itself, unwrapped by the key provider."""
        return Identity(await self._keyring.instance_secret(_SECRET, _BYTES))


def write_kit(identity: Identity, instance: str, vkeys: list[str], place: str, now: datetime) -> str:
    """The recovery kit as text, to be printed and locked away."""
    lines = [
        _TITLE, "",
        "Whoever holds this can open every backup of the instance below. Print it, lock it away, delete the file.",
        "", f"{_INSTANCE}{instance}", f"made:     {now:%Y-%m-%d %H:%M} UTC", f"backups:  {place}",
        f"key:      {identity.recipient}", "",
        "Who must have signed the backups:", *(f"{_VERIFIER}{one}" for one in vkeys), "",
        "The recovery key:", identity.text(), "",
        "On a new machine: bailee restore --kit THIS_FILE --repository PLACE --to NEW_DIRECTORY",
        "By hand: age --decrypt --identity THIS_FILE VOLUME | zstd --decompress",
    ]  # fmt: skip
    # age reads its identities from files in which everything else is a comment
    return "".join(line + "\n" if line.startswith("AGE-") else f"# {line}".rstrip() + "\n" for line in lines)


def read_kit(text: str) -> Kit:
    """Raises KeyRefused when the key is missing or mistyped."""
    lines = [line.removeprefix("#").strip() for line in text.splitlines()]
    try:
        verifiers = [parse_vkey(line.removeprefix(_VERIFIER)) for line in lines if line.startswith(_VERIFIER)]
    except ProofInvalid as error:
        raise KeyRefused(f"The recovery kit is damaged: {error.detail}") from None
    instance = next((line.removeprefix(_INSTANCE) for line in lines if line.startswith(_INSTANCE)), "")
    return Kit(parse_identity("\n".join(lines)), verifiers, instance)
