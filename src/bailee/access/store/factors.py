"""Second factors: TOTP secrets, passkeys, recovery codes, and the challenges that passkeys answer."""

from datetime import datetime
from uuid import UUID

import msgspec

from bailee.access.model import Passkey
from bailee.foundation.database import OperatorReader, OperatorWriter


class TotpFactor(msgspec.Struct, frozen=True):
    """A sealed secret, and the last time step that was used."""

    secret: bytes
    step: int
    confirmed_at: datetime | None


async def put_totp(tx: OperatorWriter, account_id: UUID, secret: bytes) -> bool:
    """A secret to be confirmed, in place of another unconfirmed one; False where one is in use."""
    changed = await tx.run(
        """
        INSERT INTO totp_factors (account_id, secret) VALUES (%s, %s)
        ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret, step = 0
        WHERE totp_factors.confirmed_at IS NULL
        """,
        (account_id, secret),
    )
    return changed == 1


async def find_totp(tx: OperatorReader, account_id: UUID) -> TotpFactor | None:
    return await tx.one(
        TotpFactor, "SELECT secret, step, confirmed_at FROM totp_factors WHERE account_id = %s", (account_id,)
    )


async def confirm_totp(tx: OperatorWriter, account_id: UUID, step: int) -> bool:
    changed = await tx.run(
        """
        UPDATE totp_factors SET confirmed_at = now(), step = %s, used_at = now()
        WHERE account_id = %s AND confirmed_at IS NULL
        """,
        (step, account_id),
    )
    return changed == 1


async def advance_totp(tx: OperatorWriter, account_id: UUID, step: int) -> bool:
    """Uses a time step up. One of many concurrent attempts succeeds."""
    changed = await tx.run(
        "UPDATE totp_factors SET step = %s, used_at = now() WHERE account_id = %s AND step < %s",
        (step, account_id, step),
    )
    return changed == 1


async def delete_totp(tx: OperatorWriter, account_id: UUID) -> bool:
    return await tx.run("DELETE FROM totp_factors WHERE account_id = %s", (account_id,)) == 1


# --- passkeys -----------------------------------------------------------------------------------------


class StoredPasskey(msgspec.Struct, frozen=True):
    """What a passkey's answer is verified against."""

    credential_id: bytes
    account_id: UUID
    public_key: bytes
    sign_count: int


async def insert_passkey(
    tx: OperatorWriter, credential_id: bytes, passkey_id: UUID, account_id: UUID, name: str, public_key: bytes,
    sign_count: int, transports: list[str], *, synced: bool,
) -> None:  # fmt: skip
    await tx.run(
        """
        INSERT INTO passkeys
            (credential_id, passkey_id, account_id, name, public_key, sign_count, transports, synced, used_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now())
        """,
        (credential_id, passkey_id, account_id, name, public_key, sign_count, transports, synced),
    )


async def list_passkeys(tx: OperatorReader, account_id: UUID) -> list[Passkey]:
    return await tx.all(
        Passkey,
        """
        SELECT passkey_id AS id, name, synced, created_at, used_at FROM passkeys
        WHERE account_id = %s ORDER BY passkey_id
        """,
        (account_id,),
    )


async def list_credential_ids(tx: OperatorReader, account_id: UUID) -> list[bytes]:
    return await tx.values("SELECT credential_id FROM passkeys WHERE account_id = %s", (account_id,))


async def find_passkey(tx: OperatorReader, credential_id: bytes) -> StoredPasskey | None:
    return await tx.one(
        StoredPasskey,
        "SELECT credential_id, account_id, public_key, sign_count FROM passkeys WHERE credential_id = %s",
        (credential_id,),
    )


async def advance_passkey(tx: OperatorWriter, credential_id: bytes, sign_count: int) -> bool:
    """Notes a use. False when the counter did not grow: a copy of the key, or an answer given twice."""
    changed = await tx.run(
        """
        UPDATE passkeys SET sign_count = %(count)s, used_at = now()
        WHERE credential_id = %(id)s AND (sign_count < %(count)s OR (sign_count = 0 AND %(count)s = 0))
        """,
        {"id": credential_id, "count": sign_count},
    )
    return changed == 1


async def rename_passkey(tx: OperatorWriter, account_id: UUID, passkey_id: UUID, name: str) -> bool:
    return (
        await tx.run(
            "UPDATE passkeys SET name = %s WHERE account_id = %s AND passkey_id = %s", (name, account_id, passkey_id)
        )
        == 1
    )


async def delete_passkey(tx: OperatorWriter, account_id: UUID, passkey_id: UUID) -> bool:
    return await tx.run("DELETE FROM passkeys WHERE account_id = %s AND passkey_id = %s", (account_id, passkey_id)) == 1


async def delete_passkeys(tx: OperatorWriter, account_id: UUID) -> int:
    return await tx.run("DELETE FROM passkeys WHERE account_id = %s", (account_id,))


# --- recovery codes -----------------------------------------------------------------------------------


async def replace_recovery_codes(tx: OperatorWriter, account_id: UUID, digests: list[bytes]) -> None:
    await tx.run("DELETE FROM recovery_codes WHERE account_id = %s", (account_id,))
    await tx.run_many(
        "INSERT INTO recovery_codes (account_id, digest) VALUES (%s, %s)", [(account_id, digest) for digest in digests]
    )


async def use_recovery_code(tx: OperatorWriter, account_id: UUID, digest: bytes) -> bool:
    """Uses a code up. One of many concurrent attempts succeeds."""
    return await tx.run("DELETE FROM recovery_codes WHERE account_id = %s AND digest = %s", (account_id, digest)) == 1


async def delete_recovery_codes(tx: OperatorWriter, account_id: UUID) -> int:
    return await tx.run("DELETE FROM recovery_codes WHERE account_id = %s", (account_id,))


async def count_recovery_codes(tx: OperatorReader, account_id: UUID) -> int:
    count: int = await tx.value("SELECT count(*) FROM recovery_codes WHERE account_id = %s", (account_id,))
    return count


# --- challenges ---------------------------------------------------------------------------------------


async def insert_challenge(
    tx: OperatorWriter,
    challenge_id: UUID,
    purpose: str,
    account_id: UUID | None,
    challenge: bytes,
    expires_at: datetime,
) -> None:
    await tx.run(
        """
        INSERT INTO challenges (challenge_id, purpose, account_id, challenge, expires_at) VALUES (%s, %s, %s, %s, %s)
        """,
        (challenge_id, purpose, account_id, challenge, expires_at),
    )


class Challenge(msgspec.Struct, frozen=True):
    account_id: UUID | None
    challenge: bytes


async def use_challenge(tx: OperatorWriter, challenge_id: UUID, purpose: str) -> Challenge | None:
    """Takes a challenge away, so that it is answered once."""
    return await tx.one(
        Challenge,
        """
        DELETE FROM challenges WHERE challenge_id = %s AND purpose = %s AND expires_at > now()
        RETURNING account_id, challenge
        """,
        (challenge_id, purpose),
    )


async def delete_old_challenges(tx: OperatorWriter) -> int:
    return await tx.run("DELETE FROM challenges WHERE expires_at < now()")
