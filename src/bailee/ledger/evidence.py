"""Evidence bundles: events with everything needed to check them offline, and the check itself.

A bundle is JSON: `format`, `origin`, `keys` (vkeys, for convenience: trust those you got elsewhere),
`checkpoint` (a signed note) and `items`, each an event `body`, its `salt`, leaf `index` and inclusion `proof`.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from bailee.ledger.commitment import canonical, commit
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.note import Checkpoint, Verifier, open_checkpoint
from bailee.ledger.tree import leaf_hash, verify_inclusion

FORMAT = "bailee-evidence/v1"


class EvidenceItem(msgspec.Struct, frozen=True):
    """One event and its place. `salt` and `proof` are base64; `proof` runs from leaf to root."""

    event: dict[str, Any]
    salt: str
    index: int
    proof: list[str]


class Evidence(msgspec.Struct, frozen=True):
    """Events proven against one checkpoint."""

    origin: str
    keys: list[str]
    checkpoint: str
    items: list[EvidenceItem]
    format: str = FORMAT


def parse_evidence(content: bytes) -> Evidence:
    """Reads a bundle. Raises ProofInvalid."""
    try:
        evidence = msgspec.json.decode(content, type=Evidence)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProofInvalid(f"That is not an evidence bundle: {error}.") from None
    except RecursionError:
        raise ProofInvalid("That is not an evidence bundle: it nests too deeply.") from None
    if evidence.format != FORMAT:
        raise ProofInvalid(f"The bundle's format is {evidence.format!r}; this verifier reads {FORMAT}.")
    return evidence


def verify_evidence(evidence: Evidence, verifiers: Sequence[Verifier]) -> Checkpoint:
    """Proves every item: signature, commitment, inclusion. Answers the checkpoint; raises ProofInvalid."""
    # 1. The checkpoint is signed by the keys the verifier trusts.
    checkpoint = open_checkpoint(evidence.checkpoint, verifiers)
    if not evidence.items:
        raise ProofInvalid("The bundle proves nothing: it holds no events.")
    for item in evidence.items:
        # 2. The event and its salt give the leaf.
        leaf = leaf_hash(commit(_decode(item.salt), canonical(item.event)))
        # 3. The leaf is in the tree that the checkpoint signs.
        verify_inclusion(item.index, checkpoint.size, leaf, [_decode(step) for step in item.proof], checkpoint.root)
    return checkpoint


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProofInvalid("The bundle holds something that is not base64.") from None
