"""The write-ahead log, taken from a server as it is written, so that any moment can be restored.

    wal/<server>/<system id>/<timeline>/<segment>.zst.age                        a whole segment
    wal/<server>/<system id>/<timeline>/<segment>.<from>-<to>.zst.age            a part of the newest one

The server is told that a position is safe when it lies in the repository, and keeps what is later in a replication
slot. What a crash leaves: parts that were stored and not yet acknowledged; they are sent again, and overlap harmlessly.
The parts of a segment are removed when the whole is there. Whole segments are locked, where the repository can do so.
"""

import re
import select
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import structlog
from psycopg import pq

from bailee.backup.age import Identity, Recipient
from bailee.backup.copying import lsn, lsn_text
from bailee.backup.errors import BackupDamaged, BackupFailed
from bailee.backup.repository import Repository, Stored, lock_all
from bailee.backup.tools import Source
from bailee.backup.volumes import Sealer, seal_signed, unseal_signed
from bailee.foundation.errors import Error
from bailee.ledger.note import Signer, Verifier

log = structlog.get_logger()

SLOT = "bailee_backup"
SEGMENT = 16 * 1024 * 1024
ROOT = "wal"
_HEADER = struct.Struct(">cQQQ")
_KEEPALIVE = struct.Struct(">cQQB")
_STATUS = struct.Struct(">cQQQQB")
_EPOCH = 946_684_800  # PostgreSQL counts from 2000-01-01
_POLL = 0.2
_PAUSE = 2.0
_LEVEL = 1
_NAME = re.compile(r"([0-9A-F]{24})(?:\.([0-9a-f]{8})-([0-9a-f]{8}))?\.zst\.age", re.ASCII)
_STATUS_SECONDS = 5


class Stretch(msgspec.Struct, frozen=True, order=True):
    """WAL that lies in the repository: [start, end) of one timeline."""

    timeline: int
    start: int
    end: int
    whole: bool
    stored: Stored


class WalDamaged(BackupDamaged):
    """A stretch that is not what was stored; what lies before it can be restored without."""

    def __init__(self, detail: str, stretch: Stretch) -> None:
        super().__init__(detail)
        self.stretch = stretch


class Receiver:
    """Streams one server's WAL into the repositories. Runs in a thread of its own until `stop`."""

    def __init__(
        self, source: Source, repository: Repository, recipients: Sequence[Recipient], signer: Signer, every: float,
        kept: timedelta,
    ) -> None:  # fmt: skip
        """`every`: seconds between parts; `kept`: for how long a whole segment is."""
        self._source = source
        self._repository = repository
        self._recipients = list(recipients)
        self._signer = signer
        self._every = every
        self._kept = kept
        self._stopping = threading.Event()
        self.stored_lsn = 0

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Works until stopped, through lost connections and a repository that is away."""
        while not self._stopping.is_set():
            try:
                self._stream()
            except (Error, psycopg.Error, OSError) as error:
                reason = error.code if isinstance(error, Error) else type(error).__name__
                log.warning("wal is not being stored; trying again", server=self._source.name, reason=reason)
                self._stopping.wait(_PAUSE)

    def _stream(self) -> None:
        ensure_slot(self._source)
        with closing(psycopg.connect(_replication(self._source), autocommit=True)) as connection:
            pg = connection.pgconn
            system_id, number, position, *_ = _ask(pg, "IDENTIFY_SYSTEM")
            timeline = int(number)
            prefix = prefix_of(self._source.name, system_id, timeline)
            stretches = [one for one in list_stretches(self._repository, prefix) if one.timeline == timeline]
            start = _resume(pg, stretches, lsn(position))
            parts = [one.stored.name for one in stretches if not one.whole and one.start >= start]
            segment = _Segment(
                self._store_part, self._store_whole, self._repository.delete, prefix, timeline, start, parts
            )
            pg.send_query(f'START_REPLICATION SLOT "{SLOT}" PHYSICAL {lsn_text(start)} TIMELINE {timeline}'.encode())
            _await_copy(pg)
            self._receive(pg, segment)

    def _store_part(self, name: str, content: bytes) -> None:
        self._repository.put(name, seal_signed(Sealer(self._recipients, _LEVEL), self._signer, name, content))

    def _store_whole(self, name: str, content: bytes) -> None:
        self._store_part(name, content)
        lock_all(self._repository, [name], datetime.now(UTC) + self._kept)

    def encrypt_to(self, recipients: Sequence[Recipient]) -> None:
        """From the next object on."""
        self._recipients = list(recipients)

    def _receive(self, pg: "pq.abc.PGconn", segment: "_Segment") -> None:
        told = flushed = time.monotonic()
        while not self._stopping.is_set():
            select.select([pg.socket], [], [], _POLL)
            pg.consume_input()
            while True:
                count, buffer = pg.get_copy_data(1)
                if count == -1:
                    pg.get_result()
                    raise BackupFailed("The server ended the stream.")
                if count <= 0:
                    break
                told = self._take(pg, segment, bytes(buffer), told)
            now = time.monotonic()
            if segment.waiting and now - flushed >= self._every:
                segment.store_part()
                told, flushed = 0.0, now
            elif not segment.waiting:
                flushed = now
            if now - told >= _STATUS_SECONDS:
                self._tell(pg, segment)
                told = now
        if segment.waiting:
            segment.store_part()
        self._tell(pg, segment)

    def _take(self, pg: "pq.abc.PGconn", segment: "_Segment", message: bytes, told: float) -> float:
        if message[:1] == b"w":
            _, start, _, _ = _HEADER.unpack_from(message)
            if segment.add(start, message[_HEADER.size :]):
                return 0.0
        elif message[:1] == b"k" and _KEEPALIVE.unpack_from(message)[3]:
            self._tell(pg, segment)
            return time.monotonic()
        return told

    def _tell(self, pg: "pq.abc.PGconn", segment: "_Segment") -> None:
        """What is received, and what is safe: in the repository."""
        self.stored_lsn = segment.stored
        moment = int((time.time() - _EPOCH) * 1_000_000)
        pg.put_copy_data(_STATUS.pack(b"r", segment.received, segment.stored, segment.stored, moment, 0))
        pg.flush()


class _Segment:
    """The segment that is being written, in memory, and how much of it is stored."""

    def __init__(
        self, put_part: Callable[[str, bytes], None], put_whole: Callable[[str, bytes], None],
        delete: Callable[[str], bool], prefix: str, timeline: int, start: int, parts: list[str],
    ) -> None:  # fmt: skip
        self._put_part = put_part
        self._put_whole = put_whole
        self._delete = delete
        self._prefix = prefix
        self._timeline = timeline
        self._start = start
        self._content = bytearray()
        self._part_from = 0
        self._parts = parts
        self.stored = start

    @property
    def received(self) -> int:
        return self._start + len(self._content)

    @property
    def waiting(self) -> bool:
        return self.received > self.stored

    def add(self, position: int, content: bytes) -> bool:
        """Takes what follows. Says whether a segment was completed, and so stored. Raises BackupFailed for a gap."""
        if position != self.received:
            raise BackupFailed("The server's WAL does not follow on what came before.")
        completed = False
        while content:
            room = SEGMENT - len(self._content)
            self._content += content[:room]
            content = content[room:]
            if len(self._content) == SEGMENT:
                self._complete()
                completed = True
        return completed

    def store_part(self) -> None:
        """Stores what is new of the segment."""
        end = len(self._content)
        name = f"{self._name}.{self._part_from:08x}-{end:08x}.zst.age"
        self._put_part(name, bytes(memoryview(self._content)[self._part_from :]))
        self._parts.append(name)
        self._part_from = end
        self.stored = self._start + end

    def _complete(self) -> None:
        self._put_whole(f"{self._name}.zst.age", bytes(self._content))
        self._start += SEGMENT
        self.stored = self._start
        for name in self._parts:
            self._delete(name)
        self._content = bytearray()
        self._part_from, self._parts = 0, []

    @property
    def _name(self) -> str:
        return f"{self._prefix}/{segment_name(self._timeline, self._start)}"


def prefix_of(server: str, system_id: str, timeline: int) -> str:
    """Where the WAL of one timeline of one cluster lies."""
    return f"{ROOT}/{server}/{system_id}/{timeline:08X}"


def segment_name(timeline: int, position: int) -> str:
    """The name of the WAL file that holds a position (24 hex digits), for segments of 16 MiB."""
    number = position // SEGMENT
    per_id = (1 << 32) // SEGMENT
    return f"{timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def is_whole(name: str) -> bool:
    """Whether an object holds a whole segment."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    return found is not None and found[2] is None


def list_stretches(repository: Repository, prefix: str) -> list[Stretch]:
    """What lies below `prefix`, by timeline and position."""
    found = []
    per_id = (1 << 32) // SEGMENT
    for one in repository.list(prefix):
        matched = _NAME.fullmatch(one.name.rpartition("/")[2])
        if matched is None:
            continue
        name, low, high = matched.groups()
        start = (int(name[8:16], 16) * per_id + int(name[16:], 16)) * SEGMENT
        begin, end = (start + int(low, 16), start + int(high, 16)) if low else (start, start + SEGMENT)
        found.append(Stretch(int(name[:8], 16), begin, end, low is None, one))
    return sorted(found, key=lambda one: (one.timeline, one.start, one.end))


def covered_to(stretches: Sequence[Stretch], timeline: int, start: int) -> int:
    """How far WAL lies without a gap from `start` on."""
    reached = start
    for one in stretches:
        if one.timeline == timeline and one.start <= reached < one.end:
            reached = one.end
    return reached


def stored_until(stretches: Sequence[Stretch], timeline: int, start: int) -> datetime | None:
    """When the newest of the WAL that reaches on from `start` without a gap was stored."""
    reached, moment = start, None
    for one in stretches:
        if one.timeline == timeline and one.start <= reached < one.end:
            reached, moment = one.end, one.stored.stored_at
    return moment


def fetch_segments(
    repository: Repository, stretches: Sequence[Stretch], timeline: int, start: int, end: int,
    identities: Sequence[Identity], verifiers: Sequence[Verifier],
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """The WAL files, by name, that hold [start, end); the last one filled up with zeros.

    Raises WalDamaged for what cannot be read, BackupDamaged for what is missing.
    """
    position = start // SEGMENT * SEGMENT
    while position < end:
        mine = [one for one in stretches if one.timeline == timeline and position <= one.start < position + SEGMENT]
        content = _segment(repository, mine, position, identities, verifiers)
        if position + len(content) < min(end, position + SEGMENT):
            raise BackupDamaged(f"WAL is missing after {lsn_text(position + len(content))}.")
        yield segment_name(timeline, position), content.ljust(SEGMENT, b"\0")
        position += SEGMENT


def _segment(
    repository: Repository, mine: Sequence[Stretch], position: int, identities: Sequence[Identity],
    verifiers: Sequence[Verifier],
) -> bytes:  # fmt: skip
    """What lies there of one segment: the whole, or its parts put together as far as they follow on."""
    whole = [one for one in mine if one.whole]
    content = bytearray()
    for one in whole or mine:
        low, high = one.start - position, one.end - position
        if low <= len(content) < high:
            name = one.stored.name
            try:
                part = unseal_signed(name, repository.get(name), identities, verifiers)
            except BackupDamaged as error:
                raise WalDamaged(f"{name}: {error.detail}", one) from None
            if len(part) != high - low:
                raise WalDamaged(f"{name} holds another amount of WAL than its name says.", one)
            content += part[len(content) - low :]
    return bytes(content)


def ensure_slot(source: Source) -> None:
    """Makes the slot that keeps WAL until it is stored. One that lost its WAL is made anew: a full backup is due."""
    with psycopg.connect(source.conninfo, autocommit=True) as connection:
        found = connection.execute(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)
        ).fetchone()
        if found is not None and found[0] == "lost":
            log.warning("the wal that was not stored yet is lost; beginning anew", server=source.name)
            connection.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
            found = None
        if found is None:
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (SLOT,))


def current_lsn(source: Source) -> int:
    """The position up to which the server has written."""
    with psycopg.connect(source.conninfo, autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    return lsn(str(row[0])) if row else 0


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """The receiver, at work in a thread while the block runs."""
    thread = threading.Thread(target=receiver.run, name="wal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        receiver.stop()
        thread.join()


def _replication(source: Source) -> str:
    return psycopg.conninfo.make_conninfo(source.conninfo, replication="true")


def _resume(pg: "pq.abc.PGconn", stretches: Sequence[Stretch], position: int) -> int:
    """The beginning of the segment up to which all is stored, or of the oldest that the slot still holds."""
    held = _ask(pg, f"READ_REPLICATION_SLOT {SLOT}")[1]
    slot = lsn(held) if held else position
    stored = max((one.end for one in stretches), default=slot)
    return min(max(stored, slot), position) // SEGMENT * SEGMENT


def _ask(pg: "pq.abc.PGconn", command: str) -> list[str]:
    """The one row that a command of the replication protocol answers. Raises BackupFailed."""
    result = pg.exec_(command.encode())
    if result.status != pq.ExecStatus.TUPLES_OK or result.ntuples != 1:
        raise BackupFailed("The server does not answer as one that can be replicated.")
    return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]


def _await_copy(pg: "pq.abc.PGconn") -> None:
    """Waits until the server has begun the stream. Raises BackupFailed."""
    while pg.is_busy():
        select.select([pg.socket], [], [], _POLL)
        pg.consume_input()
    result = pg.get_result()
    if result is None or result.status != pq.ExecStatus.COPY_BOTH:
        raise BackupFailed("The server does not stream from there: its WAL is gone. A full backup is due.")
