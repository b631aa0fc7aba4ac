"""Sessions, sign-ins under way, known browsers, and failed attempts."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import AccountKind, AccountState, Session, SessionKind
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId
from bailee.foundation.revocation import announce
from bailee.tenants.model import TenantState


class SessionCheck(msgspec.Struct, frozen=True):
    """What authentication needs of a session: the stay, the account, its roles, and the tenant's demands."""

    session_id: UUID
    account_id: UUID
    digest: bytes
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    mfa_at: datetime | None
    weak_password: bool
    sso_tenant_id: UUID | None
    session_kind: SessionKind
    kind: AccountKind
    state: AccountState
    sealed: bool
    has_mfa: bool
    roles: list[str]
    """Standing staff roles."""
    elevated: list[str]
    """Staff roles held for the moment."""
    tenant_id: TenantId | None
    tenant_state: TenantState | None
    plan: str | None
    member_role: str | None
    member_state: str | None
    role_changed_at: datetime | None
    """When the member was given another role: sessions from before are over in that tenant."""
    custom: list[str] | None
    """What the member's role permits, where it is one of the tenant's own."""
    require_mfa: bool | None
    require_sso: bool | None
    session_hours: int | None
    idle_minutes: int | None
    networks: list[str] | None


async def find_check(tx: OperatorReader, session_id: UUID) -> SessionCheck | None:
    return await tx.one(
        SessionCheck,
        """
        SELECT
            s.session_id, s.account_id, s.digest, s.created_at, s.seen_at, s.expires_at, s.mfa_at, s.weak_password,
            s.vouched_by AS sso_tenant_id, s.kind AS session_kind, a.kind, a.state, a.sealed,
            EXISTS (SELECT FROM totp_factors t WHERE t.account_id = a.account_id AND t.confirmed_at IS NOT NULL)
            OR EXISTS (SELECT FROM passkeys p WHERE p.account_id = a.account_id) AS has_mfa,
            coalesce((SELECT array_agg(g.role) FROM role_grants g WHERE g.account_id = a.account_id), '{}') AS roles,
            coalesce((
                SELECT array_agg(e.role) FROM elevations e
                WHERE e.account_id = a.account_id AND e.state = 'approved' AND e.expires_at > now()
            ), '{}') AS elevated,
            s.acting_for AS tenant_id, t.state AS tenant_state, t.plan, m.role AS member_role, m.state AS member_state,
            m.role_changed_at,
            r.permissions AS custom, p.require_mfa, p.require_sso, p.session_hours, p.idle_minutes, p.networks
        FROM sessions s
        JOIN accounts a ON a.account_id = s.account_id
        LEFT JOIN memberships m ON m.tenant_id = s.acting_for AND m.account_id = s.account_id
        LEFT JOIN tenants t ON t.tenant_id = s.acting_for
        LEFT JOIN tenant_roles r ON r.tenant_id = s.acting_for AND r.name = m.role
        LEFT JOIN tenant_policies p ON p.tenant_id = s.acting_for
        WHERE s.session_id = %s
        """,
        (session_id,),
    )


async def insert_session(
    tx: OperatorWriter, session_id: UUID, account_id: UUID, digest: bytes, *, kind: str, device: str,
    address: str | None, factors: list[str], mfa: bool, weak_password: bool, tenant: UUID | None, sso: UUID | None,
    expires_at: datetime,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO sessions
            (session_id, account_id, digest, kind, device, address, factors, mfa_at, weak_password, acting_for,
             vouched_by, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN now() END, %s, %s, %s, %s)
        """,
        (session_id, account_id, digest, kind, device, address, factors, mfa, weak_password, tenant, sso, expires_at),
    )


async def list_sessions(tx: OperatorReader, account_id: UUID, *, vouched_by: UUID | None = None) -> list[Session]:
    """An account's, or those of it that a tenant's identity provider has begun."""
    return await tx.all(
        Session,
        """
        SELECT session_id AS id, kind, device, address, created_at, seen_at, expires_at, factors
        FROM sessions
        WHERE account_id = %(account)s AND expires_at > now() AND kind <> 'enrolment'
          AND (%(vouched_by)s::uuid IS NULL OR vouched_by = %(vouched_by)s)
        ORDER BY seen_at DESC, session_id LIMIT 1000
        """,
        {"account": account_id, "vouched_by": vouched_by},
    )


async def touch_session(tx: OperatorWriter, session_id: UUID) -> None:
    await tx.run("UPDATE sessions SET seen_at = now() WHERE session_id = %s", (session_id,))


async def step_up(
    tx: OperatorWriter, session_id: UUID, old: bytes, new: bytes, factors: list[str], *, tenant: UUID | None, mfa: bool
) -> bool:
    """A new token for a session, in place of the one with digest `old`. One of many concurrent attempts succeeds."""
    await announce(tx)
    changed = await tx.run(
        """
        UPDATE sessions
        SET digest = %(new)s, rotated_at = now(), seen_at = now(), acting_for = %(tenant)s,
            mfa_at = CASE WHEN %(mfa)s THEN now() ELSE mfa_at END,
            factors = (SELECT array_agg(DISTINCT f ORDER BY f) FROM unnest(factors || %(factors)s::text []) AS f)
        WHERE session_id = %(session)s AND digest = %(old)s
        """,
        {"session": session_id, "old": old, "new": new, "factors": factors, "tenant": tenant, "mfa": mfa},
    )
    return changed == 1


class Stay(msgspec.Struct, frozen=True):
    """What a change of a session starts from."""

    account_id: UUID
    kind: SessionKind
    digest: bytes
    tenant_id: UUID | None
    created_at: datetime
    expires_at: datetime
    mfa_at: datetime | None
    via_sso: UUID | None
    """The tenant whose identity provider began it."""


async def find_stay(tx: OperatorReader, session_id: UUID) -> Stay | None:
    return await tx.one(
        Stay,
        """
        SELECT
            account_id, kind, digest, acting_for AS tenant_id, created_at, expires_at, mfa_at, vouched_by AS via_sso
        FROM sessions WHERE session_id = %s
        """,
        (session_id,),
    )


async def password_is_good(tx: OperatorWriter, session_id: UUID) -> None:
    await tx.run("UPDATE sessions SET weak_password = false WHERE session_id = %s", (session_id,))


async def delete_session(tx: OperatorWriter, session_id: UUID, account_id: UUID | None = None) -> bool:
    """Ends a session, of `account_id` if one is named."""
    changed = await tx.run(
        "DELETE FROM sessions WHERE session_id = %s AND (%s::uuid IS NULL OR account_id = %s)",
        (session_id, account_id, account_id),
    )
    await announce(tx)
    return changed == 1


async def delete_sessions(tx: OperatorWriter, account_id: UUID, *, but: UUID | None = None) -> int:
    """Ends an account's sessions, all or all but one, and every sign-in under way.

    The new epoch comes first: it holds the account's row, so a sign-in that is being finished at this moment is either
    committed, and its session deleted here, or waits and finds another epoch than it began with.
    """
    await announce(tx)
    await tx.run("UPDATE accounts SET epoch = epoch + 1 WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM pending_sign_ins WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM device_requests WHERE account_id = %s", (account_id,))
    return await tx.run(
        "DELETE FROM sessions WHERE account_id = %s AND (%s::uuid IS NULL OR session_id <> %s)", (account_id, but, but)
    )


async def delete_every_session(tx: OperatorWriter) -> int:
    """Everybody's sessions, tokens, links and sign-ins under way; answers how many sessions."""
    await tx.run("UPDATE accounts SET epoch = epoch + 1")
    await tx.run("DELETE FROM pending_sign_ins")
    await tx.run("DELETE FROM device_requests")
    await tx.run("DELETE FROM links")
    await tx.run("DELETE FROM challenges")
    await tx.run("DELETE FROM access_tokens")
    await tx.run("DELETE FROM oauth_refresh_tokens")
    await tx.run("DELETE FROM oauth_grants")
    return await tx.run("DELETE FROM sessions")


async def delete_resting_sessions(tx: OperatorWriter, account_id: UUID, most: int) -> int:
    """Ends the sessions of an account that are too many, those first that have rested longest."""
    return await tx.run(
        """
        DELETE FROM sessions WHERE session_id IN (
            SELECT session_id FROM sessions
            WHERE account_id = %s AND expires_at > now() AND kind <> 'enrolment'
            ORDER BY seen_at DESC, session_id DESC OFFSET %s
        )
        """,
        (account_id, most),
    )


async def delete_ended_sessions(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM sessions WHERE expires_at < now() - interval '1 day'")


# --- sign-ins under way -------------------------------------------------------------------------------


class Pending(msgspec.Struct, frozen=True):
    """A sign-in whose password was right."""

    account_id: UUID
    digest: bytes
    epoch: int
    attempt_id: UUID
    device_id: UUID | None
    """The known browser that the password came from."""
    weak_password: bool


async def insert_pending(
    tx: OperatorWriter, pending_id: UUID, account_id: UUID, digest: bytes, epoch: int, attempt: UUID,
    expires_at: datetime, *, weak_password: bool,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO pending_sign_ins (pending_id, account_id, digest, epoch, attempt_id, weak_password, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (pending_id, account_id, digest, epoch, attempt, weak_password, expires_at),
    )


async def find_pending(tx: OperatorReader, pending_id: UUID) -> Pending | None:
    return await tx.one(
        Pending,
        """
        SELECT p.account_id, p.digest, p.epoch, p.attempt_id, f.device_id, p.weak_password
        FROM pending_sign_ins p LEFT JOIN sign_in_failures f USING (attempt_id)
        WHERE p.pending_id = %s AND p.expires_at > now()
        """,
        (pending_id,),
    )


async def fail_pending(tx: OperatorWriter, pending_id: UUID, limit: int) -> None:
    """Counts a wrong factor; at `limit` the sign-in is over."""
    await tx.run("UPDATE pending_sign_ins SET failures = failures + 1 WHERE pending_id = %s", (pending_id,))
    await tx.run("DELETE FROM pending_sign_ins WHERE pending_id = %s AND failures >= %s", (pending_id, limit))


async def use_pending(tx: OperatorWriter, pending_id: UUID, epoch: int) -> bool:
    """Ends a sign-in with success, unless the account has changed since it began. One of many attempts succeeds."""
    changed = await tx.run(
        """
        DELETE FROM pending_sign_ins p USING accounts a
        WHERE p.pending_id = %s AND p.expires_at > now() AND a.account_id = p.account_id AND a.epoch = %s
          AND a.state = 'active'
        """,
        (pending_id, epoch),
    )
    return changed == 1


async def delete_old_pending(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM pending_sign_ins WHERE expires_at < now()")


# --- known browsers -------------------------------------------------------------------------------------


async def insert_device(tx: OperatorWriter, device_id: UUID, account_id: UUID, digest: bytes) -> None:
    await tx.run(
        "INSERT INTO devices (device_id, account_id, digest) VALUES (%s, %s, %s)", (device_id, account_id, digest)
    )


async def find_device(tx: OperatorReader, device_id: UUID, email: str) -> bytes | None:
    """The digest of a browser that has signed in as the account of that address."""
    found: bytes | None = await tx.value(
        """
        SELECT d.digest FROM devices d JOIN accounts a ON a.account_id = d.account_id
        WHERE d.device_id = %s AND a.email = %s
        """,
        (device_id, email),
    )
    return found


async def touch_device(tx: OperatorWriter, device_id: UUID) -> None:
    await tx.run("UPDATE devices SET used_at = now() WHERE device_id = %s", (device_id,))


async def delete_devices(tx: OperatorWriter, account_id: UUID) -> None:
    await tx.run("DELETE FROM devices WHERE account_id = %s", (account_id,))


async def delete_old_devices(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM devices WHERE used_at < now() - interval '180 days'")


# --- failed attempts --------------------------------------------------------------------------------------


async def begin_attempt(
    tx: OperatorWriter,
    address: str,
    account_digest: bytes | None,
    device: UUID | None,
    *,
    per_address: int,
    per_account: int,
) -> UUID | None:
    """Counts an attempt before it is examined, so that many at once are not more than many in a row.

    None when in the last 15 minutes `per_account` attempts failed on the account, by strangers together or by one known
    browser on its own; or, for strangers, when `per_address` failed from the address: a neighbour behind the same
    address cannot shut a known browser out.
    """
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"sign-in {address}",))
    if account_digest is not None:
        await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (account_digest.hex(),))
    open_to: bool = await tx.value(
        """
        SELECT (%(device)s::uuid IS NOT NULL OR (
            SELECT count(*) FROM sign_in_failures
            WHERE address = %(address)s AND failed_at > now() - interval '15 minutes'
        ) < %(per_address)s) AND (
            SELECT count(*) FROM sign_in_failures
            WHERE account_digest = %(account)s AND device_id IS NOT DISTINCT FROM %(device)s::uuid
              AND failed_at > now() - interval '15 minutes'
        ) < %(per_account)s
        """,
        {
            "address": address, "account": account_digest, "device": device, "per_address": per_address,
            "per_account": per_account,
        },
    )  # fmt: skip
    if not open_to:
        return None
    attempt: UUID = await tx.value(
        "INSERT INTO sign_in_failures (address, account_digest, device_id) VALUES (%s, %s, %s) RETURNING attempt_id",
        (address, account_digest, device),
    )
    return attempt


async def end_attempts(tx: OperatorWriter, attempts: list[UUID]) -> None:
    """Takes back attempts that succeeded."""
    await tx.run("DELETE FROM sign_in_failures WHERE attempt_id = ANY(%s)", (attempts,))


async def forgive_account(tx: OperatorWriter, account_digest: bytes) -> None:
    """Whoever reads the account's mail has proven more than its strangers."""
    await tx.run("DELETE FROM sign_in_failures WHERE account_digest = %s", (account_digest,))


async def delete_old_failures(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM sign_in_failures WHERE failed_at < now() - interval '1 day'")
