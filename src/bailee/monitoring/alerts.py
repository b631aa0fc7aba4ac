"""Alerts: what rules have found, told once, and handled by people (TOM 4.2).

An alert belongs to a tenant if everything it is about does: it shows in that tenant's console too. One that is about
several tenants, or about the operator's own things, is the operator's alone.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.accounts import verify_reason
from bailee.access.holders import member_holds, staff_holds
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as member_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    AlertAcknowledged,
    AlertAssigned,
    AlertClosed,
    AlertNoted,
    AlertOpened,
    AlertsSuppressed,
    SuppressionEnded,
)
from bailee.events.verbs import SYSTEM
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter, Reader, TenantReader, Writer
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Mail, Message
from bailee.foundation.principal import Principal, system
from bailee.foundation.texts import read_prose
from bailee.ledger.commitment import canonical
from bailee.monitoring.model import RESOLUTIONS, Alert, AlertNote, AlertStatus, Level, Suppression
from bailee.monitoring.quiet import QuietHours
from bailee.monitoring.store import alerts as rows
from bailee.monitoring.store import stream
from bailee.monitoring.webhooks import Webhooks

MAX_EVENTS = 1000
"""Events that an alert names."""
MAX_LETTERS = 20
"""Alerts of the level `high` that are mailed within an hour, for one tenant: more would be read by nobody."""
_IN_DIGEST = 30
_DETECTOR = system("detector")
_LONGEST = timedelta(days=90)
GUARDED = frozenset({"high", "critical"})
"""Levels that are mailed, and that no tenant can suppress."""
_OPERATORS = ["owner", "security_officer"]
_TENANTS = ["owner", "administrator"]


class Raised(msgspec.Struct, frozen=True):
    """What a rule has found: to become an alert, or to be counted to one that is open."""

    rule_id: UUID
    title: str
    level: Level
    grouped_by: dict[str, object]
    reason: str
    time: float
    event_ids: list[UUID]
    metric: float | None
    matches: int = 1
    """How often the rule held for the group; `time` is of the last of them."""

    @property
    def digest(self) -> bytes:
        """What alerts of one rule are told apart by."""
        return hashlib.sha256(canonical({"rule": str(self.rule_id), "group": self.grouped_by})).digest()


type Watcher = Callable[[OperatorWriter, UUID, Raised, TenantId], Awaitable[None]]
"""Acts on a new alert, in the transaction that opens it."""


class Alerts:
    """The register of alerts."""

    def __init__(
        self, database: Database, events: Events, mail: Mail, webhooks: Webhooks, quiet: QuietHours, base_url: str,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._mail = mail
        self._webhooks = webhooks
        self._quiet = quiet
        self._base = base_url
        self._clock = clock
        self._watchers: list[Watcher] = []

    def on_opened(self, watcher: Watcher) -> None:
        """Has every new alert told to a room above."""
        self._watchers.append(watcher)

    @verb(AlertOpened, permission=SYSTEM)
    async def open(self, tx: OperatorWriter, raised: Raised, tenant: TenantId, *, by: Principal) -> UUID:
        """A new alert, for a tenant or the operator; those in charge of it are written to where it is grave."""
        alert_id = new_id()
        moment = datetime.fromtimestamp(raised.time, UTC)
        await rows.open_or_count(tx, _row(raised, tenant, alert_id, moment))
        details = AlertOpened(f"rule:{raised.rule_id}", raised.level, len(raised.event_ids))
        await self._events.record(tx, details, by=by, on=Object("alert", str(alert_id)), tenant=_named(tenant))
        if raised.level in GUARDED:
            new = await rows.count_new(tx, tenant, raised.level)
            held_back = self._quiet.holds(self._clock.now()) or new > MAX_LETTERS
            if raised.level == "critical" or not held_back:
                for email in await self._in_charge(tx, tenant):
                    await self._mail.queue(tx, self._letter(email, raised, alert_id, last=new == MAX_LETTERS))
                await rows.set_mailed(tx, [alert_id])
        facts = {
            "alert": str(alert_id), "rule": str(raised.rule_id), "title": raised.title, "level": raised.level,
            "reason": raised.reason, "at": moment.isoformat(), "url": f"{self._base}/alerts/{alert_id}",
        }  # fmt: skip
        for owner in {tenant, OPERATOR}:
            await self._webhooks.tell(tx, owner, "alerts", facts)
        for watcher in self._watchers:
            await watcher(tx, alert_id, raised, tenant)
        return alert_id

    def register(self, jobs: Jobs) -> None:
        """Sums up, every few minutes, what was not written about."""
        jobs.every("*/5 * * * *", "monitoring.sum_up", self.sum_up)

    async def sum_up(self) -> None:
        """One letter about the alerts that quiet hours, or a flood, have held back and that nobody has closed."""
        if self._quiet.holds(self._clock.now()):
            return
        async with self._database.operator() as tx:
            held: dict[TenantId, list[Alert]] = {}
            for alert in await rows.list_held_back(tx):
                held.setdefault(alert.tenant_id, []).append(alert)
            for tenant, alerts in held.items():
                for email in await self._in_charge(tx, tenant):
                    await self._mail.queue(tx, self._digest(email, alerts))
                await rows.set_mailed(tx, [one.id for one in alerts])

    def _digest(self, to: str, alerts: list[Alert]) -> Message:
        shown = "\n".join(f"- {one.title}: {self._base}/alerts/{one.id}" for one in alerts[:_IN_DIGEST])
        more = f"\n… and {len(alerts) - _IN_DIGEST} more: {self._base}/alerts" if len(alerts) > _IN_DIGEST else ""
        return Message(
            to=to, subject=f"{len(alerts)} alerts (high) have not been mailed to you yet",
            text=f"They were held back, for quiet hours or because they were many; nobody has closed them:\n\n{shown}"
            f"{more}\n",
        )  # fmt: skip

    async def take(self, tx: OperatorWriter, found: list[Raised]) -> None:
        """Has what was found become alerts, or count to those that are open, but for what is suppressed.

        What belongs to one alert is written once, so that a flood of matches costs no more than one.
        """
        tenants = await stream.map_tenants(tx, list({event for one in found for event in one.event_ids}))
        together: dict[tuple[TenantId, bytes], Raised] = {}
        for one in found:
            key = (_owner({tenants[event] for event in one.event_ids if event in tenants}), one.digest)
            together[key] = _merged(together[key], one) if key in together else one
        for (tenant, _), one in together.items():
            await self._take_one(tx, one, tenant)

    async def _take_one(self, tx: OperatorWriter, raised: Raised, tenant: TenantId) -> None:
        if await rows.suppress_if_asked(tx, tenant, raised.rule_id, raised.digest, raised.matches):
            return
        alert_id = await rows.find_open(tx, tenant, raised.digest)
        if alert_id is None:
            alert_id = await self.open(tx, raised, tenant, by=_DETECTOR)
        else:
            moment = datetime.fromtimestamp(raised.time, UTC)
            await rows.open_or_count(tx, _row(raised, tenant, alert_id, moment))
        await rows.add_events(tx, tenant, alert_id, raised.event_ids, MAX_EVENTS)

    # --- looking --------------------------------------------------------------------------------------

    async def page(
        self, tx: Reader, *, status: str | None = None, level: str | None = None, tenant: UUID | None = None,
        before: UUID | None = None, limit: int = 100,
    ) -> list[Alert]:  # fmt: skip
        """Alerts that `tx` may see, newest first. `status` may be `unfinished`: open or acknowledged."""
        return await rows.list_alerts(tx, status=status, level=level, tenant=tenant, before=before, limit=limit)

    async def learning(self, tx: Reader) -> int:
        """For staff: of how many callers it is still being learnt what is usual."""
        return await stream.count_learning(tx) if isinstance(tx, OperatorReader) else 0

    async def get(self, tx: Reader, alert_id: UUID) -> Alert:
        """Raises NotFound, as for somebody else's."""
        found = await rows.find_alert(tx, alert_id)
        if found is None:
            raise NotFound
        return found

    async def events_of(self, tx: Reader, alert_id: UUID, limit: int = MAX_EVENTS) -> list[UUID]:
        """The events that an alert is about, the newest first. Raises NotFound."""
        await self.get(tx, alert_id)
        return await rows.list_event_ids(tx, alert_id, limit)

    async def notes(self, tx: Reader, alert_id: UUID) -> list[AlertNote]:
        """What was written about it, oldest first. Raises NotFound."""
        await self.get(tx, alert_id)
        return await rows.list_notes(tx, alert_id)

    # --- handling -------------------------------------------------------------------------------------

    @verb(AlertAcknowledged, permission="alerts.acknowledge")
    async def acknowledge(self, tx: Writer, alert_id: UUID, *, by: Principal) -> Alert:
        """Somebody is at it. Raises NotFound, or Conflict for one that is not open."""
        alert = await self.get(tx, alert_id)
        if not await rows.set_status(tx, alert_id, [AlertStatus.OPEN.value], AlertStatus.ACKNOWLEDGED.value):
            raise Conflict(f"This alert is {alert.status.value}.")
        await self._events.record(tx, AlertAcknowledged(), by=by, on=_object(alert), tenant=_named(alert.tenant_id))
        return await self.get(tx, alert_id)

    @verb(AlertAssigned, permission="alerts.assign")
    async def assign(self, tx: Writer, alert_id: UUID, assignee: UUID | None, *, by: Principal) -> Alert:
        """Who is to look after it, or nobody. Raises NotFound, or Invalid for an account that could not see it."""
        alert = await self.get(tx, alert_id)
        if assignee is not None and str(assignee) != by.id and not await self._may_see(tx, assignee):
            message = "Name an account of the people who handle alerts here."
            raise Invalid("The alert is not assigned.", errors=[FieldError("assignee", message)])
        await rows.assign(tx, alert_id, assignee)
        details = AlertAssigned(assignee is not None)
        await self._events.record(tx, details, by=by, on=_object(alert), tenant=_named(alert.tenant_id))
        return await self.get(tx, alert_id)

    @verb(AlertClosed, permission="alerts.close")
    async def close(self, tx: Writer, alert_id: UUID, *, resolution: str, by: Principal) -> Alert:
        """Done with it: `handled`, `expected` or a `false_alarm`. The next match opens a new one.

        Raises NotFound, Invalid, or Conflict for one that is closed.
        """
        if resolution not in RESOLUTIONS:
            message = f"Choose one of: {', '.join(RESOLUTIONS)}."
            raise Invalid("The alert is not closed.", errors=[FieldError("resolution", message)])
        alert = await self.get(tx, alert_id)
        if not await rows.close(tx, alert_id, resolution, by.id):
            raise Conflict("This alert is closed already.")
        details = msgspec.convert({"resolution": resolution}, AlertClosed)
        await self._events.record(tx, details, by=by, on=_object(alert), tenant=_named(alert.tenant_id))
        return await self.get(tx, alert_id)

    @verb(AlertNoted, permission="alerts.note")
    async def note(self, tx: Writer, alert_id: UUID, text: str, *, by: Principal) -> list[AlertNote]:
        """Adds a note; the notes there are now. Raises NotFound, Invalid."""
        errors: list[FieldError] = []
        text = read_prose("note", text, errors)
        if errors:
            raise Invalid("The note is not kept.", errors=errors)
        alert = await self.get(tx, alert_id)
        await rows.insert_note(tx, alert.tenant_id, alert_id, new_id(), by.id, text)
        await self._events.record(tx, AlertNoted(), by=by, on=_object(alert), tenant=_named(alert.tenant_id))
        return await rows.list_notes(tx, alert_id)

    # --- suppressing ----------------------------------------------------------------------------------

    @verb(AlertsSuppressed, permission="alerts.suppress", step_up=True)
    async def suppress(
        self, tx: Writer, alert_id: UUID, *, days: int, reason: str, everything: bool, by: Principal
    ) -> Suppression:
        """Has a rule told no more for 1 to 90 days: of what an alert's group is, or of `everything` that it finds here.

        What would have been told is counted. Raises NotFound, Invalid;
        Conflict to a tenant that would hide from the operator what is grave.
        """
        reason = verify_reason(reason)
        if not 1 <= days <= _LONGEST.days:
            message = f"Choose 1 to {_LONGEST.days} days."
            raise Invalid("Nothing is suppressed.", errors=[FieldError("days", message)])
        alert = await self.get(tx, alert_id)
        if isinstance(tx, TenantReader) and alert.level in GUARDED:
            raise Conflict(f"What is {alert.level} is told to the operator too, whose staff alone can suppress it.")
        digest = None if everything else await rows.find_digest(tx, alert_id)
        suppression_id = new_id()
        await rows.insert_suppression(
            tx, suppression_id, alert, digest, reason, by.id, self._clock.now() + timedelta(days=days)
        )  # fmt: skip
        details = AlertsSuppressed(f"rule:{alert.rule_id}", days, everything)
        on = Object("suppression", str(suppression_id))
        await self._events.record(tx, details, by=by, on=on, tenant=_named(alert.tenant_id))
        return await self.get_suppression(tx, suppression_id)

    @verb(SuppressionEnded, permission="alerts.end_suppression")
    async def end_suppression(self, tx: Writer, suppression_id: UUID, *, by: Principal) -> Suppression:
        """Has the rule told again. Raises NotFound, Conflict."""
        await self.get_suppression(tx, suppression_id)
        if not await rows.end_suppression(tx, suppression_id):
            raise Conflict("This suppression is over already.")
        on = Object("suppression", str(suppression_id))
        tenant = tx.tenant if isinstance(tx, TenantReader) else None
        await self._events.record(tx, SuppressionEnded(), by=by, on=on, tenant=tenant)
        return await self.get_suppression(tx, suppression_id)

    async def get_suppression(self, tx: Reader, suppression_id: UUID) -> Suppression:
        """Raises NotFound."""
        found = await rows.find_suppression(tx, suppression_id)
        if found is None:
            raise NotFound
        return found

    async def suppressions(self, tx: Reader, *, before: UUID | None = None, limit: int = 100) -> list[Suppression]:
        """Newest first."""
        return await rows.list_suppressions(tx, before=before, limit=limit)

    # --- inside ---------------------------------------------------------------------------------------

    async def _in_charge(self, tx: OperatorWriter, tenant: TenantId) -> list[str]:
        found = await account_rows.list_staff_emails(tx, _OPERATORS)
        if tenant != OPERATOR:
            found += await member_rows.list_emails_in(tx, tenant, _TENANTS)
        return found

    async def _may_see(self, tx: Writer, account_id: UUID) -> bool:
        if isinstance(tx, TenantReader):
            return await member_holds(tx, account_id, "alerts.read")
        return isinstance(tx, OperatorWriter) and await staff_holds(tx, account_id, "alerts.read")

    def _letter(self, to: str, raised: Raised, alert_id: UUID, *, last: bool) -> Message:
        more = "" if not last or raised.level == "critical" else (
            f"\nThere were {MAX_LETTERS} such alerts within an hour. Further ones are not mailed for now: see "
            f"{self._base}/alerts\n"
        )  # fmt: skip
        return Message(
            to=to,
            subject=f"Alert ({raised.level}): {raised.title}",
            text=f"{raised.title}.\n\n{raised.reason}\n\nLook at what it is about, and close it when it is dealt with: "
            f"{self._base}/alerts/{alert_id}\n{more}",
        )


def _owner(tenants: set[TenantId]) -> TenantId:
    """Whose an alert is: the one tenant's whose events it is about, else the operator's."""
    return next(iter(tenants)) if len(tenants) == 1 else OPERATOR


def _merged(before: Raised, after: Raised) -> Raised:
    """Two findings of one alert as one."""
    metrics = [one for one in (before.metric, after.metric) if one is not None]
    events = list(dict.fromkeys([*before.event_ids, *after.event_ids]))
    return msgspec.structs.replace(
        after, event_ids=events[-MAX_EVENTS:], metric=max(metrics, default=None), matches=before.matches + after.matches
    )


def _row(raised: Raised, tenant: TenantId, alert_id: UUID, moment: datetime) -> rows.NewAlert:
    return rows.NewAlert(
        tenant, alert_id, raised.rule_id, raised.title, raised.level, raised.digest, raised.grouped_by, raised.reason,
        raised.matches, raised.metric, moment, moment,
    )  # fmt: skip


def _named(tenant: TenantId) -> TenantId | None:
    return None if tenant == OPERATOR else tenant


def _object(alert: Alert) -> Object:
    return Object("alert", str(alert.id))
