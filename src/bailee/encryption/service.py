"""The keyring: makes, opens, rotates and destroys keys."""

import asyncio
import secrets
from collections.abc import Iterable
from uuid import UUID

import structlog

from bailee.encryption import store
from bailee.encryption.blind_index import IndexKey
from bailee.encryption.cache import KeyCache
from bailee.encryption.envelope import KEY, DataKey
from bailee.encryption.errors import KeyDestroyed
from bailee.encryption.roots import RootKey
from bailee.encryption.store import NewKey, WrappedKey
from bailee.encryption.wrapping import unwrap, wrap
from bailee.foundation.database import Database, TenantReader, TenantWriter
from bailee.foundation.errors import Error, NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.secrets import Secret

log = structlog.get_logger()

SUBJECT, GENERAL, INDEX, ARCHIVE = "subject", "general", "index", "archive"
_REWRAP_BATCH = 500
_EVERY_KEY = UUID(int=0)  # announced in a key's place when a tenant's last one is gone


class Keyring:
    """Every key of every tenant. Its database is not main: what it commits is not undone when main rolls back,
    so a key is made before the row that needs it, and destroyed before the rows that it opens.
    """

    def __init__(self, database: Database, root: RootKey, cache: KeyCache) -> None:
        self.database = database
        self._root = root
        self._cache = cache
        self._tenant_keys: dict[tuple[TenantId, int], Secret] = {}
        self._general_ids: dict[TenantId, UUID] = {}
        self._index_keys: dict[TenantId, IndexKey] = {}

    # --- making and opening ---------------------------------------------------------------------

    async def create_tenant(self, tenant: TenantId) -> None:
        """The first tenant key, with the general and the index key under it."""
        tenant_key = _new_secret()
        wrapped = await self._root.wrap(tenant_key, _context(tenant, 1))
        async with self.database.tenant(tenant) as tx:
            await store.insert_tenant_key(tx, 1, wrapped)
            await store.insert_data_keys(
                tx, [_wrapped(tx, tenant_key, new_id(), _new_secret(), 1, purpose) for purpose in (GENERAL, INDEX)]
            )

    async def new_subject_keys(self, tenant: TenantId, count: int) -> list[DataKey]:
        """`count` fresh keys, durable on return."""
        return await self._new_keys(tenant, count, SUBJECT)

    async def new_archive_key(self, tenant: TenantId) -> DataKey:
        """A fresh key for what the law has kept apart, durable on return."""
        return (await self._new_keys(tenant, 1, ARCHIVE))[0]

    async def _new_keys(self, tenant: TenantId, count: int, purpose: str) -> list[DataKey]:
        if not count:
            return []
        keys = [DataKey(new_id(), _new_secret()) for _ in range(count)]
        epoch = self._cache.epoch
        async with self.database.tenant(tenant) as tx:
            version, tenant_key = await self._active(tx)
            await store.insert_data_keys(
                tx, [_wrapped(tx, tenant_key, key.key_id, key.secret, version, purpose) for key in keys]
            )
        for key in keys:
            self._cache.put(tenant, key, epoch)
        return keys

    async def open_keys(self, tenant: TenantId, ids: Iterable[UUID]) -> dict[UUID, DataKey]:
        """The keys by id. One that was destroyed is missing from the answer."""
        found: dict[UUID, DataKey] = {}
        missing = []
        for key_id in set(ids):
            cached = self._cache.find(tenant, key_id)
            if cached is None:
                missing.append(key_id)
            else:
                found[key_id] = cached
        if missing:
            epoch = self._cache.epoch
            async with self.database.tenant_read(tenant) as tx:
                rows = await store.list_data_keys(tx, missing)
            for row in rows:
                key = found[row.key_id] = await self._open(tenant, row)
                self._cache.put(tenant, key, epoch)
        return found

    async def open_key(self, tenant: TenantId, key_id: UUID) -> DataKey:
        """One key. Raises KeyDestroyed."""
        found = (await self.open_keys(tenant, [key_id])).get(key_id)
        if found is None:
            raise KeyDestroyed("This was erased: its key no longer exists.")
        return found

    async def existing(self, tenant: TenantId, ids: list[UUID]) -> set[UUID]:
        """Which of these keys have not been destroyed; asks the keyring, not the cache."""
        async with self.database.tenant_read(tenant) as tx:
            return set(await store.list_existing(tx, ids))

    async def general_key(self, tenant: TenantId) -> DataKey:
        """The key for what belongs to no data subject."""
        known = self._general_ids.get(tenant)
        if known is None:
            known = self._general_ids[tenant] = (await self._only(tenant, GENERAL)).key_id
        return await self.open_key(tenant, known)

    async def index_key(self, tenant: TenantId) -> IndexKey:
        """The tenant's key for blind indexes."""
        known = self._index_keys.get(tenant)
        if known is None:
            row = await self._only(tenant, INDEX)
            known = self._index_keys[tenant] = IndexKey((await self._open(tenant, row)).secret)
        return known

    # --- destroying and rotating ----------------------------------------------------------------

    async def destroy(self, tenant: TenantId, ids: list[UUID]) -> int:
        """Deletes keys for good, and has every process forget them. Answers how many there were."""
        async with self.database.tenant(tenant) as tx:
            count = await store.delete_data_keys(tx, ids)
            await store.announce_destroyed(tx, ids)
        for key_id in ids:
            self._cache.drop(tenant, key_id)
        return count

    async def destroy_tenant(self, tenant: TenantId) -> int:
        """Deletes every key of a tenant: all that it stored is unreadable from here on. Answers how many."""
        async with self.database.tenant(tenant) as tx:
            await store.hold_tenant_keys(tx)
            ids = await store.list_key_ids(tx)
            count = await store.delete_data_keys(tx, ids)
            await store.delete_tenant_keys(tx)
            await store.announce_destroyed(tx, [*ids, _EVERY_KEY])
        for key_id in ids:
            self._cache.drop(tenant, key_id)
        self._forget(tenant)
        return count

    async def destroy_ordinary(self, tenant: TenantId) -> int:
        """Deletes every key of a tenant but those of archives, and what they are wrapped with. Answers how many."""
        async with self.database.tenant(tenant) as tx:
            await store.hold_tenant_keys(tx)
            ids = await store.list_key_ids(tx, but=ARCHIVE)
            count = await store.delete_data_keys(tx, ids)
            await store.announce_destroyed(tx, [*ids, _EVERY_KEY])
        for key_id in ids:
            self._cache.drop(tenant, key_id)
        self._forget(tenant)
        return count

    async def count(self, tenant: TenantId) -> int:
        """How many keys there are of a tenant, its own ones included."""
        async with self.database.tenant_read(tenant) as tx:
            return len(await store.list_key_ids(tx)) + len(await store.list_tenant_keys(tx))

    async def rotate_tenant_key(self, tenant: TenantId) -> int:
        """Makes a new version the one that wraps; what older ones wrapped stays readable. Answers the version."""
        async with self.database.tenant(tenant) as tx:
            active = await store.active_tenant_key(tx)
            if active is None:
                raise NotFound
            version = active.version + 1
            wrapped = await self._root.wrap(_new_secret(), _context(tenant, version))
            await store.insert_tenant_key(tx, version, wrapped)
        return version

    async def active_version(self, tenant: TenantId) -> int:
        """The version of the tenant key that wraps. Raises KeyDestroyed."""
        async with self.database.tenant_read(tenant) as tx:
            versions = await store.list_tenant_keys(tx)
        if not versions:
            raise KeyDestroyed("This tenant's keys no longer exist.")
        return versions[-1].version

    async def rewrap(self, tenant: TenantId) -> int:
        """Moves every data key under the newest tenant key, batch by batch, while others write; answers how many.

        Crash after any batch: the next run goes on with the rest. The old tenant key goes when nothing needs it.
        """
        count = 0
        while True:
            async with self.database.tenant(tenant) as tx:
                version, tenant_key = await self._active(tx)
                outdated = await store.list_outdated(tx, version, _REWRAP_BATCH)
                for row in outdated:
                    key = await self._open(tenant, row)
                    new = _wrapped(tx, tenant_key, row.key_id, key.secret, version, row.purpose)
                    await store.rewrap_data_key(tx, row.key_id, version, new.wrapped)
            count += len(outdated)
            if not outdated:
                break
        async with self.database.tenant(tenant) as tx:
            await store.delete_unused_tenant_keys(tx, version)
        return count

    async def rewrap_tenant_keys(self, tenant: TenantId) -> None:
        """Puts the tenant's keys under the newest root key."""
        async with self.database.tenant(tenant) as tx:
            for row in await store.list_tenant_keys(tx):
                context = _context(tenant, row.version)
                key = await self._root.unwrap(row.wrapped, context)
                await store.replace_tenant_key(tx, row.version, await self._root.wrap(key, context))

    async def rotate_root(self) -> None:
        """A new root key for everything wrapped from now on; the instance's own secrets move at once."""
        await self._root.rotate()
        async with self.database.operator() as tx:
            for name in await store.list_instance_secrets(tx):
                wrapped = await store.find_instance_secret(tx, name)
                secret = await self._root.unwrap(wrapped or b"", _instance_context(name))
                await store.replace_instance_secret(tx, name, await self._root.wrap(secret, _instance_context(name)))

    # --- the instance's own secrets -------------------------------------------------------------

    async def instance_secret(self, name: str, size: int) -> Secret:
        """A secret of the instance, made of `size` random bytes when first asked for."""
        async with self.database.operator() as tx:
            wrapped = await store.find_instance_secret(tx, name)
            if wrapped is None:
                fresh = await self._root.wrap(Secret(secrets.token_bytes(size)), _instance_context(name))
                await store.insert_instance_secret(tx, name, fresh)
                wrapped = await store.find_instance_secret(tx, name)
        return await self._root.unwrap(wrapped or b"", _instance_context(name))

    # --- news of destroyed keys -----------------------------------------------------------------

    async def listen(self) -> None:
        """Drops keys that die in other processes. Runs until cancelled; while it cannot hear, nothing is cached."""
        while True:
            try:
                async with self.database.session() as connection:
                    await connection.execute("LISTEN bailee_keys")
                    self._forget_everyone()  # what was announced meanwhile is unknown
                    self._cache.trust(trusted=True)
                    async for notice in connection.notifies():
                        owner, _, key_id = notice.payload.partition(":")
                        tenant = TenantId(UUID(owner))
                        self._cache.drop(tenant, UUID(key_id))
                        if UUID(key_id) == _EVERY_KEY:
                            self._forget(tenant)
            except asyncio.CancelledError:
                raise
            except Error:
                pass
            except Exception:  # whatever ended the channel, the answer is the same: distrust, and listen again
                log.warning("key channel lost", exc_info=True)
            finally:
                self._cache.trust(trusted=False)
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Lets go of the root key's provider."""
        await self._root.close()

    # --- inside -----------------------------------------------------------------------------------

    def _forget_everyone(self) -> None:
        self._general_ids.clear()
        self._index_keys.clear()
        self._tenant_keys.clear()

    def _forget(self, tenant: TenantId) -> None:
        """Drops what is kept of a tenant whose keys are gone."""
        self._general_ids.pop(tenant, None)
        self._index_keys.pop(tenant, None)
        for known in [known for known in self._tenant_keys if known[0] == tenant]:
            del self._tenant_keys[known]

    async def _only(self, tenant: TenantId, purpose: str) -> WrappedKey:
        async with self.database.tenant_read(tenant) as tx:
            rows = await store.list_by_purpose(tx, purpose)
        if not rows:
            raise KeyDestroyed("This tenant's keys no longer exist.")
        return rows[0]

    async def _active(self, tx: TenantReader) -> tuple[int, Secret]:
        row = await store.active_tenant_key(tx)
        if row is None:
            raise KeyDestroyed("This tenant's keys no longer exist.")
        return row.version, await self._tenant_key(tx.tenant, row.version, row.wrapped)

    async def _tenant_key(self, tenant: TenantId, version: int, wrapped: bytes) -> Secret:
        known = self._tenant_keys.get((tenant, version))
        if known is None:
            known = self._tenant_keys[tenant, version] = await self._root.unwrap(wrapped, _context(tenant, version))
        return known

    async def _open(self, tenant: TenantId, row: WrappedKey) -> DataKey:
        tenant_key = await self._tenant_key(tenant, row.version, row.tenant_wrapped)
        secret = unwrap(
            tenant_key, row.wrapped, tenant=tenant, key_id=row.key_id, version=row.version, purpose=row.purpose
        )
        return DataKey(row.key_id, secret)


def _new_secret() -> Secret:
    return Secret(secrets.token_bytes(KEY))


def _wrapped(tx: TenantWriter, outer: Secret, key_id: UUID, inner: Secret, version: int, purpose: str) -> NewKey:
    wrapped = wrap(outer, inner, tenant=tx.tenant, key_id=key_id, version=version, purpose=purpose)
    return NewKey(key_id, purpose, version, wrapped)


def _context(tenant: TenantId, version: int) -> bytes:
    return b"bailee/tenant-key" + tenant.bytes + version.to_bytes(4)


def _instance_context(name: str) -> bytes:
    return b"bailee/instance-secret" + name.encode()
