"""Events of a tenant's own product: reported by it, in closed schemas, and looked at by the same rules as ours.

Nothing free-form gets in, as into our own: numbers, yes or no, values of a list, and references. A reference, such as
the product's name for one of its users, is kept as a blind index under the tenant's key: the same one is known again,
and none can be read.
"""

import ipaddress
import re
from typing import Any

from bailee.encryption.blind_index import normalise
from bailee.encryption.service import Keyring
from bailee.events import Events, Object, verb
from bailee.events.catalogue import EventTypeDefined, EventTypeRemoved, ProductEvent
from bailee.events.model import Outcome
from bailee.foundation.database import TenantReader, TenantWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.principal import Principal
from bailee.foundation.texts import read_line
from bailee.monitoring.model import EventField, EventType, ReportedEvent
from bailee.monitoring.store import intake as rows

MAX_EVENTS = 500
MAX_TYPES = 200
_MAX_FIELDS = 20
_MAX_VALUES = 100
_MAX_REFERENCE = 256
_MAX_NUMBER = 2**53
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_VALUE = re.compile(r"[a-z][a-z0-9_.:-]{0,62}", re.ASCII)
_SCOPE = "product_events"


class Intake:
    """The schemas, and the way in."""

    def __init__(self, keyring: Keyring, events: Events) -> None:
        self._keyring = keyring
        self._events = events

    async def types(self, tx: TenantReader) -> list[EventType]:
        """The tenant's schemas, by name."""
        return await rows.list_types(tx)

    @verb(EventTypeDefined, permission="event_types.define")
    async def define(
        self, tx: TenantWriter, name: str, *, title: str, fields: dict[str, EventField], by: Principal
    ) -> EventType:
        """A new schema, or another one for a name. Raises Invalid, Conflict for one too many."""
        errors: list[FieldError] = []
        if not _NAME.fullmatch(name):
            errors.append(FieldError("name", "Name it in lower-case letters, digits and _."))
        title = read_line("title", title, errors)
        if len(fields) > _MAX_FIELDS:
            errors.append(FieldError("fields", f"An event has at most {_MAX_FIELDS} fields."))
        for field, kind in [*fields.items()][:_MAX_FIELDS]:
            if not _NAME.fullmatch(field):
                errors.append(FieldError(f"fields.{field[:63]}", "Name it in lower-case letters, digits and _."))
            elif (kind.type == "choice") != bool(kind.values) or not all(
                _VALUE.fullmatch(one) for one in kind.values[:_MAX_VALUES]
            ):
                errors.append(FieldError(f"fields.{field}.values", "A choice, and nothing else, lists its values."))
            elif len(kind.values) > _MAX_VALUES or len(set(kind.values)) != len(kind.values):
                errors.append(FieldError(f"fields.{field}.values", f"List up to {_MAX_VALUES} values, each once."))
        if errors:
            raise Invalid("The schema is not kept.", errors=errors)
        present = {one.name for one in await rows.list_types(tx)}
        if name not in present and len(present) >= MAX_TYPES:
            raise Conflict(f"There are {MAX_TYPES} schemas. Remove one first.")
        await rows.put_type(tx, EventType(name, title, fields))
        details = EventTypeDefined(name, len(fields))
        await self._events.record(tx, details, by=by, on=Object("event_type", name))
        return next(one for one in await rows.list_types(tx) if one.name == name)

    @verb(EventTypeRemoved, permission="event_types.remove")
    async def remove(self, tx: TenantWriter, name: str, *, by: Principal) -> None:
        """No more events of that kind are taken; those that were stay. Raises NotFound."""
        if not await rows.delete_type(tx, name):
            raise NotFound
        await self._events.record(tx, EventTypeRemoved(), by=by, on=Object("event_type", name))

    @verb(ProductEvent, permission="events.report")
    async def report(self, tx: TenantWriter, reported: list[ReportedEvent], *, by: Principal) -> int:
        """Records events, all or none; how many. Raises Invalid, naming every fault."""
        if not 1 <= len(reported) <= MAX_EVENTS:
            message = f"Report 1 to {MAX_EVENTS} events at once."
            raise Invalid("Nothing is recorded.", errors=[FieldError("events", message)])
        schemas = {one.name: one for one in await rows.list_types(tx)}
        errors = [
            FieldError(f"events[{place}].{path}", message)
            for place, one in enumerate(reported)
            for path, message in _faults(one, schemas.get(one.type))
        ]
        if errors:
            raise Invalid("Nothing is recorded.", errors=errors[:100])
        key = await self._keyring.index_key(tx.tenant)

        def blind(reference: str) -> str:
            return key.token(_SCOPE, normalise("exact", reference)).hex()

        for one in reported:
            fields = schemas[one.type].fields
            values = {
                name: blind(str(value)) if fields[name].type == "reference" else value
                for name, value in one.values.items()
            }
            whom = Object("product_user", blind(one.user)) if one.user else None
            details = ProductEvent(one.type, values, one.address)
            await self._events.record(tx, details, by=by, on=whom, outcome=Outcome(one.outcome))
        return len(reported)


def _faults(one: ReportedEvent, schema: EventType | None) -> list[tuple[str, str]]:
    """What is wrong with an event, by where."""
    if schema is None:
        return [("type", "There is no schema of that name. Define it first.")]
    found = []
    if one.address is not None and not _is_address(one.address):
        found.append(("address", "Give an address such as 192.0.2.7."))
    if one.user is not None and not _is_reference(one.user):
        found.append(("user", f"Give 1 to {_MAX_REFERENCE} printable characters."))
    for name, value in one.values.items():
        kind = schema.fields.get(name)
        if kind is None:
            found.append((f"values.{name[:63]}", "The schema has no such field."))
        elif not _fits(kind, value):
            found.append((f"values.{name}", f"This is no {kind.type} that the schema allows."))
    return found


def _fits(kind: EventField, value: Any) -> bool:
    if kind.type == "number":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER
    if kind.type == "flag":
        return isinstance(value, bool)
    if kind.type == "choice":
        return value in kind.values
    return isinstance(value, str) and _is_reference(value)


def _is_reference(text: str) -> bool:
    return 1 <= len(text) <= _MAX_REFERENCE and text.isprintable()


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False
