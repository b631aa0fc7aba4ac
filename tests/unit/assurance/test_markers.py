from pathlib import Path

import anyio
import pytest

from bailee.assurance import markers
from bailee.assurance.markers import CONTROL, PREFIX, new_marker, search_files

BORDER = 4 * 1024 * 1024


def spelled(marker: str, how: str) -> bytes:
    match how:
        case "utf-16":
            return marker.encode("utf-16-le")
        case "hex":
            return marker.encode().hex().encode()
        case "HEX":
            return marker.encode().hex().upper().encode()
        case _:
            return marker.encode()


@pytest.mark.parametrize("how", ["text", "utf-16", "hex", "HEX"])
@pytest.mark.parametrize("before", [0, 1, 100])
async def test_marker_is_found_however_it_is_spelled(tmp_path: Path, how: str, before: int) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/file").write_bytes(b"\x00" * before + spelled(new_marker(), how) + b"tail")
    (tmp_path / "clean").write_bytes(b"bailee-cana" * 1000)
    search = await search_files(tmp_path, [tmp_path])
    assert search.found == ["deep/er/file"]
    assert search.files == 2
    assert search.proven


@pytest.mark.parametrize("how", ["text", "utf-16", "hex"])
@pytest.mark.parametrize("inside", [0, 1, 7, 13, 14, 27, 28])
async def test_marker_across_a_block_border_is_found(tmp_path: Path, how: str, inside: int) -> None:
    content = bytearray(2 * BORDER)
    marker = spelled(new_marker(), how)
    content[BORDER - inside : BORDER - inside + len(marker)] = marker
    (tmp_path / "file").write_bytes(content)
    assert (await search_files(tmp_path, [tmp_path])).found == ["file"]


async def test_clean_files_are_counted_and_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(BORDER + 5))
    (tmp_path / "b").write_text("nothing")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    search = await search_files(tmp_path, [tmp_path])
    assert (search.files, search.bytes, search.found, search.proven) == (2, BORDER + 5 + 7, [], True)


async def test_control_leaves_nothing_behind(tmp_path: Path) -> None:
    await search_files(tmp_path, [tmp_path])
    assert [path async for path in anyio.Path(tmp_path).iterdir()] == []


async def test_control_of_a_search_beside_this_one_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / f"{CONTROL}-1-aabbccdd").write_text(new_marker())
    assert (await search_files(tmp_path, [tmp_path])).found == []


async def test_search_that_cannot_find_its_control_is_not_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markers, "_needles", lambda: [b"something else"])
    assert not (await search_files(tmp_path, [tmp_path])).proven


async def test_at_most_twenty_files_are_named(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"{number:02}").write_text(new_marker())
    search = await search_files(tmp_path, [tmp_path])
    assert (len(search.found), search.files) == (20, 25)


async def test_only_the_named_directories_are_searched(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(new_marker())
    assert (await search_files(tmp_path, [tmp_path / "in", tmp_path / "absent"])).found == ["in/file"]


def test_markers_begin_alike_and_are_never_the_same() -> None:
    made = {new_marker() for _ in range(100)}
    assert len(made) == 100
    assert all(marker.startswith(PREFIX) for marker in made)
