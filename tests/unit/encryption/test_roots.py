import base64
from pathlib import Path

import pytest

from bailee.encryption.errors import RootKeyInvalid
from bailee.encryption.roots import FileRoot
from bailee.foundation.secrets import Secret

KEY = Secret(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


def test_new_root_key_is_readable_by_its_owner_alone(path: Path) -> None:
    FileRoot(path, create=True)
    assert path.stat().st_mode & 0o777 == 0o600
    header, line = path.read_text().splitlines()
    assert header == "bailee-root-key v1"
    assert len(base64.b64decode(line.split(" ")[1])) == 32


async def test_key_unwraps_after_a_restart_and_for_its_context_alone(path: Path) -> None:
    wrapped = await FileRoot(path, create=True).wrap(KEY, b"tenant 1")
    assert await FileRoot(path, create=True).unwrap(wrapped, b"tenant 1") == KEY
    with pytest.raises(RootKeyInvalid):
        await FileRoot(path, create=True).unwrap(wrapped, b"tenant 2")


async def test_rotation_wraps_anew_and_unwraps_what_was(path: Path) -> None:
    root = FileRoot(path, create=True)
    old = await root.wrap(KEY, b"")
    await root.rotate()
    new = await root.wrap(KEY, b"")
    assert old[1:5] != new[1:5]
    for wrapped in (old, new):
        assert await FileRoot(path, create=True).unwrap(wrapped, b"") == KEY


async def test_key_of_another_root_names_what_is_missing(path: Path, tmp_path: Path) -> None:
    wrapped = await FileRoot(tmp_path / "other.key", create=True).wrap(KEY, b"")
    with pytest.raises(RootKeyInvalid, match=wrapped[1:5].hex()):
        await FileRoot(path, create=True).unwrap(wrapped, b"")


async def test_every_flipped_bit_and_every_cut_fails(path: Path) -> None:
    root = FileRoot(path, create=True)
    wrapped = await root.wrap(KEY, b"")
    for bit in range(len(wrapped) * 8):
        altered = bytearray(wrapped)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RootKeyInvalid):
            await root.unwrap(bytes(altered), b"")
    for length in range(len(wrapped)):
        with pytest.raises(RootKeyInvalid):
            await root.unwrap(wrapped[:length], b"")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[-1],
        lambda text: text.replace("v1", "v2"),
        lambda text: text.splitlines()[0],
        lambda text: text[:-10],
        lambda text: text.replace("A", "B").replace("a", "b"),
        lambda text: text + "nonsense\n",
        lambda text: text + "é\n",
    ],
)
def test_damaged_file_is_noticed_and_left_alone(path: Path, damage: object) -> None:
    FileRoot(path, create=True)
    damaged = damage(path.read_text())  # type: ignore[operator]  # a lambda
    path.write_text(damaged)
    with pytest.raises(RootKeyInvalid, match="restore"):
        FileRoot(path, create=True)
    assert path.read_text() == damaged


def test_missing_file_is_not_replaced_by_a_new_key(path: Path) -> None:
    """A new key in its place would open nothing, and hide that the old one is lost."""
    with pytest.raises(RootKeyInvalid, match="restore"):
        FileRoot(path, create=False)
    assert not path.exists()


async def test_process_that_did_not_rotate_learns_of_the_new_key(path: Path) -> None:
    one, other = FileRoot(path, create=True), FileRoot(path, create=False)
    await one.rotate()
    assert await other.unwrap(await one.wrap(KEY, b""), b"") == KEY
