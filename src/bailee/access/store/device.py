"""Programs that ask to be signed in."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId


class OpenRequest(msgspec.Struct, frozen=True):
    """A program that waits for somebody's approval, as it has described itself."""

    id: UUID
    label: str
    address: str | None
    created_at: datetime


class Polled(msgspec.Struct, frozen=True):
    """What a program asks after."""

    digest: bytes
    state: str
    too_soon: bool


class Approved(msgspec.Struct, frozen=True):
    """The worth of the session that approved a request."""

    account_id: UUID
    tenant_id: TenantId | None
    sso_tenant_id: TenantId | None
    factors: list[str]
    mfa_at: datetime | None
    weak_password: bool
    label: str
    epoch: int


async def insert_request(
    tx: OperatorWriter, request_id: UUID, digest: bytes, user_digest: bytes, *, label: str, address: str | None,
    source: str, interval: int, expires_at: datetime,
) -> bool:  # fmt: skip
    """False when another request that is open has the same user code."""
    changed = await tx.run(
        """
        INSERT INTO device_requests
            (request_id, digest, user_digest, label, address, asked_from, interval_seconds, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (user_digest) DO NOTHING
        """,
        (request_id, digest, user_digest, label, address, source, interval, expires_at),
    )
    return changed == 1


async def count_requests(tx: OperatorWriter, source: str) -> int:
    """How many from one place are open. Whoever asks next from there waits for this transaction."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", (f"device {source}",))
    count: int = await tx.value(
        "SELECT count(*) FROM device_requests WHERE asked_from = %s AND expires_at > now()", (source,)
    )
    return count


async def find_open(tx: OperatorReader, user_digest: bytes) -> OpenRequest | None:
    return await tx.one(
        OpenRequest,
        """
        SELECT request_id AS id, label, address, created_at FROM device_requests
        WHERE user_digest = %s AND state = 'pending' AND expires_at > now()
        """,
        (user_digest,),
    )


async def approve(tx: OperatorWriter, request_id: UUID, session_id: UUID) -> bool:
    """Notes what the session is worth now. One of many concurrent decisions succeeds."""
    changed = await tx.run(
        """
        UPDATE device_requests d
        SET state = 'approved', account_id = s.account_id, epoch = a.epoch, acting_for = s.acting_for,
            vouched_by = s.vouched_by, factors = s.factors, mfa_at = s.mfa_at, weak_password = s.weak_password
        FROM sessions s JOIN accounts a ON a.account_id = s.account_id
        WHERE d.request_id = %s AND d.state = 'pending' AND d.expires_at > now() AND s.session_id = %s
        """,
        (request_id, session_id),
    )
    return changed == 1


async def refuse(tx: OperatorWriter, request_id: UUID) -> bool:
    changed = await tx.run(
        """
        UPDATE device_requests SET state = 'refused'
        WHERE request_id = %s AND state = 'pending' AND expires_at > now()
        """,
        (request_id,),
    )
    return changed == 1


async def poll(tx: OperatorWriter, request_id: UUID, slower: int) -> Polled | None:
    """Notes that the program asks. Whoever asks too soon has to wait `slower` seconds more from then on."""
    return await tx.one(
        Polled,
        """
        UPDATE device_requests d
        SET polled_at = now(),
            interval_seconds = d.interval_seconds + CASE WHEN before.too_soon THEN %(slower)s ELSE 0 END
        FROM (
            SELECT
                request_id,
                coalesce(polled_at + make_interval(secs => interval_seconds) > now(), false) AS too_soon
            FROM device_requests WHERE request_id = %(request)s FOR UPDATE
        ) AS before
        WHERE d.request_id = before.request_id AND d.expires_at > now()
        RETURNING d.digest, d.state, before.too_soon
        """,
        {"request": request_id, "slower": slower},
    )


async def use_approved(tx: OperatorWriter, request_id: UUID, digest: bytes) -> Approved | None:
    """Ends a request with success, unless the account has changed since. One of many concurrent uses succeeds."""
    return await tx.one(
        Approved,
        """
        DELETE FROM device_requests d USING accounts a
        WHERE d.request_id = %s AND d.digest = %s AND d.state = 'approved' AND d.expires_at > now()
          AND a.account_id = d.account_id AND a.epoch = d.epoch AND a.state = 'active'
        RETURNING d.account_id, d.acting_for AS tenant_id, d.vouched_by AS sso_tenant_id, d.factors, d.mfa_at,
            d.weak_password, d.label, a.epoch
        """,
        (request_id, digest),
    )


async def set_mfa_at(tx: OperatorWriter, session_id: UUID, mfa_at: datetime) -> None:
    """A session's second factor is as old as it is, however late the session began."""
    await tx.run("UPDATE sessions SET mfa_at = %s WHERE session_id = %s", (mfa_at, session_id))


async def delete_old_requests(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM device_requests WHERE expires_at < now()")
