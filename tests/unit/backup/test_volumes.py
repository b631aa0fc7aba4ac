"""Volumes, the index of a tar stream, signed objects, and the folder that they lie in."""

import io
import os
import tarfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailee.backup.age import new_identity
from bailee.backup.errors import BackupDamaged, BackupFailed, RepositoryUnavailable
from bailee.backup.repository import Folder
from bailee.backup.tarindex import MANIFEST, TarIndex, slices
from bailee.backup.volumes import Sealer, packing, seal_signed, unpack, unseal_signed
from bailee.foundation.secrets import Secret
from bailee.ledger.note import Signer


def _tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12), st.integers(1, 8))
def test_files_are_found_whatever_way_the_stream_is_cut(sizes: list[int], blocks: int) -> None:
    files = {f"base/{number}": os.urandom(size) for number, size in enumerate(sizes)} | {MANIFEST: b"{}" * 700}
    stream, step = _tar(files), blocks * 512
    index = TarIndex()
    for start in range(0, len(stream), step):
        index.feed(memoryview(stream)[start : start + step])
    assert bytes(index.manifest) == files[MANIFEST]
    assert [one.name for one in index.entries if one.kind == "file"] == list(files)
    found: dict[str, bytearray] = {one.name: bytearray(one.size) for one in index.entries if one.kind == "file"}
    for start in range(0, len(stream), step):
        for entry, low, high in slices(index.entries, start, min(start + step, len(stream))):
            found[entry.name][low - entry.offset : high - entry.offset] = stream[low:high]
    assert {name: bytes(content) for name, content in found.items()} == files


def test_a_link_in_the_stream_is_refused() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        info = tarfile.TarInfo("pg_tblspc/1")
        info.type, info.linkname = tarfile.SYMTYPE, "/elsewhere"
        tar.addfile(info)
    with pytest.raises(BackupFailed, match="tablespaces"):
        TarIndex().feed(memoryview(target.getvalue()))


def test_volumes_come_back_in_place_from_several_threads(tmp_path: Path) -> None:
    repository, identity = Folder(tmp_path), new_identity()
    pieces = [os.urandom(100_000 + number) for number in range(9)]
    with packing(repository, "b", Sealer([identity.recipient], 1)) as packer:
        for piece in pieces:
            packer.add(piece)
        volumes = packer.finish()
    whole, threads = bytearray(sum(map(len, pieces))), set()

    def take(offset: int, content: bytes) -> None:
        threads.add(threading.get_ident())
        whole[offset : offset + len(content)] = content

    unpack(repository, "b", volumes, [identity], take)
    assert bytes(whole) == b"".join(pieces)
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1") for path in tmp_path.rglob("*.age"))


def test_a_volume_in_anothers_place_is_noticed(tmp_path: Path) -> None:
    repository, identity = Folder(tmp_path), new_identity()
    with packing(repository, "b", Sealer([identity.recipient], 1)) as packer:
        for number in range(3):
            packer.add(bytes((number,)) * 1000)
        volumes = packer.finish()
    repository.put("b/00000001.zst.age", repository.get("b/00000002.zst.age"))
    with pytest.raises(BackupDamaged, match="another's place"):
        unpack(repository, "b", volumes, [identity], lambda _offset, _content: None)


def test_what_one_thread_meets_is_raised(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("in the way")

    def pack() -> None:
        with packing(Folder(tmp_path), "b", Sealer([new_identity().recipient], 1)) as packer:
            for _ in range(20):
                packer.add(b"x" * 1000)
            packer.finish()

    with pytest.raises(RepositoryUnavailable):
        pack()


def test_signed_objects_hold_name_and_content() -> None:
    signer, identity = Signer("example.com/log", Secret(os.urandom(64))), new_identity()
    stranger = Signer("example.com/log", Secret(os.urandom(64)))
    sealer = Sealer([identity.recipient], 3)
    sealed = seal_signed(sealer, signer, "wal/1", b"content" * 1000)
    assert unseal_signed("wal/1", sealed, [identity], signer.verifiers) == b"content" * 1000
    forged = seal_signed(sealer, stranger, "wal/1", b"content" * 1000)
    unsigned = sealer.seal(b"content" * 1000)
    for name, content in (("wal/2", sealed), ("wal/1", forged), ("wal/1", unsigned)):
        with pytest.raises(BackupDamaged, match="not made by this instance"):
            unseal_signed(name, content, [identity], signer.verifiers)
