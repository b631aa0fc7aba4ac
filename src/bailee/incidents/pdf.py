"""A notice as PDF, for the customer's file. Typeset by typst; what people wrote goes in as data, never as markup."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typst

from bailee.incidents.letters import when
from bailee.incidents.model import PARTS, Notice, ReachedCollection

_TEMPLATE = (Path(__file__).parent / "templates" / "notice.typ").read_bytes()


async def render_notice(notice: Notice, reached: Sequence[ReachedCollection]) -> bytes:
    """The PDF (1.7) of one version."""
    kind = "Notice of a personal data breach" if notice.version == 1 else f"Supplement {notice.version - 1}"
    data = {
        "title": kind, "exercise": notice.exercise, "customer": notice.tenant_name, "number": str(notice.number),
        "verified": when(notice.verified_at), "sent": when(notice.sent_at) if notice.sent_at else "not sent yet",
        "authority": when(notice.authority_by) if notice.authority_by else "",
        "late": notice.late_reason,
        "parts": [{"title": title, "text": getattr(notice, name) or "–"} for name, title in PARTS.items()],
        "reached": [
            [one.title or one.collection or "Files", ", ".join(one.categories).replace("_", " "), str(one.records),
             str(one.subjects_certain), str(one.subjects_possible)]
            for one in reached
        ],
    }  # fmt: skip
    inputs = {"data": msgspec.json.encode(data).decode()}
    return await asyncio.to_thread(lambda: typst.compile(_TEMPLATE, sys_inputs=inputs))
