"""Opened keys, kept for a while: bounded, expiring, and emptied when a key dies anywhere."""

import time
from collections import OrderedDict
from uuid import UUID

from bailee.encryption.envelope import DataKey
from bailee.foundation.ids import TenantId


class KeyCache:
    """Least recently used first out; nothing outlives `seconds`.

    `epoch` moves with every drop. Whoever opens a key notes it before asking the keyring and gives it back with
    `put`, so that a key destroyed meanwhile is not put into the cache after it was dropped from it.
    While `trusted` is false, because the channel that announces destroyed keys is down, nothing is kept.
    """

    def __init__(self, size: int, seconds: float) -> None:
        self.epoch = 0
        self._trusted = False
        self._size = size
        self._seconds = seconds
        self._keys: OrderedDict[tuple[TenantId, UUID], tuple[float, DataKey]] = OrderedDict()

    def find(self, tenant: TenantId, key_id: UUID) -> DataKey | None:
        found = self._keys.get((tenant, key_id))
        if found is None:
            return None
        if found[0] < time.monotonic():
            del self._keys[tenant, key_id]
            return None
        self._keys.move_to_end((tenant, key_id))
        return found[1]

    def put(self, tenant: TenantId, key: DataKey, epoch: int) -> None:
        if epoch != self.epoch or not self._trusted:
            return
        self._keys[tenant, key.key_id] = (time.monotonic() + self._seconds, key)
        while len(self._keys) > self._size:
            self._keys.popitem(last=False)

    def drop(self, tenant: TenantId, key_id: UUID) -> None:
        self.epoch += 1
        self._keys.pop((tenant, key_id), None)

    def trust(self, *, trusted: bool) -> None:
        """Whether announcements arrive. Empties the cache: what was announced meanwhile is unknown."""
        self.epoch += 1
        self._keys.clear()
        self._trusted = trusted

    def __len__(self) -> int:
        return len(self._keys)
