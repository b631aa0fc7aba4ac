"""PostgreSQL's own programs, as the wheel brings them."""

import fcntl
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bailee.backup.errors import BackupFailed
from bailee.foundation.postgresql import major_of

_PIPE = 1024 * 1024
_SAID = 300
_LINKS_FROM = 18


class Source(msgspec.Struct, frozen=True):
    """A server to back up: a login that may replicate, and read everything in our database there.

    `foreign`: one that is not ours; how it is set up, and who its superuser is, is not known.
    """

    name: str
    conninfo: str
    database: str = "bailee"
    foreign: bool = False


class Tools:
    """The programs below one PostgreSQL's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def links(self) -> bool:
        """Whether joining backups takes hardly any room beside them."""
        return major_of(self._root) >= _LINKS_FROM

    def start_backup(self, source: Source, label: str, since: Path | None) -> subprocess.Popen[bytes]:
        """pg_basebackup, its tar on standard output with the WAL it needs; `since` is the manifest it builds upon."""
        secret = conninfo_to_dict(source.conninfo).get("password")
        command: list[str | Path] = [
            self._root / "bin" / "pg_basebackup", "--dbname", _without_password(source.conninfo), "--pgdata=-",
            "--format=tar", "--wal-method=fetch", "--checkpoint=fast", f"--label={label}", "--no-password",
        ]  # fmt: skip
        if since is not None:
            command.append(f"--incremental={since}")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0,
            env={**self._environment(), **({"PGPASSWORD": str(secret)} if secret else {})},
        )  # fmt: skip
        with suppress(OSError):  # an unprivileged user's pipes may be limited
            fcntl.fcntl(cast("IO[bytes]", process.stdout).fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        return process

    def combine(self, directories: list[Path], target: Path) -> None:
        """pg_combinebackup: a full backup and what was built upon it become one data directory. Raises BackupFailed.

        From PostgreSQL 18 on files that did not change are linked, not copied: the directories are of no use
        afterwards.
        """
        how = ("--link",) if self.links else ()
        self._run("pg_combinebackup", *how, "--no-sync", "-o", str(target), *map(str, directories))

    def verify(self, directory: Path) -> None:
        """pg_verifybackup, over every file but the WAL. Raises BackupFailed."""
        self._run("pg_verifybackup", "--no-parse-wal", "--quiet", str(directory))

    def _run(self, program: str, *arguments: str) -> None:
        answer = subprocess.run(
            [self._root / "bin" / program, *arguments], capture_output=True, text=True, check=False,
            env=self._environment(),
        )  # fmt: skip
        if answer.returncode != 0:
            raise BackupFailed(f"{program} failed: {last_words(answer.stderr)}")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self._root}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": f"{self._root}/lib",
            "HOME": os.environ.get("HOME", "/"),
        }  # fmt: skip


def last_words(said: str) -> str:
    """The line that says what was wrong."""
    lines = [line.strip() for line in said.splitlines() if "error:" in line or "FATAL" in line]
    return (lines or said.strip().splitlines() or ["no reason given"])[-1][:_SAID]


def _without_password(conninfo: str) -> str:
    """What may be read by everybody who lists processes."""
    return make_conninfo("", **{key: part for key, part in conninfo_to_dict(conninfo).items() if key != "password"})
