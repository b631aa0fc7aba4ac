"""Which backups still hold something, as the room of the backups knows it."""

from datetime import datetime

from bailee.backup.rotation import HeldBackup, Holding, Rotation
from bailee.foundation.database import OperatorReader


class BackupDates:
    """Asks the rotation of backups. `taken`: whether Bailee takes any here; who takes others has to answer for them."""

    def __init__(self, rotation: Rotation, *, taken: bool) -> None:
        self._rotation = rotation
        self.taken = taken

    async def holding(self, tx: OperatorReader, *, since: datetime, until: datetime) -> Holding:
        """Which backups hold what was there from `since` until `until`, when it was deleted."""
        return await self._rotation.holding(tx, since=since, until=until)

    async def overdue(self, tx: OperatorReader) -> list[HeldBackup]:
        """Backups that are past their date and still there."""
        return await self._rotation.overdue(tx)
