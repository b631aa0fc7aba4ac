"""The verbs of limits: floors that a tenant sets, ceilings that the operator sets as the contract says."""

from bailee.events import Events, Object, verb
from bailee.events.catalogue import RetentionLimitRemoved, RetentionLimitSet
from bailee.events.verbs import WITHIN
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.principal import Principal
from bailee.foundation.texts import read_line
from bailee.retention.errors import LimitContradicted
from bailee.retention.model import ALL, Limit, LimitKind
from bailee.retention.store import limits as rows
from bailee.retention.withholding import duration_of, fits
from bailee.stores import store
from bailee.stores.datamap import NAME
from bailee.stores.durations import parse_duration

_EVERY = 100_000
_SHOWN = 20


class Limits:
    """The limits of one tenant at a time."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def every(self, tx: TenantReader) -> list[Limit]:
        """Ceilings, then floors."""
        return await rows.list_limits(tx)

    @verb(RetentionLimitSet, permission="retention.set_floor", step_up=True)
    async def set_floor(
        self, tx: TenantWriter, *, collection: str, at_least: str, basis: str, by: Principal
    ) -> Limit:  # fmt: skip
        """Says that the law has a collection, or with `*` all, kept so long. Raises Invalid, NotFound,
        LimitContradicted.
        """
        return await self.put(tx, LimitKind.FLOOR, collection, at_least, basis, by=by)

    @verb(RetentionLimitSet, permission="retention.set_ceiling", step_up=True)
    async def set_ceiling(
        self, tx: TenantWriter, *, collection: str, at_most: str, basis: str, by: Principal
    ) -> Limit:  # fmt: skip
        """Says that the contract lets a collection, or with `*` all, be kept so long. Errors as for a floor."""
        return await self.put(tx, LimitKind.CEILING, collection, at_most, basis, by=by)

    @verb(RetentionLimitRemoved, permission="retention.remove_floor", step_up=True)
    async def remove_floor(self, tx: TenantWriter, collection: str, *, by: Principal) -> None:
        """Raises NotFound."""
        await self.remove(tx, LimitKind.FLOOR, collection, by=by)

    @verb(RetentionLimitRemoved, permission="retention.remove_ceiling", step_up=True)
    async def remove_ceiling(self, tx: TenantWriter, collection: str, *, by: Principal) -> None:
        """Raises NotFound."""
        await self.remove(tx, LimitKind.CEILING, collection, by=by)

    @verb(RetentionLimitSet, permission=WITHIN)
    async def put(
        self, tx: TenantWriter, kind: LimitKind, collection: str, duration: str, basis: str, *, by: Principal
    ) -> Limit:
        """What both kinds share."""
        errors: list[FieldError] = []
        basis = read_line("basis", basis, errors)
        if parse_duration(duration) is None:
            name = "at_least" if kind is LimitKind.FLOOR else "at_most"
            errors.append(FieldError(name, "Give an ISO 8601 duration in days or more, such as P10Y."))
        if collection != ALL and not NAME.fullmatch(collection):
            errors.append(FieldError("collection", "Name a collection, or * for all."))
        if errors:
            raise Invalid("The limit is not set.", errors=errors)
        await rows.hold_maps(tx, alone=True)
        if collection != ALL and await store.find_collection(tx, collection) is None:
            raise NotFound
        await rows.put_limit(tx, kind, collection, duration, basis, by.id)
        limit = next(one for one in await rows.list_limits(tx) if (one.kind, one.collection) == (kind, collection))
        await self._verify(tx, limit)
        details = RetentionLimitSet(kind.value, None if collection == ALL else collection, duration_of(limit).in_days)
        await self._events.record(tx, details, by=by, on=Object("retention_limit", kind.value))
        return limit

    @verb(RetentionLimitRemoved, permission=WITHIN)
    async def remove(self, tx: TenantWriter, kind: LimitKind, collection: str, *, by: Principal) -> None:
        """What both kinds share."""
        if not await rows.delete_limit(tx, kind, collection):
            raise NotFound
        details = RetentionLimitRemoved(kind.value, None if collection == ALL else collection)
        await self._events.record(tx, details, by=by, on=Object("retention_limit", kind.value))

    async def _verify(self, tx: TenantWriter, limit: Limit) -> None:
        maps = await store.list_collections(tx, after="", limit=_EVERY)
        against = [
            one.name for one in maps if limit.collection in (ALL, one.name) and not fits(one.definition.rule(), limit)
        ]
        if against:
            raise LimitContradicted(
                "Change these collections' retention first: "
                + ", ".join(against[:_SHOWN])
                + (" and more." if len(against) > _SHOWN else ".")
            )
