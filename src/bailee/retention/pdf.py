"""A certificate of deletion as PDF, for the file. What counts is the signed JSON; the PDF shows its digest."""

import asyncio
import hashlib
from pathlib import Path

import msgspec
import typst

from bailee.ledger.commitment import canonical
from bailee.retention.certificate import SignedCertificate

_TEMPLATE = (Path(__file__).parent / "templates" / "certificate.typ").read_bytes()


async def render_certificate(signed: SignedCertificate) -> bytes:
    """The PDF (1.7)."""
    document = signed.certificate
    backups = document["backups"]
    data = {
        "number": str(document["number"]),
        "customer": document["customer"]["name"],
        "id": document["customer"]["id"],
        "facts": [
            ["Asked for", f"{document['asked_at']}, by the {document['asked_by']}"],
            ["Deletion begun", document["began_at"] or "–"],
            ["Completed", document["completed_at"] or "–"],
            ["Issued", document["issued_at"]],
            ["Files deleted", str(document["objects"])],
            ["Keys destroyed", str(document["keys_destroyed"])],
            ["Accounts closed", str(document["accounts_closed"])],
            ["Backups that still hold something", str(backups["left"])],
            ["Not readable any more from", backups["unreadable_from"] or "now on"],
            ["Last backup gone by", backups["gone_by"] or "there is none"],
        ],
        "deleted": [[name, str(count)] for name, count in document["deleted"].items()],
        "kept": [[name, reason] for name, reason in document["kept"].items()],
        "sha256": hashlib.sha256(canonical(document)).hexdigest(),
        "log": str(signed.evidence.get("origin", "")),
    }
    inputs = {"data": msgspec.json.encode(data).decode()}
    return await asyncio.to_thread(lambda: typst.compile(_TEMPLATE, sys_inputs=inputs))
