"""Webhooks: what happens, told by HTTPS to an address that the customer or the operator has named.

Signed as Standard Webhooks says: HMAC-SHA-256 over `id.timestamp.body`, in the header `webhook-signature`. A delivery
is made at least once; all attempts carry the same `webhook-id`, by which a receiver knows it again. What nobody takes
after the last attempt is dead, stays to be seen for thirty days, and can be sent again.
"""

import base64
import hmac
import secrets
from typing import Any
from uuid import UUID

import msgspec
import structlog

from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.events import Events, Object, verb
from bailee.events.catalogue import WebhookAdded, WebhookRemoved, WebhookSentAgain, WebhookTried
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, Reader, TenantReader, Writer
from bailee.foundation.errors import ConfigurationError, Conflict, Error, FieldError, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import Outcome
from bailee.foundation.outbound import Outbound, Unanswered, is_plain_https
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Monitoring
from bailee.monitoring.model import TOPICS, Webhook, WebhookDelivery
from bailee.monitoring.store import webhooks as rows

log = structlog.get_logger()

DELIVER_JOB = "webhooks.deliver"
MAX_ATTEMPTS = 9
"""With the pauses of the queue these spread over a day."""
MAX_WEBHOOKS = 20
MAX_WAITING = 20
"""Deliveries that may wait for one webhook when somebody tries it out."""
KEEP_DAYS = 30
_SECRET_BYTES = 32
_SUCCESS = range(200, 300)
_GONE = 410


class NewWebhook(Webhook, frozen=True, kw_only=True):
    """A webhook with its secret, which is shown this once."""

    secret: str


class Undelivered(Error):
    """Nobody took a delivery; the queue tries it again."""

    code = "undelivered"
    status = 503
    title = "A webhook could not be delivered"


class Webhooks:
    """The register of webhooks, and the way to them. `key` seals their secrets."""

    def __init__(
        self, database: Database, events: Events, jobs: Jobs, settings: Monitoring, key: DataKey, clock: Clock
    ) -> None:
        self._database = database
        self._events = events
        self._jobs = jobs
        self._key = key
        self._clock = clock
        self._outcomes: list[Outcome] = []
        try:
            self._out = Outbound(settings.webhook_ca_file, allow_private=settings.webhook_allow_private)
        except OSError:
            raise ConfigurationError("monitoring.webhook_ca_file holds no certificates.") from None

    def register(self, jobs: Jobs) -> None:
        """Makes delivery and the hourly sweep known to the worker."""
        jobs.register(DELIVER_JOB, self.deliver, outward=True)
        jobs.every("49 * * * *", "webhooks.sweep", self.sweep)

    def on_outcome(self, tell: Outcome) -> None:
        """Has it told what became of each delivery, by its id."""
        self._outcomes.append(tell)

    async def close(self) -> None:
        await self._out.close()

    # --- the register -----------------------------------------------------------------------------------

    async def every(self, tx: Reader) -> list[Webhook]:
        return await rows.list_webhooks(tx, _owner(tx))

    async def get(self, tx: Reader, webhook_id: UUID) -> Webhook:
        """Raises NotFound."""
        found = await rows.find_webhook(tx, _owner(tx), webhook_id)
        if found is None:
            raise NotFound
        return found

    @verb(WebhookAdded, permission="webhooks.add", step_up=True, lasting=True)
    async def add(self, tx: Writer, *, url: str, topics: list[str], by: Principal) -> NewWebhook:
        """A webhook, with the secret that signs what goes there. Raises Invalid, Conflict for one too many."""
        errors = []
        if not is_plain_https(url):
            errors.append(FieldError("url", "Give a plain https URL, without credentials or fragment."))
        if not topics or not set(topics) <= set(TOPICS):
            errors.append(FieldError("topics", f"Choose of: {', '.join(TOPICS)}."))
        if errors:
            raise Invalid("The webhook is not added.", errors=errors)
        if len(await rows.list_webhooks(tx, _owner(tx))) >= MAX_WEBHOOKS:
            raise Conflict(f"There are {MAX_WEBHOOKS} webhooks. Remove one first.")
        webhook_id, secret = new_id(), secrets.token_bytes(_SECRET_BYTES)
        sealed = seal(self._key, secret, _place(_owner(tx), webhook_id))
        await rows.insert_webhook(tx, _owner(tx), webhook_id, url, sorted(set(topics)), sealed, by.id)
        await self._events.record(tx, WebhookAdded(sorted(set(topics))), by=by, on=_object(webhook_id))
        made = await self.get(tx, webhook_id)
        shown = "whsec_" + base64.b64encode(secret).decode()
        return NewWebhook(**msgspec.structs.asdict(made), secret=shown)

    @verb(WebhookRemoved, permission="webhooks.remove")
    async def remove(self, tx: Writer, webhook_id: UUID, *, by: Principal) -> None:
        """Nothing more goes there. Raises NotFound."""
        await self.get(tx, webhook_id)
        await rows.remove_webhook(tx, _owner(tx), webhook_id)
        await self._events.record(tx, WebhookRemoved(), by=by, on=_object(webhook_id))

    @verb(WebhookTried, permission="webhooks.try")
    async def try_out(self, tx: Writer, webhook_id: UUID, *, by: Principal) -> UUID:
        """Sends something harmless; the delivery to look for. Raises NotFound."""
        await self.get(tx, webhook_id)
        if await rows.count_waiting(tx, _owner(tx), webhook_id) >= MAX_WAITING:
            raise Conflict("Much is on its way there already. Wait for it, or look why nobody takes it.")
        delivery = await self._queue(tx, _owner(tx), webhook_id, "test", {"message": "Bailee reaches you."})
        await self._events.record(tx, WebhookTried(), by=by, on=_object(webhook_id))
        return delivery

    @verb(WebhookSentAgain, permission="webhooks.send_again")
    async def send_again(self, tx: Writer, delivery_id: UUID, *, by: Principal) -> WebhookDelivery:
        """Has a dead delivery tried anew. Raises NotFound, Conflict for one that is not dead."""
        found = await rows.find_delivery(tx, _owner(tx), delivery_id)
        if found is None:
            raise NotFound
        if not await rows.revive(tx, _owner(tx), delivery_id):
            raise Conflict("This delivery is not dead, or its webhook was removed.")
        await self._jobs.enqueue(tx, DELIVER_JOB, delivery_id=str(delivery_id))
        await self._events.record(tx, WebhookSentAgain(), by=by, on=_object(found.webhook_id))
        return await rows.find_delivery(tx, _owner(tx), delivery_id) or found

    async def deliveries(
        self, tx: Reader, *, state: str | None = None, before: UUID | None = None, limit: int = 100
    ) -> list[WebhookDelivery]:
        """What is on its way and what became of the others, newest first. `dead` is what nobody took."""
        return await rows.list_deliveries(tx, _owner(tx), state=state, before=before, limit=limit)

    # --- the way there ----------------------------------------------------------------------------------

    async def tell(self, tx: Writer, tenant: TenantId, topic: str, data: dict[str, Any]) -> list[UUID]:
        """Leaves `data` for each webhook of a tenant that asks for the topic, if `tx` commits; the deliveries' ids."""
        return [
            await self._queue(tx, tenant, webhook_id, topic, data)
            for webhook_id in await rows.list_of_topic(tx, tenant, topic)
        ]

    async def _queue(
        self, tx: Writer, tenant: TenantId, webhook_id: UUID, topic: str, data: dict[str, Any]
    ) -> UUID:  # fmt: skip
        delivery_id = new_id()
        body = msgspec.json.encode({"type": topic, "timestamp": self._clock.now(), "data": data})
        await rows.insert_delivery(tx, tenant, delivery_id, webhook_id, topic, body)
        await self._jobs.enqueue(tx, DELIVER_JOB, delivery_id=str(delivery_id))
        return delivery_id

    async def deliver(self, delivery_id: str) -> None:
        """The job: tries once. Raises Undelivered when it is to be tried again."""
        async with self._database.operator() as tx:
            waiting = await rows.claim_delivery(tx, UUID(delivery_id))
        if waiting is None:
            return
        if waiting.removed:
            reason, final = "removed", True
        elif waiting.attempts > MAX_ATTEMPTS:  # it has ended its worker each time
            reason, final = "interrupted", True
        else:
            reason, final = await self._attempt(waiting)
        dead = bool(reason) and (final or waiting.attempts >= MAX_ATTEMPTS)
        async with self._database.operator() as tx:
            state = "dead" if dead else "waiting" if reason else "delivered"
            await rows.end_attempt(tx, waiting.delivery_id, state, reason)
            if state != "waiting":
                for tell in self._outcomes:
                    await tell(tx, waiting.delivery_id, reason)
        if reason:
            log.warning("webhook not taken", delivery=delivery_id, reason=reason, attempt=waiting.attempts, dead=dead)
        if reason and not dead:
            raise Undelivered(f"A webhook was not taken ({reason}); it is tried again.")

    async def _attempt(self, waiting: rows.Waiting) -> tuple[str, bool]:
        """Why it was not taken, or nothing; and whether there is no sense in trying again."""
        try:
            secret = unseal(self._key, waiting.secret, _place(waiting.tenant_id, waiting.webhook_id))
        except Error:
            return "secret_unreadable", True
        moment = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json", "webhook-id": str(waiting.delivery_id), "webhook-timestamp": moment,
            "webhook-signature": sign(secret, str(waiting.delivery_id), moment, waiting.body),
        }  # fmt: skip
        try:
            answer = await self._out.ask("POST", waiting.url, headers, waiting.body)
        except Unanswered as error:
            return error.reason, False
        if answer.status in _SUCCESS:
            return "", False
        return str(answer.status), answer.status == _GONE

    async def sweep(self) -> None:
        """Deletes what ended thirty days ago, and queues again what has lost its job."""
        async with self._database.operator() as tx:
            await rows.delete_old(tx, KEEP_DAYS)
            for delivery_id in await rows.list_forgotten(tx, DELIVER_JOB):
                await self._jobs.enqueue(tx, DELIVER_JOB, delivery_id=str(delivery_id))


def sign(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of Standard Webhooks, version 1."""
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def _owner(tx: Reader) -> TenantId:
    return tx.tenant if isinstance(tx, TenantReader) else OPERATOR


def _place(tenant: TenantId, webhook_id: UUID) -> Place:
    return Place(tenant, "webhooks", webhook_id, 1)


def _object(webhook_id: UUID) -> Object:
    return Object("webhook", str(webhook_id))
