"""The runbook of a restore: written from this instance's own settings and the commands as they are."""

import json

import msgspec

from bailee.backup.backups import Backups
from bailee.backup.model import Drill
from bailee.foundation.postgresql import programs_of
from bailee.foundation.settings import RepositorySettings, Settings


def runbook(settings: Settings, backups: Backups, latest: Drill | None) -> str:
    """Markdown for whoever has to restore, with nothing but this and the recovery kit at hand."""
    backup = settings.backup
    place = backups.place.repository.place
    second = backup.offsite
    offsite = "none is set" if second is None else second.path or f"{second.endpoint}/{second.bucket}/{second.prefix}"
    source = f" --repository {place}" if backup.repository.kind == "folder" else ""
    installations = programs_of(settings.data, settings.database.postgres).installations
    programs = "".join(f" --postgres {one}" for one in installations)
    taken = f", and PostgreSQL as in {', '.join(map(str, installations))}" if installations else ""
    measured = "No drill has passed yet: how long this takes was not measured."
    if latest is not None and latest.state == "passed":
        measured = (
            f"The last drill ({latest.began_at:%Y-%m-%d %H:%M} UTC) served again after {latest.rto_seconds} s, and "
            f"would have lost {latest.rpo_seconds} s."
        )
    rows = "\n".join(
        f"| {server} | {rotation.window_days} days | {rotation.longest_days:g} days |"
        for server, rotation in (("main", backup.main), ("keyring", backup.keyring))
    )
    return f"""\
# Restoring {backups.place.signer.origin}

Backups lie in {place}. Second place: {offsite}. {measured}

| Server | Any moment of the last | Oldest backup |
| --- | --- | --- |
{rows}

## What you need

- The recovery kit, on paper or from the safe; or two people of staff who may request and approve a release, while this
  instance still runs.
- A Linux machine with this version of Bailee{taken}, and access to the repository.
- A reason to open backups: recovery of the service, or a legal duty to retain data. Nothing else.

## With the recovery kit

1. Type or copy the kit into a file that only you can read: `umask 077; cat > kit.txt`{_reaching(backup.repository)}
2. See what there is: `bailee restore --list --kit kit.txt{source}`
3. Restore into a new directory:
   `bailee restore --kit kit.txt{source} --purpose disaster_recovery{programs} --to /var/lib/bailee-restored`
   Add `--at 2026-01-31T12:00:00Z` for a moment. Without it, the newest state there is.
4. With the old instance down for good, start it: `BAILEE_DATA=/var/lib/bailee-restored bailee up`
5. Take a full backup at once: `bailee backup take --full`
6. Destroy the file: `shred -u kit.txt`

What was erased since that moment is erased again before the copy opens; sessions and revoked keys stay ended.

## With two people, while the instance still runs

1. One requests: `bailee backup release request disaster_recovery --reason "…"`
2. Another approves: `bailee backup release approve ID`
3. Within four hours, once, on this machine:
   `bailee restore --release ID{programs} --to /var/lib/bailee-restored`

## By hand, without Bailee

With Debian's `age` and `zstd`, for one backup (a directory `{place}/backups/main/ID`):

    for v in 0*.zst.age; do age --decrypt --identity kit.txt "$v" | zstd --decompress --stdout; done | tar --extract

That is a PostgreSQL data directory (of an incremental one: a part for `pg_combinebackup`). WAL segments lie below
`wal/`, encrypted and compressed the same way. Erasures are not replayed by hand: do not let anybody at such a copy.
"""


def _reaching(place: RepositorySettings) -> str:
    """What a machine that has nothing else needs to reach a bucket."""
    if place.kind == "folder":
        return ""
    lines = [f"{name} = {json.dumps(value)}" for name, value in msgspec.structs.asdict(place).items() if value]
    indent = "\n       "
    return (
        "\n   Put the access key of the bucket where these lines say, the lines into `bailee.toml`, and set"
        f" `BAILEE_CONFIG=bailee.toml`:\n{indent}{indent.join(['[backup.repository]', *lines])}\n"
    )
