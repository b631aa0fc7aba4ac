"""Re-reading everything that lies in a repository, against manifests, signatures and hashes."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from bailee.backup.age import Identity
from bailee.backup.copying import chunk_name
from bailee.backup.errors import BackupDamaged, KeyRefused
from bailee.backup.journal import ROOT as JOURNAL
from bailee.backup.manifest import Index, Manifest
from bailee.backup.repository import Repository
from bailee.backup.volumes import Volume, unseal, unseal_signed, verify_hash, volume_name
from bailee.backup.wal import ROOT as WAL
from bailee.backup.wal import list_stretches
from bailee.ledger.note import Verifier

MOST_FAULTS = 20


class VerifyReport(msgspec.Struct, frozen=True):
    """What was read again. `faults` holds at most 20."""

    backups: int
    objects: int
    bytes: int
    faults: list[str]


class Reading:
    """Reads objects again and counts; what is wrong is noted, not raised."""

    def __init__(self, repository: Repository, identities: Sequence[Identity], verifiers: Sequence[Verifier]) -> None:
        self._repository = repository
        self._identities = identities
        self._verifiers = verifiers
        self._progress: Callable[[int], None] = lambda _bytes: None
        self._seen: set[str] = set()
        self.backups = self.objects = self.bytes = 0
        self.faults: list[str] = []

    def watch(self, progress: Callable[[int], None]) -> None:
        """Has `progress` told how many bytes each object had."""
        self._progress = progress

    def report(self) -> VerifyReport:
        return VerifyReport(self.backups, self.objects, self.bytes, self.faults[:MOST_FAULTS])

    def backup(self, manifest: Manifest) -> list[str]:
        """Every object of one backup; answers what is wrong with it. Runs in a thread."""
        before = len(self.faults)
        self.backups += 1
        index = self._index(manifest)
        for number, volume in enumerate(manifest.volumes):
            name = volume_name(manifest.prefix, number)
            self._try(name, partial(self._verify, name, volume))
        for stored in index.objects if index else ():
            for digest in stored.chunks:
                self._chunk(digest)
        return self.faults[before:]

    def wal(self, server: str) -> None:
        """The write-ahead log of one server: each object signed, and none missing between the first and the last."""
        stretches = list_stretches(self._repository, f"{WAL}/{server}")
        reached: dict[str, int] = {}
        for one in stretches:
            place = one.stored.name.rpartition("/")[0]
            if one.start > reached.get(place, one.start):
                self.faults.append(f"WAL of {server} is missing before {one.stored.name.rpartition('/')[2]}")
            reached[place] = max(reached.get(place, 0), one.end)
            self._signed(one.stored.name)

    def journal(self) -> None:
        """What restores take over."""
        for one in self._repository.list(JOURNAL):
            self._signed(one.name)

    def _index(self, manifest: Manifest) -> Index | None:
        name = f"{manifest.prefix}/index.zst.age"
        try:
            sealed = self._get(name)
            verify_hash(name, sealed, manifest.index)
            if manifest.server == "settings":  # for the recovery key alone
                return None
            return msgspec.msgpack.decode(unseal(sealed, self._identities), type=Index)
        except (BackupDamaged, KeyRefused, msgspec.DecodeError) as error:
            self.faults.append(str(error))
            return None

    def _verify(self, name: str, volume: Volume) -> None:
        verify_hash(name, self._get(name), volume)

    def _chunk(self, digest: str) -> None:
        name = chunk_name(digest)
        if name in self._seen:
            return
        self._seen.add(name)

        def run() -> None:
            if hashlib.sha256(unseal(self._get(name), self._identities)).hexdigest() != digest:
                raise BackupDamaged(f"{name} holds something else than its name says.")

        self._try(name, run)

    def _signed(self, name: str) -> None:
        self._try(name, lambda: unseal_signed(name, self._get(name), self._identities, self._verifiers))

    def _get(self, name: str) -> bytes:
        content = self._repository.get(name)
        self.objects += 1
        self.bytes += len(content)
        self._progress(len(content))
        return content

    def _try(self, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except (BackupDamaged, KeyRefused) as error:
            self.faults.append(str(error) if name in str(error) else f"{name}: {error}")
