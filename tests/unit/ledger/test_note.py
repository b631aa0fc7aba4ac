import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from bailee.foundation.secrets import Secret
from bailee.ledger.errors import ProofInvalid
from bailee.ledger.note import Checkpoint, Signer, open_checkpoint, parse_checkpoint, parse_vkey

# The example in the documentation of Go's golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

ORIGIN = "bailee.example/log"
TIME = 1_700_000_000
SEED = Secret(bytes(range(64)))
CHECKPOINT = Checkpoint(ORIGIN, 8429, hashlib.sha256(b"root").digest())
UNKNOWN = f"— witness.example {base64.b64encode(b'1234' + bytes(72)).decode()}\n"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(ORIGIN, SEED)


@pytest.fixture(scope="module")
def note(signer: Signer) -> str:
    return signer.sign(CHECKPOINT, TIME)


def resigned(signer: Signer, text: str) -> str:
    """A note whose Ed25519 signature is good over a text that the product would never sign."""
    key = Ed25519PrivateKey.from_private_bytes(SEED.reveal()[:32])
    raw = signer.verifiers[0].key_id + key.sign(text.encode())
    return f"{text}\n— {ORIGIN} {base64.b64encode(raw).decode()}\n"


def test_gos_documented_example_verifies() -> None:
    key = parse_vkey(GO_VKEY)
    raw = base64.b64decode(GO_SIGNATURE)
    assert (key.name, key.key_id.hex(), raw[:4].hex()) == ("PeterNeumann", "c74f20a3", "c74f20a3")
    assert key.vkey() == GO_VKEY
    key.verify(GO_TEXT, raw[4:])
    with pytest.raises(ProofInvalid):
        key.verify(GO_TEXT.upper(), raw[4:])


def test_note_opens_with_both_keys_or_either(signer: Signer, note: str) -> None:
    assert open_checkpoint(note, signer.verifiers) == CHECKPOINT
    for verifier in signer.verifiers:
        assert open_checkpoint(note, [verifier]) == CHECKPOINT


def test_note_reads_as_tlog_checkpoint_says(signer: Signer, note: str) -> None:
    lines = note.split("\n")
    assert lines[:4] == [ORIGIN, "8429", base64.b64encode(CHECKPOINT.root).decode(), ""]
    ed25519, mldsa = (base64.b64decode(line.split(" ")[2]) for line in lines[4:6])
    assert [line.split(" ")[:2] for line in lines[4:6]] == [["—", ORIGIN]] * 2
    assert lines[6:] == [""]
    assert (len(ed25519), len(mldsa)) == (4 + 64, 4 + 8 + 2420)
    assert mldsa[4:12] == TIME.to_bytes(8)


def test_key_ids_and_vkeys_are_those_of_signed_note(signer: Signer) -> None:
    for verifier, kind, length in zip(signer.verifiers, (1, 6), (32, 1312), strict=True):
        name, key_id, encoded = verifier.vkey().split("+", 2)
        public = base64.b64decode(encoded)
        assert (name, public[0], len(public)) == (ORIGIN, kind, 1 + length)
        assert key_id == hashlib.sha256(ORIGIN.encode() + b"\n" + public).hexdigest()[:8]
        assert parse_vkey(verifier.vkey()) == verifier


def test_mldsa_signs_the_cosigned_message_of_tlog_cosignature(signer: Signer, note: str) -> None:
    raw = base64.b64decode(note.split("\n")[5].split(" ")[2])
    name = ORIGIN.encode()
    message = (
        b"subtree/v1\n\x00"
        + bytes([len(name)]) + name
        + TIME.to_bytes(8)
        + bytes([len(name)]) + name
        + bytes(8) + (8429).to_bytes(8)
        + CHECKPOINT.root
    )  # fmt: skip
    public = base64.b64decode(signer.vkeys[1].split("+", 2)[2])[1:]
    MLDSA44PublicKey.from_public_bytes(public).verify(raw[12:], message)


def test_altered_time_of_the_cosignature_fails(signer: Signer, note: str) -> None:
    lines = note.split("\n")
    raw = bytearray(base64.b64decode(lines[5].split(" ")[2]))
    raw[11] ^= 1
    lines[5] = f"— {ORIGIN} {base64.b64encode(raw).decode()}"
    with pytest.raises(ProofInvalid, match="ML-DSA"):
        open_checkpoint("\n".join(lines), signer.verifiers)


def test_signature_of_an_unknown_key_is_ignored(signer: Signer, note: str) -> None:
    assert open_checkpoint(note + UNKNOWN, signer.verifiers) == CHECKPOINT
    same_name = f"— {ORIGIN} {base64.b64encode(b'1234' + bytes(64)).decode()}\n"
    assert open_checkpoint(note + same_name, signer.verifiers) == CHECKPOINT


@pytest.mark.parametrize("line", [4, 5])
@pytest.mark.parametrize("place", [4, 20, -1])
def test_bad_signature_of_a_known_key_fails(signer: Signer, note: str, line: int, place: int) -> None:
    lines = note.split("\n")
    raw = bytearray(base64.b64decode(lines[line].split(" ")[2]))
    raw[place] ^= 0x80
    lines[line] = f"— {ORIGIN} {base64.b64encode(raw).decode()}"
    with pytest.raises(ProofInvalid):
        open_checkpoint("\n".join(lines), signer.verifiers)


def test_bad_signature_beside_a_good_one_of_the_same_key_fails(signer: Signer, note: str) -> None:
    raw = signer.verifiers[0].key_id + bytes(64)
    with pytest.raises(ProofInvalid):
        open_checkpoint(f"{note}— {ORIGIN} {base64.b64encode(raw).decode()}\n", signer.verifiers)


@pytest.mark.parametrize("line", [4, 5])
def test_missing_signature_fails(signer: Signer, note: str, line: int) -> None:
    lines = note.split("\n")
    del lines[line]
    with pytest.raises(ProofInvalid, match="lacks"):
        open_checkpoint("\n".join(lines), signer.verifiers)


def test_signatures_of_strangers_alone_prove_nothing(signer: Signer) -> None:
    with pytest.raises(ProofInvalid, match="lacks"):
        open_checkpoint(f"{CHECKPOINT.text()}\n{UNKNOWN}", signer.verifiers)


def test_verification_without_keys_fails(note: str) -> None:
    with pytest.raises(ProofInvalid):
        open_checkpoint(note, [])


def test_note_of_another_log_fails(signer: Signer, note: str) -> None:
    stranger = Signer(ORIGIN, Secret(bytes(64)))
    with pytest.raises(ProofInvalid):
        open_checkpoint(note, stranger.verifiers)
    foreign = signer.sign(Checkpoint("other.example", 1, bytes(32)), TIME)
    with pytest.raises(ProofInvalid, match="another log"):
        open_checkpoint(foreign, signer.verifiers)


@pytest.mark.parametrize(
    "old, new",
    [
        ("8429", "8430"),
        ("8429", "08429"),
        (ORIGIN, "bailee.example/lag"),
        ("\n8429", "\r\n8429"),
        ("\n\n", "\nextension\n\n"),
        ("\n\n", "\n"),
        ("\n\n", "\n\n\n"),
        ("— ", "- "),
        ("— ", "—  "),
        ("8429", "8429\t"),
        ("8429", "8429\x00"),
    ],
)
def test_altered_note_fails(signer: Signer, note: str, old: str, new: str) -> None:
    assert old in note
    with pytest.raises(ProofInvalid):
        open_checkpoint(note.replace(old, new, 1), signer.verifiers)


@pytest.mark.parametrize("tail", ["x", "\n", "— \n", "—\n", "— name\n", "— name AAAA\n", "— name é\n", "— name !\n"])
def test_malformed_signature_line_fails(signer: Signer, note: str, tail: str) -> None:
    with pytest.raises(ProofInvalid):
        open_checkpoint(note + tail, signer.verifiers)


def test_note_without_final_newline_fails(signer: Signer, note: str) -> None:
    with pytest.raises(ProofInvalid):
        open_checkpoint(note[:-1], signer.verifiers)


def test_sixty_four_signatures_are_read_and_one_more_is_refused(signer: Signer, note: str) -> None:
    assert open_checkpoint(note + UNKNOWN * 62, signer.verifiers) == CHECKPOINT
    with pytest.raises(ProofInvalid, match="malformed"):
        open_checkpoint(note + UNKNOWN * 63, signer.verifiers)


def test_huge_note_is_refused(signer: Signer, note: str) -> None:
    long_one = f"— witness.example {base64.b64encode(bytes(60 * 1024)).decode()}\n"
    with pytest.raises(ProofInvalid):
        open_checkpoint(note + long_one, signer.verifiers)


def test_base64_with_stray_bits_is_refused(signer: Signer, note: str) -> None:
    """Two spellings of one signature would be two notes for one checkpoint."""
    line = next(line for line in note.split("\n") if line.endswith("=") and line.startswith("—"))
    stem = line.rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stray = stem[:-1] + alphabet[alphabet.index(stem[-1]) | 1] + "=" * (len(line) - len(stem))
    assert stray != line
    assert base64.b64decode(stray.split(" ")[2]) == base64.b64decode(line.split(" ")[2])
    with pytest.raises(ProofInvalid, match="malformed"):
        open_checkpoint(note.replace(line, stray), signer.verifiers)


ROOT = base64.b64encode(CHECKPOINT.root).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n8429\n{ROOT[:-2]}{chr(ord(ROOT[-2]) + 1)}=\n",  # stray bits
        f"{ORIGIN}\n8429\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n8429\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{ORIGIN}\n8429\n{base64.urlsafe_b64encode(b'\xff' * 32).decode()}\n",
        f"{ORIGIN}\n8429\né\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n",
        f"{ORIGIN}\n1e3\n{ROOT}\n",
        f"{ORIGIN}\n٣\n{ROOT}\n",
        f"{ORIGIN}\n99999999999999999999\n{ROOT}\n",
        f"{ORIGIN}\n8429\n{ROOT}\nextension\n",
        f"\n8429\n{ROOT}\n",
        f"{ORIGIN}\n8429\n",
    ],
)
def test_checkpoint_that_is_not_three_clean_lines_fails_even_when_signed(signer: Signer, text: str) -> None:
    with pytest.raises(ProofInvalid):
        parse_checkpoint(text)
    with pytest.raises(ProofInvalid):
        open_checkpoint(resigned(signer, text), signer.verifiers[:1])


def test_overlong_origin_fails_cleanly(signer: Signer, note: str) -> None:
    lines = note.split("\n")
    lines[0] = "x" * 300
    lines[4:6] = [lines[5], lines[4]]  # the post-quantum signature, whose structure holds 255 bytes, is read first
    with pytest.raises(ProofInvalid):
        open_checkpoint("\n".join(lines), signer.verifiers)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+c74f20a3",
        "name+zz+AA==",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown algorithm
        "PeterNeumann+c74f20a3+é",
    ],
)
def test_broken_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(ProofInvalid):
        parse_vkey(vkey)


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nend", "x" * 256, "é" * 200])
def test_origin_that_is_no_key_name_is_refused(origin: str) -> None:
    with pytest.raises(ProofInvalid):
        Signer(origin, SEED)
