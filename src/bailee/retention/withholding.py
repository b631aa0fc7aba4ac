"""What keeps data from being deleted: the answers that the rooms below ask for."""

from uuid import UUID

from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import HoldImposed
from bailee.events.verbs import WITHIN
from bailee.foundation.clock import Clock
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.principal import Principal
from bailee.retention.model import ALL, HoldKind, HoldState, Limit, LimitKind
from bailee.retention.sealing import seal_record
from bailee.retention.store import archive as archive_rows
from bailee.retention.store import holds as hold_rows
from bailee.retention.store import limits as rows
from bailee.stores import store
from bailee.stores.datamap import Rule
from bailee.stores.durations import Duration, parse_duration
from bailee.stores.model import Record, Scope
from bailee.stores.store import RecordRow
from bailee.stores.vault import open_sealed
from bailee.stores.withholding import Floor, LawKept, Withheld, kept_until

_BATCH = 500
_MAX_BASIS = 500


class Withholder:
    """Answers from the limits and the archive of one tenant at a time."""

    def __init__(self, keyring: Keyring, events: Events, clock: Clock) -> None:
        self._keyring = keyring
        self._events = events
        self._clock = clock

    async def verify_map(self, tx: TenantWriter, collection: str, rule: Rule | None) -> None:
        """Raises Invalid for a map that lies below the floor or above the ceiling of its collection."""
        await rows.hold_maps(tx, alone=False)
        for limit in await rows.list_limits(tx, collection):
            if not fits(rule, limit):
                raise Invalid("The collection is not valid.", errors=[FieldError("retention", _why(limit))])

    async def floor(self, tx: TenantReader, collection: str) -> Floor | None:
        """The floor of a collection; of two, that of its own and that of all, the longer."""
        floors = [
            Floor(duration_of(limit), limit.basis)
            for limit in await rows.list_limits(tx, collection)
            if limit.kind is LimitKind.FLOOR
        ]
        if len(floors) > 1 and floors[0].duration.covers(floors[1].duration):
            return floors[0]
        return floors[-1] if floors else None

    async def due_to_law(self, tx: TenantWriter, holder: bytes) -> LawKept | None:
        """What floors keep of a person, the subject held so that nobody writes for it until `tx` ends."""
        kept: list[tuple[RecordRow, Record]] = []
        until, now = self._clock.now(), self._clock.now()
        bases: set[str] = set()
        rules: dict[str, tuple[Floor | None, Rule | None]] = {}
        after: UUID | None = None
        await store.hold_subjects(tx, [holder])
        while stretch := await store.list_by_holder(tx, holder, after=after, limit=_BATCH):
            opened = {one.id: one for one in await open_sealed(self._keyring, tx.tenant, stretch)}
            for row in stretch:
                if row.collection not in rules:
                    rules[row.collection] = await self._rules_of(tx, row.collection)
                floor, rule = rules[row.collection]
                record = opened.get(row.record_id)
                end = kept_until(floor, rule, record) if floor and record else now
                if floor and record and end > now:
                    kept.append((row, record))
                    until, bases = max(until, end), bases | {floor.basis}
            after = stretch[-1].record_id
        return LawKept(kept, until.date(), "; ".join(sorted(bases))[:_MAX_BASIS]) if kept else None

    async def _rules_of(self, tx: TenantReader, collection: str) -> tuple[Floor | None, Rule | None]:
        present = await store.find_collection(tx, collection)
        return await self.floor(tx, collection), present.definition.rule() if present else None

    async def withheld(self, tx: TenantReader, holder: bytes) -> Withheld | None:
        """What the archive holds of a person."""
        kept = await archive_rows.find_kept(tx, holder)
        return None if kept is None or kept.until is None else Withheld(kept.until, kept.bases)

    @verb(HoldImposed, permission=WITHIN)
    async def impose(self, tx: TenantWriter, kept: LawKept, *, by: Principal) -> None:
        """Moves it to the archive, under a hold that the floor imposes.

        The hold's key is durable in the keyring before; when `tx` fails, it belongs to nothing and opens nothing.
        """
        hold_id, now = new_id(), self._clock.now()
        scope = Scope([], [], sorted(row.record_id for row, _ in kept.records))
        await hold_rows.insert_hold(
            tx, hold_id, origin="floor", kind=HoldKind.OTHER_LAW, basis=kept.basis, everything=False, scope=scope,
            ends_on=kept.until, by=by.id, at=now,
        )  # fmt: skip
        key = await self._keyring.new_archive_key(tx.tenant)
        await hold_rows.set_decided(tx, hold_id, HoldState.ACTIVE, by.id, now, key.key_id)
        await hold_rows.set_moved(tx, hold_id)
        held = set(await store.delete_versions(tx, [row for row, _ in kept.records]))
        sealed = [
            seal_record(key, tx.tenant, hold_id, row, record)
            for row, record in kept.records
            if row.record_id in held
        ]  # fmt: skip
        await archive_rows.insert_records(tx, sealed)
        on = Object("legal_hold", str(hold_id))
        await self._events.record(tx, HoldImposed(HoldKind.OTHER_LAW.value, len(sealed)), by=by, on=on)


def fits(rule: Rule | None, limit: Limit) -> bool:
    """Whether a rule keeps to a limit. Until instruction is long enough for every floor, and too long for a ceiling."""
    if rule is None:
        return limit.kind is LimitKind.FLOOR
    if limit.kind is LimitKind.FLOOR:
        return rule.duration.covers(duration_of(limit))
    return duration_of(limit).covers(rule.duration)


def duration_of(limit: Limit) -> Duration:
    """What was verified when the limit was set."""
    return parse_duration(limit.duration) or Duration(0, 0)


def _why(limit: Limit) -> str:
    whose = "every collection" if limit.collection == ALL else "this collection"
    if limit.kind is LimitKind.FLOOR:
        return f"The law has {whose} kept for at least {limit.duration}: {limit.basis}."
    return f"The contract lets {whose} be kept for at most {limit.duration}: {limit.basis}."
