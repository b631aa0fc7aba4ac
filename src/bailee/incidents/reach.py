"""The blast radius: from accounts, keys, sessions, addresses and a window of time to tenants, collections and people.

1. The log says which acts reached stored data: how often, how much, and for acts on one thing, which.
2. Each tenant's own view of its data says whose records and files those were. Only counts leave it; blind indexes of
   the people concerned are kept for the tenant alone.
3. An act on one record, file or person names whom it reached: that is certain. A list or a search says how much it
   gave out, not whom: whoever the collection holds may be among them. What was deleted since counts as possible too.
"""

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.events.catalogue import Reach as Effect
from bailee.events.catalogue import reaching
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.settings import EventRetention, IncidentSettings
from bailee.incidents.model import Reach, ReachedCollection, ReachedTenant, Scope
from bailee.incidents.store import reach as rows
from bailee.incidents.store.reach import Hit
from bailee.stores.reached import Description, Reached
from bailee.tenants.model import TenantKind, TenantState
from bailee.tenants.service import Tenants

_MOST = 200
_AT_ONCE = 6
_LONGEST = timedelta(days=3650)
_RECORD, _FILE, _SUBJECT = ("record.", "support.record_read"), "file.", "subject."
SINGLE = ["record.read", "record.changed", "record.deleted", "file.read", "file.stored", "file.deleted",
          "subject.viewed", "subject.erased", "support.record_read"]  # fmt: skip
"""Actions whose event names the one thing that was reached."""


class Computed(msgspec.Struct, frozen=True):
    """A reach, with the blind indexes of the people who were reached for certain, by tenant."""

    reach: Reach
    holders: dict[TenantId, set[bytes]]


class Tracer:
    """Computes reaches."""

    def __init__(
        self, database: Database, tenants: Tenants, reached: Reached, settings: IncidentSettings,
        kept: EventRetention, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._tenants = tenants
        self._reached = reached
        self._settings = settings
        self._kept = kept
        self._clock = clock

    @property
    def subprocessors(self) -> list[str]:
        """Those of whom it is known what they hold."""
        return sorted(self._settings.subprocessors)

    async def compute(self, scope: Scope, *, by: str, synthetic: bool = False) -> Computed:
        """The blast radius. Raises Invalid for a scope that says nothing. `synthetic` looks at synthetic tenants alone,
        else they are left out.
        """
        scope = self._verify(scope)
        began = time.perf_counter()
        everything = scope.store or scope.subprocessor
        async with self._database.operator_read() as tx:
            hits = [one for one in await rows.list_hits(tx, scope, SINGLE) if one.tenant_id != OPERATOR]
            kind = TenantKind.PROBE if synthetic else TenantKind.CUSTOMER
            tenants = await self._tenants.page(tx, kind=kind, limit=1_000_000)
        of_tenant: dict[TenantId, list[Hit]] = {}
        for hit in hits:
            of_tenant.setdefault(hit.tenant_id, []).append(hit)
        wanted = [
            one for one in tenants
            if one.id in of_tenant or (everything and one.created_at <= scope.until and (
                one.state is not TenantState.TERMINATED or one.updated_at >= scope.since))
        ]  # fmt: skip
        limit = asyncio.Semaphore(_AT_ONCE)

        async def look(tenant_id: TenantId, name: str) -> tuple[ReachedTenant, set[bytes]]:
            async with limit:
                return await self._look(tenant_id, name, of_tenant.get(tenant_id, []), scope, whole=bool(everything))

        found = await asyncio.gather(*(look(one.id, one.name) for one in wanted))
        gone = {one.id for one in wanted if one.state is TenantState.TERMINATED}
        listed = [tenant for tenant, _ in found if tenant.collections or tenant.tenant_id in gone]
        acts = sum(hit.acts for tenant in wanted for hit in of_tenant.get(tenant.id, []))
        reach = Reach(
            new_id(), scope, self._clock.now(), by, acts,
            round(time.perf_counter() - began, 3), sorted(listed, key=lambda one: str(one.tenant_id)),
        )  # fmt: skip
        return Computed(reach, {tenant.tenant_id: holders for tenant, holders in found})

    async def _look(
        self, tenant: TenantId, name: str, hits: list[Hit], scope: Scope, *, whole: bool
    ) -> tuple[ReachedTenant, set[bytes]]:
        """Steps 2 and 3, for one tenant."""
        records = [UUID(one) for hit in hits if hit.action.startswith(_RECORD) for one in hit.objects]
        files = [bytes.fromhex(one) for hit in hits if hit.action.startswith(_FILE) for one in hit.objects]
        subjects = {bytes.fromhex(one) for hit in hits if hit.action.startswith(_SUBJECT) for one in hit.objects}
        listed = {hit.collection for hit in hits if hit.action not in SINGLE and hit.collection}
        async with self._database.tenant_read(tenant) as tx:
            named = await self._reached.name(tx, records, files)
            held = {}
            if whole or listed:
                held = await self._reached.held(tx, scope.until, None if whole else sorted(listed))
            held_files = await self._reached.held_files(tx, scope.until) if whole else None
            names = {hit.collection for hit in hits if hit.collection} | set(held)
            described = await self._reached.describe(tx, sorted(names))
            total = await self._reached.subjects(tx, scope.until) if whole else None
            deleted = await rows.map_deleted(tx, scope.since) if listed else {}
        collections = [
            self._collection(one, [hit for hit in hits if (hit.collection or "") == one], described.get(one),
                             certain=len(named.of_collections.get(one, ())), there=named.records_there.get(one, 0),
                             held=(held[one].records, held[one].subjects) if one in held else None,
                             deleted=deleted.get(one, 0), whole=whole)
            for one in sorted(names)
        ]  # fmt: skip
        other = [hit for hit in hits if not hit.collection]
        if other or (held_files is not None and held_files.files):
            collections.append(
                self._collection("", other, None, certain=len(named.of_files | subjects), there=named.files_there,
                                 held=(held_files.files, held_files.subjects) if held_files else None, deleted=0,
                                 whole=whole)
            )  # fmt: skip
        certain = set().union(*named.of_collections.values(), named.of_files, subjects)
        possible = sum(one.subjects_possible for one in collections)
        if total is not None:
            possible = max(total - len(certain), max((one.subjects_possible for one in collections), default=0))
        times = [(hit.first_at, hit.last_at) for hit in hits]
        tenant_reach = ReachedTenant(
            tenant, name, min((one for one, _ in times), default=None), max((one for _, one in times), default=None),
            collections, len(certain), max(0, possible),
        )  # fmt: skip
        return tenant_reach, certain

    def _collection(
        self, name: str, hits: Sequence[Hit], described: Description | None, *, certain: int, there: int,
        held: tuple[int, int] | None, deleted: int, whole: bool,
    ) -> ReachedCollection:  # fmt: skip
        """One line. `there` of the things that were named still exist; `held` are records and people, now."""
        reading = set(reaching(Effect.READ))
        listed = sum(hit.reached for hit in hits if hit.action not in SINGLE)
        records = held[0] if whole and held else sum(hit.reached for hit in hits)
        things = {one for hit in hits if hit.action.startswith((*_RECORD, _FILE)) for one in hit.objects}
        gone = max(0, len(things) - there)
        open_to = max(0, held[1] - certain) if whole and held else 0
        if not whole:
            open_to = listed if held is None else min(listed, held[1] + deleted)
        return ReachedCollection(
            collection=name, reads=sum(hit.acts for hit in hits if hit.action in reading),
            changes=sum(hit.acts for hit in hits if hit.action not in reading), records=records,
            subjects_certain=certain, subjects_possible=open_to + gone,
            sureness="possible" if open_to + gone else "certain", title=described.title if described else "",
            categories=described.categories if described else [],
        )  # fmt: skip

    def _window_faults(self, scope: Scope) -> list[FieldError]:
        errors: list[FieldError] = []
        if scope.since.tzinfo is None or scope.until.tzinfo is None:
            errors.append(FieldError("since", "Give times with their offset, such as 2026-03-01T12:00:00Z."))
        elif not timedelta(0) < scope.until - scope.since <= _LONGEST:
            errors.append(FieldError("until", "Give an end after the beginning, at most ten years later."))
        elif (kept := self._kept.content_access) and scope.since < self._clock.now() - timedelta(days=kept + 1):
            message = f"What is older than {kept} days has been forgotten: the log cannot say whom that concerns."
            errors.append(FieldError("since", message))
        return errors

    def _verify(self, scope: Scope) -> Scope:
        errors = self._window_faults(scope)
        criteria: list[Sequence[object]] = [scope.accounts, scope.keys, scope.sessions, scope.addresses]
        if not any(criteria) and not scope.store and not scope.subprocessor:
            message = "Name an account, key, session or address, or the store or subprocessor that was open."
            errors.append(FieldError("accounts", message))
        for name, one in zip(("accounts", "keys", "sessions", "addresses"), criteria, strict=True):
            if len(one) > _MOST:
                errors.append(FieldError(name, f"Name at most {_MOST}."))
        if scope.subprocessor and scope.subprocessor not in self._settings.subprocessors:
            message = "What it holds is not known: name it under incidents.subprocessors in the settings."
            errors.append(FieldError("subprocessor", message))
        addresses = []
        for one in scope.addresses[:_MOST]:
            try:
                addresses.append(str(ipaddress.ip_address(one.strip())))
            except ValueError:
                errors.append(FieldError("addresses", "Give addresses such as 192.0.2.7 or 2001:db8::1."))
        if errors:
            raise Invalid("The blast radius cannot be computed.", errors=errors)
        return msgspec.structs.replace(scope, addresses=addresses)
