"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

A checkpoint carries two signatures of the log: Ed25519 over the text (type 01) and ML-DSA-44 over the
`cosigned_message` structure (type 06), each under the log's origin as key name. A verifier counts the
signatures of the keys it was given, ignores lines of keys it does not know, and fails on a bad one.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from bailee.foundation.secrets import Secret
from bailee.ledger.errors import ProofInvalid

MAX_NOTE = 64 * 1024
MAX_SIGNATURES = 64
_DASH = "— "
_ED25519, _ML_DSA_44 = 0x01, 0x06
_TIMESTAMP = 8
_MAX_NAME = 255
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(msgspec.Struct, frozen=True):
    """A tree head: the log's name, its number of leaves, its root hash."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's body, with its final newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Verifier(Protocol):
    """One public key under one name."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes: ...

    def verify(self, text: str, signature: bytes) -> None:
        """Raises ProofInvalid."""
        ...

    def vkey(self) -> str:
        """The key as text, to hand to a verifier."""
        ...


class _Key(msgspec.Struct, frozen=True):
    name: str
    type: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + bytes((self.type,)) + self.public).digest()[:4]

    def vkey(self) -> str:
        public = base64.b64encode(bytes((self.type,)) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{public}"


class Ed25519Verifier(_Key, frozen=True):
    """Type 01: the signature is over the text itself."""

    def verify(self, text: str, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            raise ProofInvalid(f"The Ed25519 signature of {self.name} does not verify.") from None


class MLDSAVerifier(_Key, frozen=True):
    """Type 06: a 64-bit time, then ML-DSA-44 over the checkpoint as a cosigned_message."""

    def verify(self, text: str, signature: bytes) -> None:
        timestamp, raw = signature[:_TIMESTAMP], signature[_TIMESTAMP:]
        message = _cosigned(self.name, int.from_bytes(timestamp), parse_checkpoint(text))
        try:
            MLDSA44PublicKey.from_public_bytes(self.public).verify(raw, message)
        except (InvalidSignature, ValueError):
            raise ProofInvalid(f"The ML-DSA-44 signature of {self.name} does not verify.") from None


_VERIFIERS: dict[int, type[Ed25519Verifier | MLDSAVerifier]] = {_ED25519: Ed25519Verifier, _ML_DSA_44: MLDSAVerifier}


class Signer:
    """The log's two private keys, from one 64-byte seed: 32 bytes for each."""

    SEED = 64

    def __init__(self, origin: str, seed: Secret) -> None:
        if not _NAME.fullmatch(origin) or len(origin.encode()) > _MAX_NAME:
            raise ProofInvalid("A log's origin is a name without spaces and plus signs, of at most 255 bytes.")
        raw = seed.reveal()
        self.origin = origin
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(raw[:32])
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(raw[32:64])
        self.verifiers: tuple[Verifier, ...] = (
            Ed25519Verifier(origin, _ED25519, self._ed25519.public_key().public_bytes_raw()),
            MLDSAVerifier(origin, _ML_DSA_44, self._mldsa.public_key().public_bytes_raw()),
        )

    @property
    def vkeys(self) -> list[str]:
        return [verifier.vkey() for verifier in self.verifiers]

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> str:
        """The checkpoint as a note with both signatures. `timestamp`: seconds since 1970."""
        text = checkpoint.text()
        signatures = (
            self._ed25519.sign(text.encode()),
            timestamp.to_bytes(_TIMESTAMP) + self._mldsa.sign(_cosigned(self.origin, timestamp, checkpoint)),
        )
        lines = [
            f"{_DASH}{verifier.name} {base64.b64encode(verifier.key_id + signature).decode()}\n"
            for verifier, signature in zip(self.verifiers, signatures, strict=True)
        ]
        return f"{text}\n{''.join(lines)}"

    def sign_statement(self, text: str) -> str:
        """Something else than a checkpoint as a note, with the Ed25519 signature. `text` ends with a newline.

        Its second line is no number, so that no statement can be taken for a checkpoint.
        """
        if _SIZE.fullmatch(text.split("\n")[1]):
            raise ProofInvalid("A statement does not look like a checkpoint.")
        verifier = self.verifiers[0]
        signature = base64.b64encode(verifier.key_id + self._ed25519.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{verifier.name} {signature}\n"


def _cosigned(name: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    # struct cosigned_message of tlog-cosignature, for the whole tree: start 0, end = size
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join((
        b"subtree/v1\n\x00",
        len(cosigner).to_bytes(1), cosigner,
        timestamp.to_bytes(8),
        len(origin).to_bytes(1), origin,
        (0).to_bytes(8), checkpoint.size.to_bytes(8),
        checkpoint.root,
    ))  # fmt: skip


def parse_vkey(text: str) -> Verifier:
    """A verifier from its text form. Raises ProofInvalid."""
    parts = text.strip().split("+", 2)
    try:
        name, key_id = parts[0], bytes.fromhex(parts[1])
        raw = base64.b64decode(parts[2], validate=True)
        key = _VERIFIERS[raw[0]](name, raw[0], raw[1:])
    except (IndexError, KeyError, ValueError):
        raise ProofInvalid("A verifier key reads name+hash+key; this one does not.") from None
    if key.key_id != key_id:
        raise ProofInvalid("The verifier key's hash does not match its key: it was altered.")
    return key


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint's body. Raises ProofInvalid for anything but three clean lines."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004  three lines and the end
        raise ProofInvalid("A checkpoint is three lines: origin, size, root hash.")
    if len(lines[0].encode()) > _MAX_NAME:
        raise ProofInvalid(f"A checkpoint's origin has at most {_MAX_NAME} bytes.")
    root = _decode(lines[2])
    if len(root) != hashlib.sha256().digest_size:
        raise ProofInvalid("The checkpoint's root hash is not 32 bytes in base64.")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint in a signed note that every one of `verifiers` has signed.

    Raises ProofInvalid: for a malformed note, a bad signature of a known key, or a missing one.
    """
    text = _signed_text(note, verifiers)
    checkpoint = parse_checkpoint(text)
    if any(verifier.name != checkpoint.origin for verifier in verifiers):
        raise ProofInvalid("The checkpoint is of another log than the keys are.")
    return checkpoint


def open_statement(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text of a note that the Ed25519 keys among `verifiers` have signed. Raises ProofInvalid."""
    return _signed_text(note, [one for one in verifiers if isinstance(one, Ed25519Verifier)])


def _signed_text(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text that every one of `verifiers` has signed. Raises ProofInvalid."""
    text, separator, tail = note.rpartition("\n\n")
    if not separator or len(note) > MAX_NOTE or any(ord(c) < 32 and c != "\n" for c in note):  # noqa: PLR2004  ASCII controls
        raise ProofInvalid("That is not a signed note.")
    text += "\n"
    lines = tail.split("\n")
    if lines.pop() or not lines or len(lines) > MAX_SIGNATURES:
        raise ProofInvalid("The note's signatures are malformed.")
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed = set()
    for line in lines:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = _decode(encoded) if line.startswith(_DASH) and name else b""
        if len(raw) <= 4:  # noqa: PLR2004  the key id
            raise ProofInvalid("The note's signatures are malformed.")
        verifier = known.get((name, raw[:4]))
        if verifier is not None:
            verifier.verify(text, raw[4:])
            signed.add((name, raw[:4]))
    if not known or signed != set(known):
        raise ProofInvalid("The note lacks a signature of a key that must have signed it.")
    return text


def _decode(text: str) -> bytes:
    """Base64 in its one canonical spelling; nothing for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""
