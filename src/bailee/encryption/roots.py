"""Root keys: what tenant keys are wrapped with. A file for the embedded mode, or OpenBao's transit engine."""

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
import ssl
from pathlib import Path
from typing import Protocol

import httpx2
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailee.encryption.envelope import KEY
from bailee.encryption.errors import RootKeyInvalid, RootKeyUnavailable
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Encryption

_FILE_FORMAT, _TRANSIT_FORMAT = 1, 2
_HEADER = "bailee-root-key v1"
_FILE = "root.key"
_ID = 4
_NONCE = 12


class RootKey(Protocol):
    """A key that wraps, and that never leaves its provider."""

    async def wrap(self, key: Secret, context: bytes) -> bytes:
        """`key`, wrapped under the newest root key and bound to `context`."""
        ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> Secret:
        """Raises RootKeyInvalid when this root did not wrap it for `context`, RootKeyUnavailable when it is away."""
        ...

    async def rotate(self) -> None:
        """Makes a new version the one that wraps; older ones still unwrap."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class FileRoot:
    """Root keys in one file, mode 0600, a line each: `<id> <base64 key>`. The last one wraps.

    The id is the start of the key's SHA-256, so that a damaged file is noticed, not used.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        if path.exists():
            self._keys = self._read()
        elif create:
            self._keys = _with_new_key({})
            self._write()
        else:
            raise RootKeyInvalid(
                f"{path} is missing. Without it nothing can be decrypted: restore the file from your copy."
            )

    async def wrap(self, key: Secret, context: bytes) -> bytes:
        key_id, root = next(reversed(self._keys.items()))
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(root.reveal()).encrypt(nonce, key.reveal(), context)
        return bytes((_FILE_FORMAT,)) + key_id + nonce + sealed

    async def unwrap(self, wrapped: bytes, context: bytes) -> Secret:
        if len(wrapped) <= 1 + _ID + _NONCE or wrapped[0] != _FILE_FORMAT:
            raise RootKeyInvalid("The keyring was wrapped by another provider than the root-key file.")
        key_id, rest = wrapped[1 : 1 + _ID], wrapped[1 + _ID :]
        if key_id not in self._keys:
            self._keys = self._read()  # another process may have rotated
        root = self._keys.get(key_id)
        if root is None:
            raise RootKeyInvalid(f"{self._path} lacks the root key {key_id.hex()}. Restore the file from your copy.")
        try:
            return Secret(AESGCM(root.reveal()).decrypt(rest[:_NONCE], rest[_NONCE:], context))
        except InvalidTag:
            raise RootKeyInvalid("A tenant key does not verify under the root key: it was altered or moved.") from None

    async def rotate(self) -> None:
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)  # of two that rotate, neither may drop the other's key
            self._keys = _with_new_key(self._read())
            self._write()
        finally:
            os.close(directory)

    async def close(self) -> None:
        """Nothing is held open."""

    def _read(self) -> dict[bytes, Secret]:
        damaged = RootKeyInvalid(
            f"{self._path} is damaged. Without it nothing can be decrypted: restore the file from your copy."
        )
        try:
            header, *lines = self._path.read_text(encoding="ascii").splitlines()
            pairs = [line.split(" ") for line in lines if line]
            keys = {bytes.fromhex(key_id): Secret(base64.b64decode(key, validate=True)) for key_id, key in pairs}
        except (OSError, UnicodeDecodeError, ValueError, binascii.Error):
            raise damaged from None
        if header != _HEADER or not keys or any(_id_of(key) != key_id for key_id, key in keys.items()):
            raise damaged
        return keys

    def _write(self) -> None:
        lines = [f"{key_id.hex()} {base64.b64encode(key.reveal()).decode()}" for key_id, key in self._keys.items()]
        temporary = self._path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join([_HEADER, *lines, ""]))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # before anything is wrapped under it
        finally:
            os.close(directory)


def _id_of(key: Secret) -> bytes:
    return hashlib.sha256(b"bailee/root" + key.reveal()).digest()[:_ID]


def _with_new_key(keys: dict[bytes, Secret]) -> dict[bytes, Secret]:
    key = Secret(secrets.token_bytes(KEY))
    return {**keys, _id_of(key): key}


class _Ciphertext(msgspec.Struct):
    ciphertext: str


class _Plaintext(msgspec.Struct):
    plaintext: str


class _Answer[T](msgspec.Struct):
    data: T


class OpenBaoRoot:
    """The transit engine of OpenBao (or Vault): the root key stays there, and we send it what to wrap.

    The transit key must be of type aes256-gcm96, for `associated_data` binds each wrapped key to its context.
    """

    def __init__(self, *, url: str, key: str, token: Secret, ca_file: str = "") -> None:
        self._key = key
        trust = ssl.create_default_context(cafile=ca_file or None)
        headers = {"X-Vault-Token": token.reveal().decode()}
        self._http = httpx2.AsyncClient(
            base_url=f"{url.rstrip('/')}/v1/transit/", verify=trust, headers=headers, timeout=10
        )

    async def wrap(self, key: Secret, context: bytes) -> bytes:
        content = await self._post(
            f"encrypt/{self._key}", plaintext=_base64(key.reveal()), associated_data=_base64(context)
        )
        answer = msgspec.json.decode(content, type=_Answer[_Ciphertext])
        return bytes((_TRANSIT_FORMAT,)) + answer.data.ciphertext.encode()

    async def unwrap(self, wrapped: bytes, context: bytes) -> Secret:
        if not wrapped.isascii() or not wrapped or wrapped[0] != _TRANSIT_FORMAT:
            raise RootKeyInvalid("The keyring was wrapped by another provider than OpenBao.")
        content = await self._post(
            f"decrypt/{self._key}", ciphertext=wrapped[1:].decode("ascii"), associated_data=_base64(context)
        )
        answer = msgspec.json.decode(content, type=_Answer[_Plaintext])
        return Secret(base64.b64decode(answer.data.plaintext))

    async def rotate(self) -> None:
        await self._post(f"keys/{self._key}/rotate")

    async def close(self) -> None:
        await self._http.aclose()

    async def _post(self, path: str, **body: str) -> bytes:
        try:
            answer = await self._http.post(path, json=body)
        except httpx2.HTTPError:
            raise RootKeyUnavailable("OpenBao cannot be reached; keys cannot be opened until it is back.") from None
        if answer.status_code == httpx2.codes.BAD_REQUEST:
            raise RootKeyInvalid("OpenBao refused the key: it was wrapped by another key, altered or moved.")
        if answer.status_code in (httpx2.codes.FORBIDDEN, httpx2.codes.NOT_FOUND):
            raise RootKeyInvalid(f"OpenBao does not let us use the transit key {self._key!r}; check token and policy.")
        if not answer.is_success:
            raise RootKeyUnavailable(f"OpenBao answered {answer.status_code}; it may be sealed.")
        return answer.content


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def carry_root(settings: Encryption, data: Path, copy: Path) -> None:
    """Gives a restored copy on this machine the root-key file, where it has none. Raises RootKeyInvalid for none here.

    With another provider the key stays there, and the copy asks it.
    """
    target = copy / _FILE
    if settings.root != "file" or target.exists():
        return
    source = data / _FILE
    if not source.exists():
        raise RootKeyInvalid(
            f"{source} is missing, and without it the copy cannot be decrypted. Restore with the recovery kit, which "
            "brings it."
        )
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(source.read_bytes())


def open_root(settings: Encryption, data: Path, *, create: bool) -> RootKey:
    """The root key that the settings name; `create` lets a missing file be made. Raises RootKeyInvalid."""
    if settings.root == "file":
        return FileRoot(data / _FILE, create=create)
    try:
        token = Secret(Path(settings.openbao_token_file).read_bytes().strip())
    except OSError as error:
        raise RootKeyInvalid(f"{settings.openbao_token_file} could not be read: {error.strerror}.") from None
    return OpenBaoRoot(
        url=settings.openbao_url, key=settings.openbao_key, token=token, ca_file=settings.openbao_ca_file
    )
