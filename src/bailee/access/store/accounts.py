"""Accounts, first-run setup, and the one-time links that go by mail."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import Account, AccountKind, AccountState, Credentials
from bailee.foundation.database import OperatorReader, OperatorWriter

_ACCOUNT = """
SELECT
    a.account_id AS id, a.kind, a.email, a.name, a.state, a.created_at, a.seen_at, a.sealed, a.disabled_because,
    a.dormancy_warned_at,
    coalesce(
        (SELECT array_agg(g.role ORDER BY g.role) FROM role_grants g WHERE g.account_id = a.account_id), '{}'
    ) AS roles,
    EXISTS (SELECT FROM totp_factors t WHERE t.account_id = a.account_id AND t.confirmed_at IS NOT NULL)
    OR EXISTS (SELECT FROM passkeys p WHERE p.account_id = a.account_id) AS mfa
FROM accounts a
"""


async def insert_account(
    tx: OperatorWriter,
    account_id: UUID,
    kind: AccountKind,
    email: str,
    name: str,
    state: AccountState,
    password_hash: str | None,
    *,
    sealed: bool = False,
    verified: bool = False,
) -> None:
    """`verified`: whether somebody has shown that they read what is sent to the address, or its domain's holder says
    so.
    """
    await tx.run(
        """
        INSERT INTO accounts (account_id, kind, email, name, state, password_hash, sealed, verified_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)
        """,
        (account_id, kind.value, email, name, state.value, password_hash, sealed, verified),
    )


async def mark_verified(tx: OperatorWriter, account_id: UUID) -> None:
    """Somebody has opened a link that went to the account's address."""
    await tx.run("UPDATE accounts SET verified_at = coalesce(verified_at, now()) WHERE account_id = %s", (account_id,))


async def lock_account(tx: OperatorWriter, account_id: UUID) -> None:
    """Holds the account's row: what changes its life comes before or after as a whole."""
    await tx.value("SELECT account_id FROM accounts WHERE account_id = %s FOR UPDATE", (account_id,))


async def delete_pending_accounts(tx: OperatorWriter) -> None:
    """Those that first-run setup left behind when it was begun again."""
    await tx.run("DELETE FROM links l USING accounts a WHERE a.account_id = l.account_id AND a.state = 'pending'")
    await tx.run(
        "DELETE FROM totp_factors t USING accounts a WHERE a.account_id = t.account_id AND a.state = 'pending'"
    )
    await tx.run("DELETE FROM accounts WHERE state = 'pending'")


async def find_account(tx: OperatorReader, account_id: UUID) -> Account | None:
    return await tx.one(Account, _ACCOUNT + " WHERE a.account_id = %s", (account_id,))


async def find_by_email(tx: OperatorReader, email: str) -> Account | None:
    return await tx.one(Account, _ACCOUNT + " WHERE a.email = %s", (email,))


async def list_accounts(
    tx: OperatorReader,
    *,
    kind: AccountKind | None = None,
    search: str = "",
    after: UUID | None = None,
    limit: int = 100_000,
) -> list[Account]:
    """Every account, or of one kind those that are people's."""
    return await tx.all(
        Account,
        _ACCOUNT
        + """
        WHERE (%(kind)s::text IS NULL OR (a.kind = %(kind)s AND NOT a.sealed))
          AND (%(after)s::uuid IS NULL OR a.account_id > %(after)s)
          AND (%(search)s = '' OR strpos(lower(a.name || ' ' || a.email), lower(%(search)s)) > 0)
        ORDER BY a.account_id LIMIT %(limit)s
        """,
        {"kind": kind.value if kind else None, "search": search, "after": after, "limit": limit},
    )


async def find_credentials(
    tx: OperatorReader, *, email: str = "", account_id: UUID | None = None
) -> Credentials | None:
    return await tx.one(
        Credentials,
        """
        SELECT
            a.account_id AS id, a.kind, a.email, a.name, a.state, a.epoch, a.sealed, a.password_hash,
            t.secret AS totp_secret, t.step AS totp_step,
            (SELECT count(*) FROM passkeys p WHERE p.account_id = a.account_id) AS passkeys,
            (SELECT count(*) FROM recovery_codes r WHERE r.account_id = a.account_id) AS recovery_codes
        FROM accounts a LEFT JOIN totp_factors t ON t.account_id = a.account_id AND t.confirmed_at IS NOT NULL
        WHERE a.email = %s OR a.account_id = %s
        """,
        (email, account_id),
    )


async def set_state(
    tx: OperatorWriter, account_id: UUID, before: AccountState, after: AccountState, because: str | None = None
) -> bool:
    """Takes an account from one state to another, and ends what was begun in the old one."""
    changed = await tx.run(
        """
        UPDATE accounts
        SET state = %s, disabled_because = %s, epoch = epoch + 1, dormancy_warned_at = NULL,
            seen_at = CASE WHEN %s = 'active' THEN now() ELSE seen_at END
        WHERE account_id = %s AND state = %s
        """,
        (after.value, because, after.value, account_id, before.value),
    )
    return changed == 1


async def set_password(tx: OperatorWriter, account_id: UUID, password_hash: str | None) -> None:
    """A new password; what was begun with the old one ends."""
    await tx.run(
        """
        UPDATE accounts SET password_hash = %s, password_changed_at = now(), epoch = epoch + 1 WHERE account_id = %s
        """,
        (password_hash, account_id),
    )


async def replace_hash(tx: OperatorWriter, account_id: UUID, old: str, new: str) -> None:
    """The same password under today's parameters, unless it was changed meanwhile."""
    await tx.run(
        "UPDATE accounts SET password_hash = %s WHERE account_id = %s AND password_hash = %s", (new, account_id, old)
    )


async def set_name(tx: OperatorWriter, account_id: UUID, name: str) -> None:
    await tx.run("UPDATE accounts SET name = %s WHERE account_id = %s", (name, account_id))
    await tx.run("UPDATE memberships SET name = %s WHERE account_id = %s", (name, account_id))


async def restart(tx: OperatorWriter, account_id: UUID, name: str, password_hash: str, state: AccountState) -> None:
    """Somebody who had left comes back: same account, nothing else kept."""
    await tx.run("DELETE FROM role_grants WHERE account_id = %s", (account_id,))
    await tx.run(
        """
        UPDATE accounts
        SET name = %s, password_hash = %s, state = %s, disabled_because = NULL, epoch = epoch + 1, seen_at = now(),
            password_changed_at = now(), dormancy_warned_at = NULL
        WHERE account_id = %s
        """,
        (name, password_hash, state.value, account_id),
    )


async def retire(tx: OperatorWriter, account_id: UUID) -> None:
    """An account that gives up its address, and opens to nothing any more."""
    await tx.run(
        """
        UPDATE accounts
        SET email = account_id || '@former.invalid', password_hash = NULL, state = 'off_boarded', epoch = epoch + 1,
            disabled_because = NULL
        WHERE account_id = %s
        """,
        (account_id,),
    )


async def touch(tx: OperatorWriter, account_id: UUID) -> None:
    """The account is in use."""
    await tx.run("UPDATE accounts SET seen_at = now(), dormancy_warned_at = NULL WHERE account_id = %s", (account_id,))


async def begin_use(tx: OperatorWriter, account_id: UUID, epoch: int | None = None) -> bool:
    """Notes that an active account is used, and holds its row: what ends its sessions comes before or after as a whole.

    False when it is not active, or has come to another epoch since `epoch` was read.
    """
    changed = await tx.run(
        """
        UPDATE accounts SET seen_at = now(), dormancy_warned_at = NULL
        WHERE account_id = %(account)s AND state = 'active' AND (%(epoch)s::bigint IS NULL OR epoch = %(epoch)s)
        """,
        {"account": account_id, "epoch": epoch},
    )
    return changed == 1


async def count_staff(tx: OperatorReader) -> int:
    """People of the operator's: neither the sealed account, nor a person that a check makes up for a moment."""
    count: int = await tx.value(
        "SELECT count(*) FROM accounts WHERE kind = 'staff' AND state <> 'pending' AND email NOT LIKE '%%.invalid'"
    )
    return count


async def list_staff_emails(tx: OperatorReader, roles: list[str]) -> list[str]:
    """Where active staff with one of `roles` are reached; the sealed account is nobody's mailbox."""
    return await tx.values(
        """
        SELECT DISTINCT a.email FROM accounts a JOIN role_grants g USING (account_id)
        WHERE a.state = 'active' AND NOT a.sealed AND g.role = ANY(%s) ORDER BY a.email
        """,
        (roles,),
    )


# --- dormancy ---------------------------------------------------------------------------------------


async def list_unseen(tx: OperatorReader, since: datetime, *, warned: bool) -> list[Account]:
    """Active accounts not seen since a moment, of those that have been warned or not. The sealed one is meant to
    sleep.
    """
    return await tx.all(
        Account,
        _ACCOUNT
        + """
        WHERE a.state = 'active' AND NOT a.sealed AND a.seen_at < %s AND (a.dormancy_warned_at IS NOT NULL) = %s
        ORDER BY a.account_id LIMIT 10000
        """,
        (since, warned),
    )


async def list_warned(tx: OperatorReader, account_ids: list[UUID]) -> list[Account]:
    """Those of some accounts that are active, and have been warned that nobody uses them."""
    return await tx.all(
        Account,
        _ACCOUNT + " WHERE a.account_id = ANY(%s) AND a.state = 'active' AND a.dormancy_warned_at IS NOT NULL",
        (account_ids,),
    )


async def mark_warned(tx: OperatorWriter, account_id: UUID) -> None:
    await tx.run("UPDATE accounts SET dormancy_warned_at = now() WHERE account_id = %s", (account_id,))


# --- first-run setup --------------------------------------------------------------------------------


class SetupLink(msgspec.Struct, frozen=True):
    """The one link that makes the owner's account."""

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


# --- links by mail ----------------------------------------------------------------------------------


class Link(msgspec.Struct, frozen=True):
    """A one-time link."""

    link_id: UUID
    purpose: str
    account_id: UUID
    digest: bytes
    expires_at: datetime


async def replace_link(
    tx: OperatorWriter, link_id: UUID, purpose: str, account_id: UUID, digest: bytes, expires_at: datetime
) -> None:
    """A new link in place of any before with that purpose."""
    await tx.run("DELETE FROM links WHERE account_id = %s AND purpose = %s", (account_id, purpose))
    await tx.run(
        "INSERT INTO links (link_id, purpose, account_id, digest, expires_at) VALUES (%s, %s, %s, %s, %s)",
        (link_id, purpose, account_id, digest, expires_at),
    )


async def find_link(tx: OperatorReader, link_id: UUID) -> Link | None:
    return await tx.one(
        Link, "SELECT link_id, purpose, account_id, digest, expires_at FROM links WHERE link_id = %s", (link_id,)
    )


async def use_link(tx: OperatorWriter, link_id: UUID) -> bool:
    """Uses a link up. One of many concurrent attempts succeeds."""
    return await tx.run("DELETE FROM links WHERE link_id = %s AND expires_at > now()", (link_id,)) == 1


async def delete_old_links(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM links WHERE expires_at < now()")


async def delete_links(tx: OperatorWriter, account_id: UUID) -> None:
    await tx.run("DELETE FROM links WHERE account_id = %s", (account_id,))


async def insert_reset(
    tx: OperatorWriter, reset_id: UUID, account_id: UUID, reset_by: str, reason: str, tenant: UUID | None = None
) -> None:
    """Why somebody's second factors were taken away."""
    await tx.run(
        "INSERT INTO factor_resets (reset_id, account_id, within, reset_by, reason) VALUES (%s, %s, %s, %s, %s)",
        (reset_id, account_id, tenant, reset_by, reason),
    )


class FactorReset(msgspec.Struct, frozen=True):
    """That somebody's factors were reset, by whom and why."""

    id: UUID
    reset_by: str
    reason: str
    reset_at: datetime


async def list_resets(tx: OperatorReader, account_id: UUID) -> list[FactorReset]:
    return await tx.all(
        FactorReset,
        """
        SELECT reset_id AS id, reset_by, reason, reset_at FROM factor_resets WHERE account_id = %s
        ORDER BY reset_id DESC LIMIT 100
        """,
        (account_id,),
    )


# --- for the checks ---------------------------------------------------------------------------------


async def has_setup_link(tx: OperatorReader) -> bool:
    found: bool = await tx.value("SELECT EXISTS (SELECT FROM setup_links)")
    return found


async def count_other_hashes(tx: OperatorReader, prefix: str) -> int:
    """Accounts, in use or not, whose stored password does not begin with `prefix`."""
    count: int = await tx.value(
        "SELECT count(*) FROM accounts WHERE password_hash IS NOT NULL AND NOT starts_with(password_hash, %s)",
        (prefix,),
    )
    return count
