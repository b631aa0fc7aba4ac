"""Backups, who may open them, and rehearsals of restores; for the operator's staff."""

from bailee.client.answers import json_answer, member_answer, no_answer, text_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.backups import Backup, BackupDrill, BackupRelease, RecoveryKey, Restore, RestorePoint
from bailee.client.models.base import Page


def every(*, server: str | None = None, page_size: int | None = None) -> Call[Page[Backup]]:
    """Backups, newest first; of main, keyring, objects or settings, or of all."""
    return with_followers(paged(Page[Backup], api("backups"), parameters=query(server=server), limit=page_size))


def get(backup_id: str) -> Call[Backup]:
    """One backup. Raises NotFound."""
    return Call(method="GET", path=api("backups", backup_id), parse=json_answer(Backup))


def take(server: str) -> Call[None]:
    """Have a worker take a backup now. Raises Invalid, Conflict before there is a recovery key."""
    return sent_json("POST", api("backups"), {"server": server}, no_answer)


def verify() -> Call[None]:
    """Have a worker read everything in the repository again."""
    return act(api("backups", "verify"), no_answer)


def points() -> Call[list[RestorePoint]]:
    """Which spans of time can be restored of each server, as it lies in the repository now. Raises Unavailable."""
    return Call(method="GET", path=api("backups", "points"), parse=json_answer(list[RestorePoint]))


def runbook() -> Call[str]:
    """How this instance is restored, as Markdown."""
    headers = {"Accept": "text/markdown"}
    return Call(method="GET", path=api("backups", "runbook"), headers=headers, parse=text_answer)


def make_recovery_key() -> Call[str]:
    """Make the recovery key that later backups are encrypted to; the kit, which nobody can show again.

    Needs a fresh second factor.
    """
    return act(api("recovery-keys"), member_answer("kit", str))


def recovery_keys() -> Call[list[RecoveryKey]]:
    """The public halves of all recovery keys there were, newest first."""
    return Call(method="GET", path=api("recovery-keys"), parse=json_answer(list[RecoveryKey]))


def releases(*, page_size: int | None = None) -> Call[Page[BackupRelease]]:
    """Requests to open backups, newest first."""
    return with_followers(paged(Page[BackupRelease], api("backup-releases"), limit=page_size))


def request_release(purpose: str, reason: str) -> Call[BackupRelease]:
    """Ask to open backups, for disaster_recovery or legal_retention. Needs a fresh second factor. Raises Invalid."""
    document = {"purpose": purpose, "reason": reason}
    return sent_json("POST", api("backup-releases"), document, json_answer(BackupRelease))


def decide_release(release_id: str, *, approve: bool) -> Call[BackupRelease]:
    """Approve or refuse somebody else's request. Needs a fresh second factor. Raises NotFound, Forbidden, Conflict."""
    path = api("backup-releases", release_id, "approve" if approve else "refuse")
    return act(path, json_answer(BackupRelease))


def drills(*, page_size: int | None = None) -> Call[Page[BackupDrill]]:
    """Rehearsals of restores, newest first."""
    return with_followers(paged(Page[BackupDrill], api("backup-drills"), limit=page_size))


def drill() -> Call[None]:
    """Have a worker rehearse a restore now. Raises Conflict while one runs."""
    return act(api("backup-drills"), no_answer)


def get_drill(drill_id: str) -> Call[BackupDrill]:
    """One rehearsal. Raises NotFound."""
    return Call(method="GET", path=api("backup-drills", drill_id), parse=json_answer(BackupDrill))


def restores() -> Call[list[Restore]]:
    """The restores that this instance has come from, newest first."""
    return Call(method="GET", path=api("restores"), parse=json_answer(list[Restore]))
