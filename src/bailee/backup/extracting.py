"""Writing out the files of one backup, from several volumes at once."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable
from itertools import accumulate
from multiprocessing import SimpleQueue
from pathlib import Path

from bailee.backup.errors import BackupDamaged, KeyRefused, RepositoryUnavailable
from bailee.backup.manifest import Index, Manifest
from bailee.backup.planning import Access, open_index
from bailee.backup.tarindex import Entry, slices
from bailee.backup.volumes import READERS, SIZE, open_volume, unpack, volume_name
from bailee.foundation.direct import keep_memory, pwrite_direct, reserve
from bailee.foundation.errors import Error, StorageFull

_FAULTS: dict[str, type[Error]] = {
    one.code: one for one in (BackupDamaged, KeyRefused, RepositoryUnavailable, StorageFull)
}
_AHEAD = 2 * READERS

type Progress = Callable[[int], None]
type _Told = int | tuple[str, str] | None


def quiet(_bytes: int) -> None:
    """The progress that nobody watches."""


def extract(access: Access, manifest: Manifest, directory: Path, progress: Progress = quiet) -> None:
    """The files of one backup, written from several volumes at once. Raises BackupDamaged."""
    index = open_index(access, manifest)
    lay_out(index.entries, directory)
    files = _Files(index, directory)

    def take(offset: int, content: bytes) -> None:
        files.place(offset, memoryview(content))
        progress(len(content))

    if access.repository.forkable and threading.active_count() == 1:
        _unpack_in_processes(access, manifest, files, progress)
    else:
        unpack(access.repository, manifest.prefix, manifest.volumes, access.identities, take)


class _Files:
    """The files of one backup, to be written to."""

    def __init__(self, index: Index, directory: Path) -> None:
        self._entries = index.entries
        self._directory = directory

    def place(self, offset: int, content: memoryview) -> None:
        """Writes a stretch of the stream into the files that it belongs to."""
        for entry, low, high in slices(self._entries, offset, offset + len(content)):
            _write(self._directory / entry.name, low - entry.offset, content[low - offset : high - offset])


def _unpack_in_processes(access: Access, manifest: Manifest, files: _Files, progress: Progress) -> None:
    """The same by forked processes, which do not wait for each other's interpreter: twice as fast on two cores.

    Only where nothing else runs in this process: what a fork inherits from other threads cannot be trusted.
    """
    for number in range(_AHEAD):
        access.repository.expect(volume_name(manifest.prefix, number))
    context = multiprocessing.get_context("fork")
    told: SimpleQueue[_Told] = context.SimpleQueue()
    processes = [
        context.Process(target=_unpack_share, args=(access, manifest, files, first, told), daemon=True)
        for first in range(READERS)
    ]
    for process in processes:
        process.start()
    try:
        running = len(processes)
        while running:
            said = told.get()
            if said is None:
                running -= 1
            elif isinstance(said, int):
                progress(said)
            else:
                raise _FAULTS.get(said[0], BackupDamaged)(said[1])
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _unpack_share(access: Access, manifest: Manifest, files: _Files, first: int, told: "SimpleQueue[_Told]") -> None:
    """Every fourth volume, say, of a backup; tells how many bytes, at the end None, or what went wrong."""
    keep_memory()
    starts = list(accumulate((volume.plain for volume in manifest.volumes), initial=0))
    try:
        for number in range(first, len(manifest.volumes), READERS):
            access.repository.expect(volume_name(manifest.prefix, number + _AHEAD))
            volume = manifest.volumes[number]
            view = memoryview(open_volume(access.repository, manifest.prefix, number, volume, access.identities))
            files.place(starts[number], view)
            told.put(len(view))
    except Error as error:
        told.put((error.code, error.detail))
    except OSError as error:
        told.put((StorageFull.code, f"The copy could not be written ({error.strerror}); it is not complete."))
    else:
        told.put(None)


def lay_out(entries: Iterable[Entry], directory: Path) -> None:
    """The directories, empty files and room for the large ones; the others are made as they are written. Raises
    BackupDamaged for a name that leads out, OSError.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    for entry in entries:
        if entry.name.startswith("/") or ".." in entry.name.split("/"):
            raise BackupDamaged("A file of the backup has a name that leads out of its directory.")
        path = directory / entry.name
        if entry.kind == "directory":
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not entry.size or entry.size >= SIZE:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                if entry.size:
                    reserve(handle, entry.size)
            finally:
                os.close(handle)


def _write(path: Path, offset: int, content: memoryview) -> None:
    """Past the page cache: the server flushes every file before it answers, and has less to wait for."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        pwrite_direct(handle, content, offset)
    finally:
        os.close(handle)
