"""Taking the write-ahead log from a server as it is written, so that any moment can be restored.

The server is told that a position is safe when it lies in the repository, and keeps what is later in a replication
slot. That slot alone says where to go on: what is listed in a repository may be somebody else's. What a crash leaves:
what was stored and not yet acknowledged; it is sent again, and lies there twice.

What is new is stored every few seconds, as a small part of its segment. Every minute the small ones are gathered into
one, and at its end the segment is stored as a whole; what is covered then is removed. Gathered parts and whole segments
are locked, where the repository can do so, and stay for as long as they are.
"""

import select
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from psycopg import pq

from bailee.backup.age import Recipient
from bailee.backup.copying import lsn, lsn_text
from bailee.backup.errors import BackupFailed
from bailee.backup.repository import Repository, lock_all
from bailee.backup.tools import Source
from bailee.backup.volumes import Sealer, seal_signed
from bailee.backup.wal import SEGMENT, list_stretches, prefix_of, segment_name, stored_name
from bailee.foundation.errors import Error
from bailee.ledger.note import Signer

log = structlog.get_logger()

SLOT = "bailee_backup"
_HEADER = struct.Struct(">cQQQ")
_KEEPALIVE = struct.Struct(">cQQB")
_STATUS = struct.Struct(">cQQQQB")
_EPOCH = 946_684_800  # PostgreSQL counts from 2000-01-01
_POLL = 0.2
_PAUSE = 2.0
_LEVEL = 1
_STATUS_SECONDS = 5
_GATHER_SECONDS = 60


class Receiver:
    """Streams one server's WAL into the repositories. Runs in a thread of its own until `stop`."""

    def __init__(
        self, source: Source, repository: Repository, recipients: Sequence[Recipient], signer: Signer, every: float,
        kept: timedelta,
    ) -> None:  # fmt: skip
        """`every`: seconds between small parts; `kept`: for how long the others and whole segments are."""
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
            start = _resume(pg, lsn(position))
            parts = [
                (one.end, one.stored.name) for one in list_stretches(self._repository, prefix)
                if one.timeline == timeline and not one.whole and start <= one.start < start + SEGMENT
            ]  # fmt: skip
            segment = OpenSegment(
                self._store, self._store_locked, self._repository.delete, prefix, timeline, start, parts,
                locks=self._repository.locks,
            )  # fmt: skip
            pg.send_query(f'START_REPLICATION SLOT "{SLOT}" PHYSICAL {lsn_text(start)} TIMELINE {timeline}'.encode())
            _await_copy(pg)
            self._receive(pg, segment)

    def _store(self, name: str, content: bytes) -> None:
        self._repository.put(name, seal_signed(Sealer(self._recipients, _LEVEL), self._signer, name, content))

    def _store_locked(self, name: str, content: bytes) -> None:
        self._store(name, content)
        lock_all(self._repository, [name], datetime.now(UTC) + self._kept)

    def encrypt_to(self, recipients: Sequence[Recipient]) -> None:
        """From the next object on."""
        self._recipients = list(recipients)

    def _receive(self, pg: "pq.abc.PGconn", segment: "OpenSegment") -> None:
        told = time.monotonic()
        storing, gathering = _Timer(self._every), _Timer(max(_GATHER_SECONDS, self._every))
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
            if storing.is_due(now, waiting=segment.waiting):
                segment.store_part()
                told = 0.0
            if gathering.is_due(now, waiting=segment.loose):
                segment.gather()
                told = 0.0
            if now - told >= _STATUS_SECONDS:
                self._tell(pg, segment)
                told = now
        if segment.loose and self._repository.locks:  # nobody may come back for long
            segment.gather()
        elif segment.waiting:
            segment.store_part()
        self._tell(pg, segment)

    def _take(self, pg: "pq.abc.PGconn", segment: "OpenSegment", message: bytes, told: float) -> float:
        if message[:1] == b"w":
            _, start, _, _ = _HEADER.unpack_from(message)
            if segment.add(start, message[_HEADER.size :]):
                return 0.0
        elif message[:1] == b"k" and _KEEPALIVE.unpack_from(message)[3]:
            self._tell(pg, segment)
            return time.monotonic()
        return told

    def _tell(self, pg: "pq.abc.PGconn", segment: "OpenSegment") -> None:
        """What is received, and what is safe: in the repository."""
        self.stored_lsn = segment.stored
        moment = int((time.time() - _EPOCH) * 1_000_000)
        pg.put_copy_data(_STATUS.pack(b"r", segment.received, segment.stored, segment.stored, moment, 0))
        pg.flush()


class _Timer:
    """Says when something has waited for long enough."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def is_due(self, now: float, *, waiting: bool) -> bool:
        due = waiting and now - self._since >= self._seconds
        if due or not waiting:
            self._since = now
        return due


class OpenSegment:
    """The segment that is being written, in memory, and how much of it is stored."""

    def __init__(
        self, put: Callable[[str, bytes], None], put_locked: Callable[[str, bytes], None],
        remove: Callable[[str], object], prefix: str, timeline: int, start: int, parts: list[tuple[int, str]], *,
        locks: bool,
    ) -> None:  # fmt: skip
        """`parts`: what lies there of it already, and how far each reaches. `locks`: gathered parts cannot be removed;
        rotation does that.
        """
        self._put = put
        self._put_locked = put_locked
        self._remove = remove
        self._locks = locks
        self._prefix = prefix
        self._timeline = timeline
        self._start = start
        self._content = bytearray()
        self._gathered_to = 0
        self._small = parts
        self._gathered: list[str] = []
        self.stored = start

    @property
    def received(self) -> int:
        return self._start + len(self._content)

    @property
    def waiting(self) -> bool:
        """Whether something is not stored yet."""
        return self.received > self.stored

    @property
    def loose(self) -> bool:
        """Whether something is not stored yet, or in small parts alone."""
        return len(self._content) > self._gathered_to

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
        name = self._store(self._put, self.stored - self._start)
        self._small.append((self.stored, name))

    def gather(self) -> None:
        """Stores what lies in small parts as one, with what is new, and removes them."""
        self._gathered.append(self._store(self._put_locked, self._gathered_to))
        self._gathered_to = len(self._content)
        covered = [name for end, name in self._small if end <= self.stored]
        self._small = [(end, name) for end, name in self._small if end > self.stored]
        for name in covered:
            self._remove(name)

    def _store(self, put: Callable[[str, bytes], None], start: int) -> str:
        end = len(self._content)
        name = stored_name(self._name, start, end)
        put(name, bytes(memoryview(self._content)[start:]))
        self.stored = self._start + end
        return name

    def _complete(self) -> None:
        self._put_locked(stored_name(self._name), bytes(self._content))
        self._start += SEGMENT
        self.stored = self._start
        for name in [*(name for _, name in self._small), *([] if self._locks else self._gathered)]:
            self._remove(name)
        self._content = bytearray()
        self._gathered_to, self._small, self._gathered = 0, [], []

    @property
    def _name(self) -> str:
        return f"{self._prefix}/{segment_name(self._timeline, self._start)}"


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


def _resume(pg: "pq.abc.PGconn", position: int) -> int:
    """The beginning of the segment up to which the slot was told that all is stored."""
    held = _ask(pg, f"READ_REPLICATION_SLOT {SLOT}")[1]
    return min(lsn(held) if held else position, position) // SEGMENT * SEGMENT


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
