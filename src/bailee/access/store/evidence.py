"""What the checks of access control look at."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bailee.access.model import TenantPolicy
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId

# --- accounts ---------------------------------------------------------------------------------------


async def count_dormant(tx: OperatorReader, since: datetime) -> int:
    """Active accounts that nobody has used since a moment; the sealed one and the last owner are meant to stay."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM accounts a
        WHERE a.state = 'active' AND NOT a.sealed AND a.seen_at < %s
          AND NOT (
              EXISTS (SELECT FROM role_grants g WHERE g.account_id = a.account_id AND g.role = 'owner')
              AND NOT EXISTS (
                  SELECT FROM role_grants g JOIN accounts o USING (account_id)
                  WHERE g.role = 'owner' AND o.account_id <> a.account_id AND o.state = 'active' AND NOT o.sealed
              )
          )
        """,
        (since,),
    )
    return count


async def count_members_nowhere(tx: OperatorReader) -> int:
    """Active member accounts that belong to no tenant: harmless, and nobody's."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM accounts a
        WHERE a.kind = 'member' AND a.state = 'active'
          AND NOT EXISTS (SELECT FROM memberships m WHERE m.account_id = a.account_id)
        """
    )
    return count


async def count_staff_of_tenants(tx: OperatorReader) -> int:
    """Accounts that are staff's and a member's at once: there must be none."""
    count: int = await tx.value(
        "SELECT count(DISTINCT a.account_id) FROM accounts a JOIN memberships m USING (account_id) "
        "WHERE a.kind = 'staff'"
    )
    return count


async def count_roles_of_the_gone(tx: OperatorReader) -> int:
    """Roles and sessions of accounts that are off-boarded: there must be none."""
    count: int = await tx.value(
        """
        SELECT (SELECT count(*) FROM role_grants g JOIN accounts a USING (account_id) WHERE a.state = 'off_boarded')
             + (SELECT count(*) FROM sessions s JOIN accounts a USING (account_id)
                WHERE a.state IN ('disabled', 'off_boarded'))
        """
    )
    return count


# --- privileges -------------------------------------------------------------------------------------


class Holding(msgspec.Struct, frozen=True):
    """The standing roles of one active account."""

    account_id: UUID
    roles: list[str]


async def list_holdings(tx: OperatorReader) -> list[Holding]:
    return await tx.all(
        Holding,
        """
        SELECT g.account_id, array_agg(g.role ORDER BY g.role) AS roles
        FROM role_grants g JOIN accounts a USING (account_id)
        WHERE a.state IN ('active', 'pending') AND NOT a.sealed GROUP BY g.account_id
        """,
    )


async def list_powerful_logins(tx: OperatorReader) -> list[str]:
    """Which of the roles that we work as could step past row security, by right or by membership."""
    return await tx.values(
        """
        SELECT DISTINCT r.rolname FROM pg_roles r JOIN pg_roles s ON pg_has_role(r.oid, s.oid, 'MEMBER')
        WHERE r.rolname IN ('bailee_tenant', 'bailee_operator') AND (s.rolsuper OR s.rolbypassrls OR s.rolcreaterole)
        """
    )


async def count_unconfirmed(tx: OperatorReader, since: datetime) -> int:
    """Standing roles that nobody has granted or confirmed since a moment."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM role_grants g JOIN accounts a USING (account_id)
        WHERE g.confirmed_at < %s AND a.state = 'active' AND NOT a.sealed
        """,
        (since,),
    )
    return count


async def count_overdue_reviews(tx: OperatorReader, before: datetime) -> int:
    count: int = await tx.value("SELECT count(*) FROM reviews WHERE state = 'open' AND due_at < %s", (before,))
    return count


async def count_lone_elevations(tx: OperatorReader, since: datetime) -> int:
    """Elevations in force since a moment, also if they are over by now, that nobody else has approved or that are
    longer than there may be: there must be none. A request that came to nothing has no end.
    """
    count: int = await tx.value(
        """
        SELECT count(*) FROM elevations
        WHERE state IN ('approved', 'ended') AND expires_at IS NOT NULL
          AND greatest(decided_at, expires_at, ended_at) > %s
          AND (
              decided_by IS NULL OR decided_by = account_id OR decided_at IS NULL
              OR expires_at > decided_at + interval '8 hours'
          )
        """,
        (since,),
    )
    return count


# --- factors ----------------------------------------------------------------------------------------


class BegunSession(msgspec.Struct, frozen=True):
    """The event of a staff session's beginning."""

    event_id: UUID
    body: bytes


async def list_staff_sign_ins(tx: OperatorReader, since: datetime) -> list[BegunSession]:
    return await tx.all(
        BegunSession,
        """
        SELECT event_id, body FROM events
        WHERE action = 'session.begun' AND actor_kind = 'staff' AND occurred_at > %s
        """,
        (since,),
    )


async def count_staff_sessions(tx: OperatorReader, *, without_mfa: bool) -> int:
    """Live sessions of staff: all, or those in which no second factor was shown."""
    count: int = await tx.value(
        """
        SELECT count(*) FROM sessions s JOIN accounts a USING (account_id)
        WHERE a.kind = 'staff' AND s.expires_at > now() AND s.kind <> 'enrolment' AND (NOT %s OR s.mfa_at IS NULL)
        """,
        (without_mfa,),
    )
    return count


# --- policies ---------------------------------------------------------------------------------------


class PolicyRow(TenantPolicy, frozen=True, kw_only=True):
    """A tenant's policy as it lies in the table, with its plan and its last announcement in the log."""

    tenant_id: TenantId
    plan: str
    changed: bool
    """Whether there is a row: somebody has set it."""
    announced: bytes | None


async def list_policies(tx: OperatorReader) -> list[PolicyRow]:
    """Every active customer's, the default where nothing was changed."""
    return await tx.all(
        PolicyRow,
        """
        SELECT
            t.tenant_id, t.plan, e.body AS announced,
            coalesce(p.require_mfa, false) AS require_mfa, coalesce(p.require_sso, false) AS require_sso,
            coalesce(p.min_password_length, 8) AS min_password_length,
            coalesce(p.min_password_score, 2) AS min_password_score, coalesce(p.session_hours, 12) AS session_hours,
            coalesce(p.idle_minutes, 60) AS idle_minutes, coalesce(p.networks, '{}') AS networks,
            coalesce(p.version, 0) AS version, p.tenant_id IS NOT NULL AS changed
        FROM tenants t
        LEFT JOIN tenant_policies p ON p.tenant_id = t.tenant_id
        LEFT JOIN LATERAL (
            SELECT body FROM events e WHERE e.tenant_id = t.tenant_id AND e.action = 'policy.changed'
            ORDER BY e.event_id DESC LIMIT 1
        ) e ON true
        WHERE t.state = 'active' AND t.kind = 'customer'
        ORDER BY t.tenant_id
        """,
    )


# --- probes -----------------------------------------------------------------------------------------


async def delete_probe(tx: OperatorWriter, account_id: UUID) -> None:
    """Takes a probe's account away, with everything that it has left."""
    await tx.run("DELETE FROM sessions WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM pending_sign_ins WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM devices WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM totp_factors WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM recovery_codes WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM memberships WHERE account_id = %s", (account_id,))
    await tx.run("DELETE FROM accounts WHERE account_id = %s", (account_id,))


async def age_probe(tx: OperatorWriter, account_id: UUID, rest: timedelta, life: timedelta) -> None:
    """Takes a probe's sessions back in time."""
    await tx.run(
        """
        UPDATE sessions
        SET seen_at = seen_at - %(rest)s, created_at = created_at - %(life)s, expires_at = expires_at - %(life)s
        WHERE account_id = %(account)s
        """,
        {"account": account_id, "rest": rest, "life": life},
    )


async def list_left_probes(tx: OperatorReader, suffix: str) -> list[UUID]:
    """Probes that a crash has left behind."""
    return await tx.values(
        "SELECT account_id FROM accounts WHERE email LIKE %s AND created_at < now() - interval '10 minutes'",
        ("%" + suffix,),
    )
