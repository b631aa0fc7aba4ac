"""Taking the write-ahead log from a server as it is written, so that any moment can be restored.

The server is told that a position is safe when it lies in the repository, and keeps what is later in a replication
slot. That slot alone says where to go on: what is listed in a repository may be somebody else's. What a crash leaves:
what was stored and not yet acknowledged; it is sent again, and lies there twice. The parts of a segment are removed
when the whole is there. Whole segments are locked, where the repository can do so.
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
            start = _resume(pg, lsn(position))
            parts = [
                one.stored.name for one in list_stretches(self._repository, prefix)
                if one.timeline == timeline and not one.whole and start <= one.start < start + SEGMENT
            ]  # fmt: skip
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
        name = stored_name(self._name, self._part_from, end)
        self._put_part(name, bytes(memoryview(self._content)[self._part_from :]))
        self._parts.append(name)
        self._part_from = end
        self.stored = self._start + end

    def _complete(self) -> None:
        self._put_whole(stored_name(self._name), bytes(self._content))
        self._start += SEGMENT
        self.stored = self._start
        for name in self._parts:
            self._delete(name)
        self._content = bytearray()
        self._part_from, self._parts = 0, []

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
