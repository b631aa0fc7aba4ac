"""The tables of access control."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import Account, ApiKey, Credentials, Session
from bailee.foundation.database import OperatorReader, OperatorWriter, TenantReader, TenantWriter
from bailee.tenants.model import TenantState

# --- API keys -------------------------------------------------------------------------------------

_KEY = "SELECT key_id AS id, name, permissions, created_at, expires_at, revoked_at, last_used_at FROM api_keys"


class KeyCheck(msgspec.Struct, frozen=True):
    """What authentication needs of a key."""

    digest: bytes
    permissions: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    state: TenantState


async def insert_key(
    tx: TenantWriter, key_id: UUID, name: str, digest: bytes, permissions: list[str], expires_at: datetime | None
) -> None:
    await tx.run(
        """
        INSERT INTO api_keys (tenant_id, key_id, name, digest, permissions, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (tx.tenant, key_id, name, digest, permissions, expires_at),
    )


async def find_key(tx: TenantReader, key_id: UUID) -> ApiKey | None:
    return await tx.one(ApiKey, _KEY + " WHERE key_id = %s", (key_id,))


async def list_keys(tx: TenantReader, *, after: UUID | None, limit: int) -> list[ApiKey]:
    return await tx.all(
        ApiKey,
        _KEY + " WHERE (%(after)s::uuid IS NULL OR key_id > %(after)s) ORDER BY key_id LIMIT %(limit)s",
        {"after": after, "limit": limit},
    )


async def revoke_key(tx: TenantWriter, key_id: UUID) -> bool:
    return (
        await tx.run("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL", (key_id,)) == 1
    )


async def find_key_check(tx: TenantReader, key_id: UUID) -> KeyCheck | None:
    return await tx.one(
        KeyCheck,
        """
        SELECT k.digest, k.permissions, k.expires_at, k.revoked_at, k.last_used_at, t.state
        FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id
        WHERE k.key_id = %s
        """,
        (key_id,),
    )


async def touch_key(tx: TenantWriter, key_id: UUID) -> None:
    await tx.run("UPDATE api_keys SET last_used_at = now() WHERE key_id = %s", (key_id,))


# --- accounts -------------------------------------------------------------------------------------

_ACCOUNT = "SELECT account_id AS id, email, name, role, state, created_at FROM accounts"


async def insert_account(
    tx: OperatorWriter, account_id: UUID, email: str, name: str, role: str, password_hash: str, totp_secret: bytes
) -> None:
    await tx.run(
        """
        INSERT INTO accounts (account_id, email, name, role, state, password_hash, totp_secret)
        VALUES (%s, %s, %s, %s, 'pending', %s, %s)
        """,
        (account_id, email, name, role, password_hash, totp_secret),
    )


async def delete_pending_accounts(tx: OperatorWriter) -> None:
    await tx.run("DELETE FROM accounts WHERE state = 'pending'")


async def activate_account(tx: OperatorWriter, account_id: UUID, step: int) -> bool:
    changed = await tx.run(
        "UPDATE accounts SET state = 'active', totp_step = %s WHERE account_id = %s AND state = 'pending'",
        (step, account_id),
    )
    return changed == 1


async def find_account(tx: OperatorReader, account_id: UUID) -> Account | None:
    return await tx.one(Account, _ACCOUNT + " WHERE account_id = %s", (account_id,))


async def list_accounts(tx: OperatorReader) -> list[Account]:
    return await tx.all(Account, _ACCOUNT + " ORDER BY account_id")


async def find_credentials(
    tx: OperatorReader, *, email: str = "", account_id: UUID | None = None
) -> Credentials | None:
    return await tx.one(
        Credentials,
        """
        SELECT account_id AS id, email, name, role, state, created_at, password_hash, totp_secret, totp_step
        FROM accounts WHERE email = %s OR account_id = %s
        """,
        (email, account_id),
    )


async def advance_totp(tx: OperatorWriter, account_id: UUID, step: int) -> bool:
    """Uses a time step up. One of many concurrent attempts succeeds."""
    changed = await tx.run(
        "UPDATE accounts SET totp_step = %s WHERE account_id = %s AND totp_step < %s", (step, account_id, step)
    )
    return changed == 1


async def update_password_hash(tx: OperatorWriter, account_id: UUID, password_hash: str) -> None:
    await tx.run("UPDATE accounts SET password_hash = %s WHERE account_id = %s", (password_hash, account_id))


async def count_staff(tx: OperatorReader) -> int:
    count: int = await tx.value("SELECT count(*) FROM accounts WHERE state <> 'pending'")
    return count


# --- sessions -------------------------------------------------------------------------------------


async def insert_session(
    tx: OperatorWriter, session_id: UUID, account_id: UUID, digest: bytes, address: str | None, expires_at: datetime
) -> None:
    await tx.run(
        "INSERT INTO sessions (session_id, account_id, digest, address, expires_at) VALUES (%s, %s, %s, %s, %s)",
        (session_id, account_id, digest, address, expires_at),
    )


async def find_session(tx: OperatorReader, session_id: UUID) -> Session | None:
    return await tx.one(
        Session,
        """
        SELECT s.session_id AS id, s.account_id, s.digest, s.created_at, s.seen_at, s.expires_at, a.role, a.state
        FROM sessions s JOIN accounts a ON a.account_id = s.account_id
        WHERE s.session_id = %s
        """,
        (session_id,),
    )


async def touch_session(tx: OperatorWriter, session_id: UUID) -> None:
    await tx.run("UPDATE sessions SET seen_at = now() WHERE session_id = %s", (session_id,))


async def delete_session(tx: OperatorWriter, session_id: UUID) -> bool:
    return await tx.run("DELETE FROM sessions WHERE session_id = %s", (session_id,)) == 1


# --- first-run setup --------------------------------------------------------------------------------


class SetupLink(msgspec.Struct, frozen=True):
    digest: bytes
    confirmation_digest: bytes | None
    account_id: UUID | None
    expires_at: datetime


async def replace_setup_link(tx: OperatorWriter, digest: bytes, expires_at: datetime) -> None:
    await tx.run(
        """
        INSERT INTO setup_links (digest, expires_at) VALUES (%s, %s)
        ON CONFLICT (singleton) DO UPDATE
        SET digest = excluded.digest, expires_at = excluded.expires_at, confirmation_digest = NULL, account_id = NULL
        """,
        (digest, expires_at),
    )


async def find_setup_link(tx: OperatorWriter) -> SetupLink | None:
    """The link, held by this transaction."""
    return await tx.one(
        SetupLink, "SELECT digest, confirmation_digest, account_id, expires_at FROM setup_links FOR UPDATE"
    )


async def begin_setup(tx: OperatorWriter, account_id: UUID, confirmation_digest: bytes) -> None:
    await tx.run("UPDATE setup_links SET account_id = %s, confirmation_digest = %s", (account_id, confirmation_digest))


async def delete_setup_link(tx: OperatorWriter) -> None:
    await tx.run("DELETE FROM setup_links")


# --- brute force ------------------------------------------------------------------------------------


async def begin_attempt(tx: OperatorWriter, address: str, limit: int) -> UUID | None:
    """Counts an attempt from an address, unless `limit` of them failed in the last 15 minutes."""
    await tx.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"sign-in {address}",))
    failures = await tx.value(
        "SELECT count(*) FROM sign_in_failures WHERE address = %s AND failed_at > now() - interval '15 minutes'",
        (address,),
    )
    if failures >= limit:
        return None
    attempt: UUID = await tx.value(
        "INSERT INTO sign_in_failures (address) VALUES (%s) RETURNING attempt_id", (address,)
    )
    return attempt


async def end_attempt(tx: OperatorWriter, attempt: UUID) -> None:
    """Takes back an attempt that succeeded."""
    await tx.run("DELETE FROM sign_in_failures WHERE attempt_id = %s", (attempt,))


async def delete_old_failures(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM sign_in_failures WHERE failed_at < now() - interval '1 day'")


async def delete_ended_sessions(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM sessions WHERE expires_at < now() - interval '1 day'")


# --- for the checks ---------------------------------------------------------------------------------


async def has_setup_link(tx: OperatorReader) -> bool:
    found: bool = await tx.value("SELECT EXISTS (SELECT FROM setup_links)")
    return found


async def count_other_hashes(tx: OperatorReader, prefix: str) -> int:
    """Accounts whose stored password does not begin with the parameters in force."""
    count: int = await tx.value(
        "SELECT count(*) FROM accounts WHERE state = 'active' AND NOT starts_with(password_hash, %s)", (prefix,)
    )
    return count
