"""The root key in a file: private, checked when read, and never made anew over a damaged one."""

import stat
from pathlib import Path

import pytest

from bailee.encryption.errors import RootKeyInvalid
from bailee.encryption.roots import FileRoot
from bailee.foundation.secrets import Secret

KEY = Secret(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    FileRoot(tmp_path / "root.key", create=True)
    return tmp_path / "root.key"


def test_file_is_readable_by_its_owner_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _mode_and_lines(path: Path) -> tuple[int, int]:
    return stat.S_IMODE(path.stat().st_mode), len(path.read_text().splitlines())


async def test_file_stays_private_when_rotated(path: Path) -> None:
    await FileRoot(path, create=False).rotate()
    assert _mode_and_lines(path) == (0o600, 3)


async def test_what_it_wraps_opens_in_its_context_only(path: Path) -> None:
    root = FileRoot(path, create=False)
    wrapped = await root.wrap(KEY, b"one")
    assert await root.unwrap(wrapped, b"one") == KEY
    with pytest.raises(RootKeyInvalid):
        await root.unwrap(wrapped, b"two")


async def test_older_roots_still_open_after_rotation_and_restart(path: Path) -> None:
    root = FileRoot(path, create=False)
    old = await root.wrap(KEY, b"c")
    await root.rotate()
    new = await root.wrap(KEY, b"c")
    assert old[1:5] != new[1:5]
    again = FileRoot(path, create=False)
    assert await again.unwrap(old, b"c") == await again.unwrap(new, b"c") == KEY


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-10],
        lambda text: text.replace("v1", "v2"),
        lambda _: "",
        lambda _: "bailee-root-key v1\n",
        lambda text: text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:],
        lambda text: text.replace(" ", "  "),
        lambda text: text + "\x00",
        lambda text: text + "zz zz\n",
    ],
    ids=["cut", "version", "empty", "no key", "bit", "spaces", "nul", "nonsense"],
)
def test_damaged_file_is_named_and_kept(path: Path, damage: object) -> None:
    assert callable(damage)
    text = damage(path.read_text())
    path.write_text(text)
    with pytest.raises(RootKeyInvalid, match=r"root\.key is damaged"):
        FileRoot(path, create=False)
    assert path.read_text() == text


async def test_missing_root_says_which_one_to_restore(path: Path, tmp_path: Path) -> None:
    wrapped = await FileRoot(path, create=False).wrap(KEY, b"c")
    other = FileRoot(tmp_path / "other.key", create=True)
    with pytest.raises(RootKeyInvalid, match=f"lacks the root key {wrapped[1:5].hex()}"):
        await other.unwrap(wrapped, b"c")


@pytest.mark.parametrize("wrapped", [b"", b"\x02rest", b"\x01", b"\x01abcd"])
async def test_wrapped_key_of_unknown_shape_is_refused(path: Path, wrapped: bytes) -> None:
    with pytest.raises(RootKeyInvalid):
        await FileRoot(path, create=False).unwrap(wrapped, b"c")


def test_missing_file_of_a_used_keyring_is_never_made_anew(tmp_path: Path) -> None:
    with pytest.raises(RootKeyInvalid, match="is missing"):
        FileRoot(tmp_path / "root.key", create=False)
    assert list(tmp_path.iterdir()) == []
