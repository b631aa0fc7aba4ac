"""A certificate of deletion, and checking one offline."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from bailee.ledger.commitment import canonical
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.evidence import Evidence, verify_evidence
from bailee.ledger.note import Verifier, open_statement

FORMAT = "bailee-certificate/v1"


class SignedCertificate(msgspec.Struct, frozen=True):
    """The document, the signed note over its digest, and the evidence bundle of the event that carries the digest."""

    format: str
    certificate: dict[str, Any]
    note: str
    evidence: dict[str, Any]


def note_text(sha256: str) -> str:
    """What is signed: the format, so that no checkpoint reads like it, and the digest in hex."""
    return f"{FORMAT}\n{sha256}\n"


def parse_certificate(content: bytes) -> SignedCertificate:
    """Raises ProofInvalid."""
    try:
        found = msgspec.json.decode(content, type=SignedCertificate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProofInvalid("That is not a certificate of deletion.") from None
    if found.format != FORMAT:
        raise ProofInvalid(f"That is not a certificate of the format {FORMAT}.")
    return found


def verify_certificate(signed: SignedCertificate, verifiers: Sequence[Verifier]) -> str:
    """The log's origin. Raises ProofInvalid."""
    # 1. The digest of the document.
    sha256 = hashlib.sha256(canonical(signed.certificate)).hexdigest()
    # 2. The note is over this digest, by the log's Ed25519 key.
    if open_statement(signed.note, verifiers) != note_text(sha256):
        raise ProofInvalid("The note is about another document: the certificate was altered.")
    # 3. The event is in the log, under a checkpoint that every key has signed.
    try:
        evidence = msgspec.convert(signed.evidence, Evidence)
    except msgspec.ValidationError:
        raise ProofInvalid("The certificate holds no evidence bundle.") from None
    checkpoint = verify_evidence(evidence, verifiers)
    # 4. It is the deletion of this very customer, and carries this very digest.
    (item, *others) = evidence.items
    customer = signed.certificate.get("customer")
    named = customer.get("id") if isinstance(customer, dict) else None
    details = item.event.get("details")
    carried = details.get("certificate") if isinstance(details, dict) else None
    if others or item.event.get("action") != "tenant.deleted" or item.event.get("tenant") != named:
        raise ProofInvalid("The evidence is of something else than this customer's deletion.")
    if carried != sha256:
        raise ProofInvalid("The event carries the digest of another document.")
    return checkpoint.origin
