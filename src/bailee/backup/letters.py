"""What is written to people about backups."""

from bailee.backup.model import Drill, Release
from bailee.foundation.mail import Message


class Letters:
    """Messages to staff."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def drill_failed(self, to: str, drill: Drill) -> Message:
        return Message(
            to=to, subject="A restore could not be rehearsed",
            text="The drill of {:%Y-%m-%d %H:%M} UTC failed:\n\n{}\n\nUntil one passes, do not count on the backups: "
            "{}/backups/drills\n".format(drill.began_at, "\n".join(f"- {one}" for one in drill.faults), self._base),
        )  # fmt: skip

    def backup_failed(self, to: str, server: str, reason: str) -> Message:
        return Message(
            to=to, subject=f"The backup of {server} failed",
            text=f"{reason}\n\nIt is tried again by itself. What there is: {self._base}/backups\n",
        )  # fmt: skip

    def release_requested(self, to: str, release: Release) -> Message:
        return Message(
            to=to, subject="A second person is needed: a backup is to be opened",
            text=f"Purpose: {release.purpose.value.replace('_', ' ')}\nReason: {release.reason}\n\n"
            f"Approve or refuse within a day: {self._base}/backups/releases\n",
        )  # fmt: skip
