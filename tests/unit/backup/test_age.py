"""age v1, against the reference implementation's library and Debian's command; and against whoever alters a file."""

import os
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships its types without the marker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.backup.age import decrypt, encrypt, new_identity, parse_identity, parse_recipient
from bailee.backup.errors import BackupDamaged, KeyRefused

SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_003]


@pytest.mark.parametrize("size", SIZES)
def test_what_we_write_others_read_and_the_other_way(size: int) -> None:
    ours = new_identity()
    theirs = pyrage.x25519.Identity.from_str(ours.text())
    plain = os.urandom(size)
    assert pyrage.decrypt(encrypt(plain, [new_identity().recipient, ours.recipient]), [theirs]) == plain
    assert decrypt(pyrage.encrypt(plain, [theirs.to_public()]), [ours]) == plain
    assert decrypt(encrypt(plain, [ours.recipient]), [new_identity(), ours]) == plain


def test_the_command_of_the_distribution_opens_it(tmp_path: Path) -> None:
    identity = new_identity()
    (tmp_path / "kit").write_text(f"# a comment\n{identity.text()}\n")
    (tmp_path / "file").write_bytes(encrypt(b"plain" * 50_000, [identity.recipient]))
    answer = subprocess.run(["age", "-d", "-i", tmp_path / "kit", tmp_path / "file"], capture_output=True, check=True)
    assert answer.stdout == b"plain" * 50_000


@given(st.binary(max_size=200_000), st.data())
def test_any_altered_bit_is_noticed(plain: bytes, data: st.DataObject) -> None:
    identity = new_identity()
    sealed = bytearray(encrypt(plain, [identity.recipient]))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((BackupDamaged, KeyRefused)):
        decrypt(bytes(sealed), [identity])


@pytest.mark.parametrize("cut", [1, 16, 17, 65_552, 70_000, 131_000])
def test_a_file_that_was_cut_short_does_not_open(cut: int) -> None:
    identity = new_identity()
    sealed = encrypt(b"x" * 131_072, [identity.recipient])
    with pytest.raises(BackupDamaged):
        decrypt(sealed[:-cut], [identity])


def test_chunks_cannot_change_places() -> None:
    identity = new_identity()
    sealed = encrypt(os.urandom(3 * 65_536), [identity.recipient])
    chunk = 65_536 + 16
    start = len(sealed) - 3 * chunk
    first, second = sealed[start : start + chunk], sealed[start + chunk : start + 2 * chunk]
    with pytest.raises(BackupDamaged):
        decrypt(sealed[:start] + second + first + sealed[start + 2 * chunk :], [identity])


def test_somebody_elses_key_opens_nothing() -> None:
    with pytest.raises(KeyRefused, match="does not open"):
        decrypt(encrypt(b"x", [new_identity().recipient]), [new_identity()])
    with pytest.raises(KeyRefused):
        decrypt(encrypt(b"x", [new_identity().recipient]), [])
    with pytest.raises(KeyRefused):
        encrypt(b"x", [])


def test_keys_read_as_they_are_written_and_slips_are_told() -> None:
    identity = new_identity()
    assert parse_identity(identity.text().lower()).recipient == identity.recipient
    assert parse_recipient(f" {identity.recipient}\n") == identity.recipient
    assert identity.text() not in repr(identity)
    whole = str(identity.recipient)
    for wrong in ("", "age1", whole[:-1], whole.replace("1", "b"), "AGE-SECRET-KEY-1"):
        with pytest.raises(KeyRefused):
            parse_recipient(wrong)
    text = identity.text()
    for place in range(len("AGE-SECRET-KEY-1"), len(text)):
        other = text[:place] + ("Q" if text[place] != "Q" else "P") + text[place + 1 :]
        with pytest.raises(KeyRefused, match="typing slip"):
            parse_identity(other)
