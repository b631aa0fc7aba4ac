"""The table of check results."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from bailee.foundation.database import OperatorReader, OperatorWriter


class Result(msgspec.Struct, frozen=True):
    """One run of a check."""

    name: str
    measure: str
    verdict: str
    summary: str
    facts: dict[str, Any]
    checked_at: datetime
    event_id: UUID


async def insert_result(tx: OperatorWriter, result_id: UUID, result: Result) -> None:
    await tx.run(
        """
        INSERT INTO check_results (result_id, name, measure, verdict, summary, facts, checked_at, event_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            result_id, result.name, result.measure, result.verdict, result.summary, Jsonb(result.facts),
            result.checked_at, result.event_id,
        ),
    )  # fmt: skip


async def latest_results(tx: OperatorReader) -> list[Result]:
    """The newest of each check."""
    return await tx.all(
        Result,
        """
        SELECT DISTINCT ON (name) name, measure, verdict, summary, facts, checked_at, event_id
        FROM check_results ORDER BY name, checked_at DESC
        """,
    )


async def history(tx: OperatorReader, measure: str, limit: int) -> list[Result]:
    """The newest first."""
    return await tx.all(
        Result,
        """
        SELECT name, measure, verdict, summary, facts, checked_at, event_id
        FROM check_results WHERE measure = %s ORDER BY checked_at DESC LIMIT %s
        """,
        (measure, limit),
    )
