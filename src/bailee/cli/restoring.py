"""`bailee restore`: into a new directory, for a purpose, with the recovery kit or by two people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import cyclopts
import msgspec

from bailee.assembly import Services
from bailee.backup.age import Identity
from bailee.backup.buckets import open_repository
from bailee.backup.drills import Takeover, take_over
from bailee.backup.errors import BackupDamaged, KeyRefused, RestoreRefused
from bailee.backup.journal import Entry, read_journal
from bailee.backup.keys import read_kit
from bailee.backup.manifest import Index
from bailee.backup.model import POSTGRES, Opening, Purpose, ReleaseState
from bailee.backup.planning import Access, RestorePlan, described, list_spans, plan_objects, plan_restore
from bailee.backup.restoring import (
    Target,
    begin,
    complete,
    recover,
    restore_objects,
    restore_server,
    restore_settings,
)
from bailee.backup.rewriting import rewrite_settings
from bailee.cli.context import settings
from bailee.cli.local import with_services
from bailee.cli.output import progress, say, show_json, show_table
from bailee.encryption.roots import carry_root
from bailee.foundation.cluster import Cluster, server_account
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.postgresql import programs_of
from bailee.foundation.principal import system
from bailee.foundation.settings import RepositorySettings, Settings

_PURPOSES = {"disaster_recovery": Purpose.DISASTER_RECOVERY, "legal_retention": Purpose.LEGAL_RETENTION}

_NAMED = 5

type At = Annotated[str | None, cyclopts.Parameter(help="The moment, such as 2026-01-31T12:00:00Z; else the newest.")]
type Kit = Annotated[Path | None, cyclopts.Parameter(help="The recovery kit, or a file with the recovery key in it.")]
type ReleaseId = Annotated[UUID | None, cyclopts.Parameter(help="An approved release, in place of the kit.")]
type Installations = Annotated[
    list[Path] | None,
    cyclopts.Parameter(
        help="A PostgreSQL installation for backups of its major version, such as /usr/lib/postgresql/17.", negative=""
    ),
]
type Lenient = Annotated[
    bool,
    cyclopts.Parameter(
        help="Pass over what is damaged of the journal, or was put there by somebody else.", negative=""
    ),
]
type Place = Annotated[Path | None, cyclopts.Parameter(help="The repository's folder; else as in the settings.")]


def restore(
    *, to: Path | None = None, at: At = None, purpose: str = "", kit: Kit = None, release: ReleaseId = None,
    repository: Place = None, postgres: Installations = None,
    list_: Annotated[bool, cyclopts.Parameter(name="--list", negative="")] = False,
    without_damaged_journal: Lenient = False, json: bool = False,
) -> None:  # fmt: skip
    """Restore backups into a new directory; or with --list see what can be restored.

    Nothing opens before what was erased since has been erased again.
    """
    here = settings()
    moment = _moment(at)
    if (kit is None) == (release is None):
        raise ConfigurationError("Give the recovery kit with --kit, or an approved release with --release.")
    if not list_ and to is None:
        raise ConfigurationError("Say where to with --to: a new directory. Or look first, with --list.")
    if not list_ and kit is not None and purpose not in _PURPOSES:
        raise ConfigurationError(f"Declare what for with --purpose: {' or '.join(_PURPOSES)}.")
    where = RepositorySettings(path=str(repository.absolute())) if repository else here.backup.repository
    if kit is not None:
        access, opening = _by_kit(here, kit, where, purpose, moment)
    else:
        access, opening = with_services(
            lambda services: _by_release(services, here, release or UUID(int=0), where, moment)
        )
    if list_:
        _show(access, json=json)
        return
    plan = plan_restore(access, moment, with_settings=kit is not None)
    programs = programs_of(here.data, here.database.postgres).also(postgres or ())
    here = msgspec.structs.replace(
        here, database=msgspec.structs.replace(here.database, postgres=programs.as_setting)
    )  # the copy takes them too
    target = Target(
        (to or Path()).absolute(), programs,
        server_account((to or Path()).absolute(), here.database.unprivileged_user),
    )  # fmt: skip
    for one in (plan.main, plan.keyring):
        say(described(one))
    objects = Index()
    if release is None:  # a key that does not fit is told before anything is written
        objects = _open(access, moment, lenient=without_damaged_journal)
    begin(target, plan)
    if release is not None:  # from here on it is used up, and nothing was opened before
        identity = with_services(lambda services: _use(services, release))
        access = msgspec.structs.replace(access, identities=[identity])
        objects = _open(access, moment, lenient=without_damaged_journal)
    _restore(here, access, plan, objects, target, opening, lenient=without_damaged_journal)
    say(f"Restored. Start it with: BAILEE_DATA={target.directory} bailee up")


def _restore(
    here: Settings, access: Access, plan: RestorePlan, objects: Index, target: Target, opening: Opening, *,
    lenient: bool,
) -> None:  # fmt: skip
    clusters: list[Cluster] = []
    total = plan.main.plain + plan.keyring.plain + sum(one.size for one in objects.objects)
    with progress() as bar:
        task = bar.add_task("Restoring", total=total)
        servers = [
            restore_server(access, one, target, lambda count: bar.advance(task, count))
            for one in (plan.main, plan.keyring)
        ]
        damaged = restore_objects(access, objects, target.directory / "objects", lambda count: bar.advance(task, count))
    if damaged:
        say(f"ATTENTION: damaged objects are left out ({len(damaged)}): {', '.join(damaged[:_NAMED])}.")
    if plan.settings is not None:
        restore_settings(access, plan.settings, target.directory)
    for wanted, got in zip((plan.main, plan.keyring), servers, strict=True):
        if got.wal_end < wanted.wal_end:
            say(f"ATTENTION: the WAL of {got.server} is damaged after {got.until:%Y-%m-%d %H:%M:%S} UTC. What was "
                "written later is lost with it.")  # fmt: skip
    rewrite_settings(target.directory, here.database.postgres)
    carry_root(here.encryption, here.data, target.directory)
    try:
        for one in servers:
            clusters.append(recover(access, one, target))  # noqa: PERF401  what has started is stopped when one fails
        reached = msgspec.structs.replace(opening, keys_until=servers[1].until)
        entries = _journal(access, lenient=lenient)
        say(f"Replaying what was erased, ended or held since ({len(entries)} entries in the journal)")
        done = take_over(here, target.directory, Takeover(reached, entries, 0))
    finally:
        for cluster in clusters:
            cluster.stop()
    if done.faults:
        raise RestoreRefused(f"The copy is not sound, and stays closed: {done.faults[0]}")
    complete(target)
    say(f"Erased again: {done.erasures} people. Ended again: {done.terminations} customers. Held again: {done.holds}. "
        f"Revoked again: {done.revocations}. Ledger: {done.leaves} leaves verify.")  # fmt: skip


def _open(access: Access, at: datetime | None, *, lenient: bool) -> Index:
    """The objects of the moment. What cannot be read of the journal is told now, not after everything is restored."""
    _journal(access, lenient=lenient)
    return plan_objects(access, at)


def _journal(access: Access, *, lenient: bool) -> list[Entry]:
    try:
        return read_journal(access.repository, access.identities, access.verifiers, lenient=lenient)
    except BackupDamaged as error:
        raise RestoreRefused(
            f"{error.detail} If nobody can mend that, restore with --without-damaged-journal: the keyring alone still "
            "ends whom and what was erased; holds and revocations of that part are not repeated."
        ) from None


def _by_kit(
    here: Settings, kit: Path, where: RepositorySettings, purpose: str, at: datetime | None
) -> tuple[Access, Opening]:
    try:
        found = read_kit(kit.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{kit} could not be read.") from None
    if not found.verifiers:
        raise KeyRefused(
            "The kit does not say who must have signed the backups: copy its lines `verifier:` too, as printed."
        )
    opening = Opening(_PURPOSES.get(purpose, Purpose.DISASTER_RECOVERY), "recovery_key", None, at, datetime.now(UTC))
    return Access(open_repository(where, here.data), [found.identity], found.verifiers), opening


async def _by_release(
    services: Services, here: Settings, release: UUID, where: RepositorySettings, at: datetime | None
) -> tuple[Access, Opening]:
    """What two people have released; without the key, which comes when the restore begins and uses the release up."""
    async with services.database.operator_read() as tx:
        approved = await services.backup.releases.get(tx, release)
    if approved.state is not ReleaseState.APPROVED:
        raise RestoreRefused(f"This release is {approved.state.value}; it has to be approved, and is used once.")
    access = Access(open_repository(where, here.data), [], list(services.signer.verifiers))
    return access, Opening(approved.purpose, "release", release, at, datetime.now(UTC))


async def _use(services: Services, release: UUID) -> Identity:
    async with services.database.operator() as tx:
        return await services.backup.releases.use(tx, release, by=system("cli"))


def _show(access: Access, *, json: bool) -> None:
    spans = [span for server in POSTGRES for span in list_spans(access, server)]
    if json:
        show_json({"points": spans})
        return
    show_table(
        ["Of", "Backup", "From", "Until"],
        ((one.server, one.backup, one.since, one.until) for one in spans),
        empty="There is nothing here that can be restored.",
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("--at takes a moment such as 2026-01-31T12:00:00Z.") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > datetime.now(UTC):
        raise ConfigurationError("--at lies in the future.")
    return found
