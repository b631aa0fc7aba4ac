"""The worker's part that never rests: the WAL of both servers, stored as it is written."""

import asyncio

import structlog

from bailee.backup.age import Recipient
from bailee.backup.backups import Backups
from bailee.backup.keys import BackupKeys
from bailee.backup.model import POSTGRES, Server
from bailee.backup.receiving import Receiver
from bailee.backup.schedule import wal_keep
from bailee.foundation.database import Connection, Database
from bailee.foundation.errors import Error

log = structlog.get_logger()

_LOCK = 0x62616B77  # "bakw"
_LOOK = 5.0


class WalKeeper:
    """Runs the receivers, in one worker of all that there are."""

    def __init__(self, database: Database, backups: Backups, keys: BackupKeys) -> None:
        self._database = database
        self._backups = backups
        self._keys = keys

    async def run(self) -> None:
        """Works until cancelled; begins once there is a recovery key."""
        while True:
            try:
                async with self._database.session() as connection:
                    while not await self._mine(connection):  # noqa: ASYNC110  PostgreSQL's locks tell nobody
                        await asyncio.sleep(_LOOK)
                    await self._keep(connection)
            except Error as error:
                log.warning("wal keeper pauses", reason=error.code)
            except Exception:  # a lost connection, say; it begins anew
                log.warning("wal keeper restarts", exc_info=True)
            await asyncio.sleep(_LOOK)

    async def _mine(self, connection: Connection) -> bool:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))).fetchone()
        return bool(row and row[0])

    async def _keep(self, connection: Connection) -> None:
        recipients = await self._recipients()
        while not recipients:
            await asyncio.sleep(_LOOK)
            await connection.execute("SELECT 1")
            recipients = await self._recipients()
        place = self._backups.place
        receivers = [self._receiver(server, recipients) for server in POSTGRES if server in place.sources]
        threads = [asyncio.create_task(asyncio.to_thread(one.run)) for one in receivers]
        try:
            while True:
                await asyncio.sleep(_LOOK)
                await connection.execute("SELECT 1")  # the lock is ours while this session lives
                now = await self._recipients()
                if now and now != recipients:
                    recipients = now
                    for receiver in receivers:
                        receiver.encrypt_to(recipients)
        finally:
            for receiver in receivers:
                receiver.stop()
            await asyncio.gather(*threads, return_exceptions=True)

    def _receiver(self, server: Server, recipients: list[Recipient]) -> Receiver:
        place, every = self._backups.place, self._backups.settings.wal_seconds
        kept = wal_keep(self._backups.rotation(server))
        return Receiver(place.sources[server], place.repository, recipients, place.signer, every, kept)

    async def _recipients(self) -> list[Recipient]:
        async with self._database.operator_read() as tx:
            return await self._keys.recipients(tx)
