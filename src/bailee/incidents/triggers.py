"""Alerts open incidents: which ones, and with which playbook, is set by triggers."""

from uuid import UUID

from bailee.events import Events, Object, verb
from bailee.events.catalogue import IncidentTriggerRemoved, IncidentTriggerSet
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import Principal, system
from bailee.incidents.incidents import Incidents
from bailee.incidents.model import EXTENTS, IMPACTS, Trigger
from bailee.incidents.store import incidents as rows
from bailee.monitoring.alerts import Alerts, Raised
from bailee.monitoring.sigma.rules import RuleSet

LEVELS = ("low", "medium", "high", "critical")
_BY = system("alerts")


class Triggers:
    """The register of triggers, and what they do."""

    def __init__(self, events: Events, incidents: Incidents, alerts: Alerts, rules: RuleSet) -> None:
        self._events = events
        self._incidents = incidents
        self.rules = {UUID(one.id): one.title for one in rules.rules}
        self.rules |= {UUID(one.id): one.title for one in rules.correlations}
        """The title of each rule by its id."""
        alerts.on_opened(self.take)

    async def every(self, tx: OperatorReader) -> list[Trigger]:
        return await rows.list_triggers(tx)

    @verb(IncidentTriggerSet, permission="incidents.set_trigger", step_up=True)
    async def put(
        self, tx: OperatorWriter, *, rule_id: UUID | None, level: str | None, playbook: str, impact: str, extent: str,
        by: Principal,
    ) -> Trigger:  # fmt: skip
        """Has the alerts of one rule, or all from `level` on, open an incident. One takes the place of the earlier of
        the same rule, or of the earlier level. Raises Invalid.
        """
        errors = []
        if (rule_id is None) == (level is None):
            errors.append(FieldError("rule_id", "Give either a rule or a level."))
        if rule_id is not None and rule_id not in self.rules:
            errors.append(FieldError("rule_id", "There is no rule with that id; `bailee rules list` shows them."))
        if level is not None and level not in LEVELS:
            errors.append(FieldError("level", f"Choose one of: {', '.join(LEVELS)}."))
        if playbook and playbook not in self._incidents.playbooks:
            errors.append(FieldError("playbook", f"Choose one of: {', '.join(self._incidents.playbooks)}."))
        if impact not in IMPACTS:
            errors.append(FieldError("impact", f"Choose one of: {', '.join(IMPACTS)}."))
        if extent not in EXTENTS:
            errors.append(FieldError("extent", f"Choose one of: {', '.join(EXTENTS)}."))
        if errors:
            raise Invalid("The trigger is not set.", errors=errors)
        trigger_id = new_id()
        row: dict[str, object] = {
            "id": trigger_id, "rule_id": rule_id, "level": level, "playbook": playbook, "impact": impact,
            "extent": extent, "created_by": by.id,
        }  # fmt: skip
        await rows.put_trigger(tx, row)
        on = Object("trigger", str(trigger_id))
        await self._events.record(tx, IncidentTriggerSet(rule_id is not None), by=by, on=on)
        return next(one for one in await rows.list_triggers(tx) if one.id == trigger_id)

    @verb(IncidentTriggerRemoved, permission="incidents.remove_trigger", step_up=True)
    async def remove(self, tx: OperatorWriter, trigger_id: UUID, *, by: Principal) -> None:
        """Raises NotFound."""
        if not await rows.delete_trigger(tx, trigger_id):
            raise NotFound
        await self._events.record(tx, IncidentTriggerRemoved(), by=by, on=Object("trigger", str(trigger_id)))

    async def take(self, tx: OperatorWriter, alert_id: UUID, raised: Raised, tenant: TenantId) -> None:
        """A new alert: opens an incident, or is added to the one that the same rule has open for the same tenant."""
        levels = list(LEVELS[: LEVELS.index(raised.level) + 1]) if raised.level in LEVELS else []
        trigger = await rows.find_trigger(tx, raised.rule_id, levels)
        if trigger is None:
            return
        incident_id = await rows.find_of_rule(tx, tenant, raised.rule_id)
        if incident_id is None:
            about = "the operator's own systems, or several customers" if tenant == OPERATOR else f"the tenant {tenant}"
            incident = await self._incidents.open(
                tx, title=raised.title[:200], summary=f"{raised.reason[:3000]}\n\nIt concerns {about}.",
                impact=trigger.impact, extent=trigger.extent, by_alert=True, by=_BY,
            )  # fmt: skip
            incident_id = incident.id
            if trigger.playbook in self._incidents.playbooks:
                await self._incidents.follow_playbook(tx, incident_id, trigger.playbook, by=_BY)
        await self._incidents.link_alert(tx, incident_id, alert_id, by=_BY)
