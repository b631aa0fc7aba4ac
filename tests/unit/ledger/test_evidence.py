import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bailee.foundation.secrets import Secret
from bailee.ledger.commitment import canonical, commit
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.evidence import Evidence, EvidenceItem, encode, parse_evidence, verify_evidence
from bailee.ledger.note import Checkpoint, Signer
from tests.unit.ledger import naive

SIGNER = Signer("bailee.example/log", Secret(bytes(range(64))))
EVENTS = [{"id": str(n), "action": "record.read", "details": {"count": n}, "tenant": None} for n in range(11)]
SALTS = [bytes([n]) * 32 for n in range(11)]
ENTRIES = [commit(salt, canonical(event)) for salt, event in zip(SALTS, EVENTS, strict=True)]
CHECKPOINT = Checkpoint(SIGNER.origin, 11, naive.mth(ENTRIES))


def bundle(*indices: int) -> Evidence:
    items = [
        EvidenceItem(EVENTS[i], encode(SALTS[i]), i, [encode(step) for step in naive.path(i, ENTRIES)]) for i in indices
    ]
    return Evidence(SIGNER.origin, SIGNER.vkeys, SIGNER.sign(CHECKPOINT, 1_700_000_000), items)


def verified(raw: dict[str, Any]) -> Checkpoint:
    return verify_evidence(parse_evidence(json.dumps(raw).encode()), SIGNER.verifiers)


@pytest.fixture
def raw() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(bundle(3, 10))
    return found


def test_bundle_verifies_after_its_way_through_json(raw: dict[str, Any]) -> None:
    assert verified(raw) == CHECKPOINT
    assert verify_evidence(bundle(*range(11)), SIGNER.verifiers) == CHECKPOINT


type Tampering = Callable[[dict[str, Any]], object]

TAMPERINGS: dict[str, Tampering] = {
    "format": lambda raw: raw.update(format="bailee-evidence/v2"),
    "checkpoint": lambda raw: raw.update(checkpoint=raw["checkpoint"].replace("\n11\n", "\n12\n")),
    "checkpoint's root": lambda raw: raw.update(
        checkpoint=raw["checkpoint"].replace(encode(CHECKPOINT.root), encode(bytes(32)))
    ),
    "no checkpoint": lambda raw: raw.update(checkpoint=""),
    "no items": lambda raw: raw.update(items=[]),
    "event's value": lambda raw: raw["items"][0]["event"].update(action="record.deleted"),
    "event's nested value": lambda raw: raw["items"][1]["event"]["details"].update(count=9),
    "event's new field": lambda raw: raw["items"][0]["event"].update(note="added"),
    "event's lost field": lambda raw: raw["items"][0]["event"].pop("tenant"),
    "event's number as float": lambda raw: raw["items"][0]["event"]["details"].update(count=3.5),
    "salt": lambda raw: raw["items"][0].update(salt=encode(bytes(32))),
    "salt's length": lambda raw: raw["items"][0].update(salt=encode(bytes(31))),
    "salt's encoding": lambda raw: raw["items"][0].update(salt="é"),
    "index": lambda raw: raw["items"][0].update(index=4),
    "index outside": lambda raw: raw["items"][0].update(index=11),
    "index below zero": lambda raw: raw["items"][0].update(index=-1),
    "proof's step": lambda raw: raw["items"][0]["proof"].__setitem__(0, encode(bytes(32))),
    "proof cut": lambda raw: raw["items"][0]["proof"].pop(),
    "proof longer": lambda raw: raw["items"][0]["proof"].append(encode(bytes(32))),
    "proof empty": lambda raw: raw["items"][0].update(proof=[]),
    "proof's encoding": lambda raw: raw["items"][0]["proof"].__setitem__(0, "*"),
    "proofs swapped": lambda raw: raw["items"][0].update(proof=raw["items"][1]["proof"]),
    "events swapped": lambda raw: raw["items"][0].update(event=raw["items"][1]["event"]),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampered_bundle_fails(raw: dict[str, Any], name: str) -> None:
    TAMPERINGS[name](raw)
    with pytest.raises(ProofInvalid):
        verified(raw)


def test_keys_inside_the_bundle_are_not_what_is_trusted(raw: dict[str, Any]) -> None:
    forger = Signer(SIGNER.origin, Secret(bytes(64)))
    raw["keys"] = forger.vkeys
    raw["checkpoint"] = forger.sign(CHECKPOINT, 1_700_000_000)
    with pytest.raises(ProofInvalid):
        verified(raw)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000, b'{"items":' * 50_000]
)
def test_what_is_no_bundle_is_refused_cleanly(content: bytes) -> None:
    with pytest.raises(ProofInvalid):
        parse_evidence(content)


def test_deeply_nested_event_is_refused_cleanly(raw: dict[str, Any]) -> None:
    raw["items"][0]["event"]["details"] = "@"
    content = json.dumps(raw).replace('"@"', "[" * 50_000 + "]" * 50_000).encode()
    with pytest.raises(ProofInvalid):
        verify_evidence(parse_evidence(content), SIGNER.verifiers)
