"""Webhooks: signed, sent until taken, seen when dead; nobody else's, and no way into the inside."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bailee.assembly import Services
from bailee.foundation.errors import ConfigurationError, Conflict, Invalid, NotFound
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.principal import Principal
from bailee.foundation.settings import Monitoring
from bailee.monitoring.alerts import Raised
from bailee.monitoring.quiet import QuietHours, quiet_hours
from bailee.monitoring.webhooks import MAX_ATTEMPTS, NewWebhook, Undelivered
from tests.hooks import HookServer, hook_server
from tests.integration.rig import SYSTEM, create_tenant, open_settings, running, staff_principal, superuser, work
from tests.postgres import Pair
from tests.smtp import mail_server

type Hooked = tuple[Services, HookServer]


@pytest.fixture(scope="module")
async def hooked(pair: Pair) -> AsyncIterator[Hooked]:
    with hook_server() as server, open_settings(pair) as settings:
        monitoring = Monitoring(webhook_ca_file=str(server.ca_file), webhook_allow_private=True)
        async with running(msgspec.structs.replace(settings, monitoring=monitoring)) as services:
            yield services, server


@pytest.fixture(autouse=True)
def _fresh(hooked: Hooked) -> None:
    hooked[1].received.clear()
    hooked[1].answers.clear()


async def _add(services: Services, tenant: TenantId, url: str, topics: list[str] | None = None) -> NewWebhook:
    async with services.database.tenant(tenant) as tx:
        return await services.monitoring.webhooks.add(tx, url=url, topics=topics or ["alerts"], by=SYSTEM)


async def _try(services: Services, tenant: TenantId, webhook: UUID) -> UUID:
    async with services.database.tenant(tenant) as tx:
        return await services.monitoring.webhooks.try_out(tx, webhook, by=SYSTEM)


async def _states(services: Services, tenant: TenantId) -> list[tuple[str, str, int]]:
    async with services.database.tenant_read(tenant) as tx:
        return [(one.state, one.reason, one.attempts) for one in await services.monitoring.webhooks.deliveries(tx)]


def _verify(secret: str, headers: dict[str, str], body: bytes) -> None:
    """As a receiver does who knows Standard Webhooks alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert lower["webhook-signature"] == f"v1,{expected}"
    assert abs(int(lower["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


async def test_it_is_signed_and_taken_once(hooked: Hooked) -> None:
    services, server = hooked
    tenant = (await create_tenant(services)).id
    webhook = await _add(services, tenant, server.url)
    delivery = await _try(services, tenant, webhook.id)
    await work(services)
    ((headers, body),) = server.received
    _verify(webhook.secret, headers, body)
    assert json.loads(body)["type"] == "test"
    assert await _states(services, tenant) == [("delivered", "", 1)]
    await services.monitoring.webhooks.deliver(str(delivery))
    assert len(server.received) == 1
    with superuser(services.settings.database.main) as sql:
        rows = sql.execute("SELECT secret FROM webhooks WHERE webhook_id = %s", (webhook.id,)).fetchone()
    assert rows is not None
    assert base64.b64decode(webhook.secret.removeprefix("whsec_")) not in bytes(rows[0])  # type: ignore[call-overload]  # bytea


async def test_it_is_tried_until_it_is_taken_with_the_same_id(hooked: Hooked) -> None:
    services, server = hooked
    tenant = (await create_tenant(services)).id
    delivery = await _try(services, tenant, (await _add(services, tenant, server.url)).id)
    server.answers.extend([500, 0, 302])
    for reason in ("500", "unreachable", "302"):
        with pytest.raises(Undelivered):
            await services.monitoring.webhooks.deliver(str(delivery))
        ((state, told, _),) = await _states(services, tenant)
        assert (state, told) == ("waiting", reason)
    await services.monitoring.webhooks.deliver(str(delivery))
    assert await _states(services, tenant) == [("delivered", "", 4)]
    ids = {headers.get("webhook-id") or headers["Webhook-Id"] for headers, _ in server.received}
    assert ids == {str(delivery)}


async def test_what_nobody_takes_is_dead_seen_and_sent_again(hooked: Hooked) -> None:
    services, server = hooked
    tenant = (await create_tenant(services)).id
    delivery = await _try(services, tenant, (await _add(services, tenant, server.url)).id)
    server.answers.extend([503] * MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(Undelivered):
            await services.monitoring.webhooks.deliver(str(delivery))
    await services.monitoring.webhooks.deliver(str(delivery))
    assert await _states(services, tenant) == [("dead", "503", MAX_ATTEMPTS)]
    async with services.database.tenant(tenant) as tx:
        await services.monitoring.webhooks.send_again(tx, delivery, by=SYSTEM)
    with pytest.raises(Conflict):
        async with services.database.tenant(tenant) as tx:
            await services.monitoring.webhooks.send_again(tx, delivery, by=SYSTEM)
    await services.monitoring.webhooks.deliver(str(delivery))
    assert await _states(services, tenant) == [("delivered", "", 1)]


async def test_what_is_gone_is_not_asked_again_and_what_is_removed_hears_nothing(hooked: Hooked) -> None:
    services, server = hooked
    tenant = (await create_tenant(services)).id
    webhook = await _add(services, tenant, server.url)
    server.answers.append(410)
    await services.monitoring.webhooks.deliver(str(await _try(services, tenant, webhook.id)))
    waiting = await _try(services, tenant, webhook.id)
    async with services.database.tenant(tenant) as tx:
        await services.monitoring.webhooks.remove(tx, webhook.id, by=SYSTEM)
    await services.monitoring.webhooks.deliver(str(waiting))
    assert [one[:2] for one in await _states(services, tenant)] == [("dead", "removed"), ("dead", "410")]
    assert len(server.received) == 1
    with pytest.raises(NotFound):
        await _try(services, tenant, webhook.id)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x", "https://user:pass@localhost/x", "https://localhost/#x", "ftp://localhost", "", "https://",
        "https://localhost/\u2028", "https://localhost:0/",
    ],
)  # fmt: skip
async def test_only_a_plain_https_address_is_taken(hooked: Hooked, url: str) -> None:
    tenant = (await create_tenant(hooked[0])).id
    with pytest.raises(Invalid):
        await _add(hooked[0], tenant, url)
    with pytest.raises(Invalid):
        await _add(hooked[0], tenant, hooked[1].url, ["everything"])


async def test_it_is_no_way_into_the_inside(own_services: Services) -> None:
    tenant = (await create_tenant(own_services)).id
    for url in ("https://127.0.0.1:1/", "https://localhost/", "https://169.254.169.254/latest", "https://[::1]/"):
        delivery = await _try(own_services, tenant, (await _add(own_services, tenant, url)).id)
        with pytest.raises(Undelivered):
            await own_services.monitoring.webhooks.deliver(str(delivery))
    assert {one[1] for one in await _states(own_services, tenant)} == {"not_public"}


async def test_a_neighbour_sees_and_ends_nothing(hooked: Hooked) -> None:
    services, server = hooked
    mine, other = (await create_tenant(services)).id, (await create_tenant(services)).id
    webhook = await _add(services, mine, server.url)
    delivery = await _try(services, mine, webhook.id)
    async with services.database.tenant(other) as tx:
        assert await services.monitoring.webhooks.every(tx) == []
        for act in (
            services.monitoring.webhooks.remove,
            services.monitoring.webhooks.try_out,
            services.monitoring.webhooks.get,
        ):
            with pytest.raises(NotFound):
                await act(tx, webhook.id, **({} if act == services.monitoring.webhooks.get else {"by": SYSTEM}))
        with pytest.raises(NotFound):
            await services.monitoring.webhooks.send_again(tx, delivery, by=SYSTEM)


def _raised(level: str) -> Raised:
    found: dict[str, Any] = {
        "rule_id": new_id(), "title": "Odd", "level": level, "grouped_by": {"x": str(new_id())}, "reason": "Because.",
        "time": datetime.now(UTC).timestamp(), "event_ids": [], "metric": None,
    }  # fmt: skip
    return msgspec.convert(found, Raised)


async def _open(services: Services, tenant: TenantId, level: str, by: Principal = SYSTEM) -> None:
    async with services.database.operator() as tx:
        await services.monitoring.alerts.open(tx, _raised(level), tenant, by=by)


async def test_alerts_are_told_to_the_tenant_and_to_the_operator(hooked: Hooked) -> None:
    services, server = hooked
    tenant = (await create_tenant(services)).id
    await _add(services, tenant, server.url + "/tenant")
    await _add(services, tenant, server.url + "/other", ["notices"])
    async with services.database.operator() as tx:
        await services.monitoring.webhooks.add(
            tx, url=server.url + "/operator", topics=["alerts"], by=staff_principal()
        )
    await _open(services, tenant, "low")
    await _open(services, OPERATOR, "low")
    await work(services)
    told = [json.loads(body) for _, body in server.received]
    assert [one["data"]["title"] for one in told if one["type"] == "alerts"] == ["Odd"] * 3


@pytest.mark.parametrize(
    "begin, end, zone, at, quiet",
    [
        ("22:00", "06:00", "UTC", "2026-03-01T23:00", True), ("22:00", "06:00", "UTC", "2026-03-01T05:59", True),
        ("22:00", "06:00", "UTC", "2026-03-01T06:00", False), ("", "", "UTC", "2026-03-01T00:00", False),
        ("22:00", "06:00", "Asia/Tokyo", "2026-03-01T13:30", True), ("08:00", "09:00", "UTC", "2026-03-01T08:30", True),
        ("22:00", "06:00", "Europe/Berlin", "2026-07-01T20:30", True),
    ],
)  # fmt: skip
def test_quiet_hours(begin: str, end: str, zone: str, at: str, quiet: bool) -> None:
    hours = quiet_hours(Monitoring(quiet_from=begin, quiet_to=end, quiet_zone=zone))
    assert hours.holds(datetime.fromisoformat(at).replace(tzinfo=UTC)) is quiet


@pytest.mark.parametrize(
    "wrong", [{"quiet_from": "22:00"}, {"quiet_from": "x", "quiet_to": "y"}, {"quiet_zone": "Mars/X"}]
)
def test_quiet_hours_that_are_none_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        quiet_hours(Monitoring(**wrong))  # type: ignore[arg-type]


async def test_quiet_hours_hold_back_all_but_the_critical_and_sum_up_later(pair: Pair) -> None:
    with mail_server() as server, open_settings(pair) as settings:
        async with running(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            with superuser(services.settings.database.main) as sql:
                account = new_id()
                sql.execute(
                    "INSERT INTO accounts (account_id, kind, email, name, state)"
                    " VALUES (%s, 'staff', 'o@operator.example', 'O', 'active')",
                    (account,),
                )
                sql.execute(
                    "INSERT INTO role_grants (account_id, role, granted_by) VALUES (%s, 'owner', 'x')", (account,)
                )
            always = QuietHours(time(0), time(23, 59, 59, 999999), ZoneInfo("UTC"))
            services.monitoring.alerts._quiet = always
            for level in ("high", "high", "critical"):
                await _open(services, OPERATOR, level)
            await services.monitoring.alerts.sum_up()
            await work(services)
            assert [str(one["Subject"]) for one in server.messages] == ["Alert (critical): Odd"]
            services.monitoring.alerts._quiet = quiet_hours(Monitoring())
            await services.monitoring.alerts.sum_up()
            await services.monitoring.alerts.sum_up()
            await work(services)
            assert [str(one["Subject"]).partition(" alerts")[0] for one in server.messages[1:]] == ["2"]
