"""A real S3-compatible object store, SeaweedFS, on loopback and over TLS."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import obstore
import urllib3
from minio import Minio
from obstore.exceptions import BaseError
from obstore.store import S3Store

from bailee.encryption.tls import ensure_certificates
from bailee.foundation.clock import Clock
from bailee.foundation.settings import RepositorySettings, Settings
from tests.functional.instance import free_port

_KEY, _SECRET, _BUCKET, _LOCKED = "bailee", "a secret of the tests", "backups", "locked"
_READY_SECONDS = 60


class ObjectStore:
    """The server, in a directory of its own; it can be stopped, and started again on what it had."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = [free_port() for _ in range(9)]
        self._process: subprocess.Popen[bytes] | None = None
        ensure_certificates(Settings(data=directory), Clock())
        (directory / "data").mkdir()
        (directory / "access").write_text(_KEY)
        (directory / "secret").write_text(_SECRET)
        identity = {
            "name": "tests", "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }  # fmt: skip
        (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))

    def settings(self, prefix: str, lock: Literal["", "governance", "compliance"] = "") -> RepositorySettings:
        """A repository within it; one that locks is in a bucket of its own."""
        return RepositorySettings(
            kind="s3", endpoint=f"https://localhost:{self._ports[4]}", bucket=_LOCKED if lock else _BUCKET,
            prefix=prefix, access_key_file=str(self._directory / "access"),
            secret_key_file=str(self._directory / "secret"), ca_file=str(self._directory / "tls" / "ca.pem"), lock=lock,
        )  # fmt: skip

    @property
    def client(self) -> Minio:
        """What a thief of the access key works with."""
        http = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=str(self._directory / "tls" / "ca.pem"))
        return Minio(f"localhost:{self._ports[4]}", _KEY, _SECRET, region="us-east-1", http_client=http)

    def make_locked(self) -> None:
        """Makes the bucket that locks objects."""
        if not self.client.bucket_exists(_LOCKED):
            self.client.make_bucket(_LOCKED, object_lock=True)

    def start(self) -> None:
        """Runs it, and waits until it takes objects."""
        master, volume, filer, plain, tls, *grpc = self._ports
        where = self._directory
        with (where / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    Path(sys.executable).parent / "weed", "server", f"-dir={where / 'data'}", "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}", "-filer",
                    f"-filer.port={filer}", "-s3", f"-s3.port={plain}", f"-s3.port.https={tls}",
                    f"-master.port.grpc={grpc[0]}", f"-volume.port.grpc={grpc[1]}", f"-filer.port.grpc={grpc[2]}",
                    f"-s3.port.grpc={grpc[3]}", "-s3.port.iceberg=0", "-s3.port.lance=0",
                    f"-s3.cert.file={where / 'tls' / 'server.pem'}", f"-s3.key.file={where / 'tls' / 'server.key'}",
                    f"-s3.config={where / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=30",
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=where,
                env={"TMPDIR": str(where), "HOME": str(where)},
            )  # fmt: skip
        self._await()

    def stop(self) -> None:
        """Kills it: what it had acknowledged is to be there at the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _await(self) -> None:
        settings = self.settings("ready")
        store = S3Store(
            _BUCKET, endpoint=settings.endpoint, region=settings.region, access_key_id=_KEY, secret_access_key=_SECRET,
            client_options={"root_certificate": Path(settings.ca_file).read_text(), "timeout": "5s"},
            retry_config={"max_retries": 0},
        )  # fmt: skip
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                obstore.put(store, "ready", b"ready")
            except (BaseError, OSError):
                assert self._process is not None
                assert self._process.poll() is None, (self._directory / "log").read_text(errors="replace")[-2000:]
                assert time.monotonic() < deadline, (self._directory / "log").read_text(errors="replace")[-2000:]
                time.sleep(0.2)
            else:
                return


@contextmanager
def running_store() -> Iterator[ObjectStore]:
    """A store that runs while the block does."""
    directory = Path(tempfile.mkdtemp(prefix="bailee-s3-", dir="/tmp"))
    store = ObjectStore(directory)
    try:
        store.start()
        yield store
    finally:
        store.stop()
        shutil.rmtree(directory, ignore_errors=True)
