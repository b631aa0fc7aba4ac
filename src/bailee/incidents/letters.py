"""What is written to people about incidents."""

from datetime import datetime

from bailee.foundation.mail import Message
from bailee.incidents.model import Breach, Incident, Notice

_EXERCISE = "EXERCISE: "


class Letters:
    """Messages about incidents, to staff and to customers."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def opened(self, to: str, incident: Incident) -> Message:
        return Message(
            to=to,
            subject=f"Incident {incident.number} ({incident.severity}): {incident.title}"[:500],
            text=f"{incident.title}\n\n{incident.summary}\n\nTake it on: {self._base}/incidents/{incident.id}\n",
        )

    def reminder(self, to: str, incident: Incident, breach: Breach, percent: int) -> Message:
        """That time runs out, or has run out."""
        hours, minutes = divmod(max(0, int(breach.left.total_seconds())) // 60, 60)
        left = "The 24 hours are over" if percent >= 100 else f"{hours} h {minutes} min are left"  # noqa: PLR2004  all of it
        return Message(
            to=to,
            subject=f"{_EXERCISE if incident.exercise else ''}{left} to tell customers: incident {incident.number}",
            text=f"The breach of incident {incident.number}, “{incident.title}”, was verified at "
            f"{when(breach.verified_at)}. {left}: every customer concerned has to have its notice by "
            f"{when(breach.due_at)}.\n\nNotices: {self._base}/incidents/{incident.id}/notices\n",
        )

    def notice(self, to: str, notice: Notice) -> Message:
        """A notice, whole: nobody has to sign in to know."""
        kind = "Notice" if notice.version == 1 else f"Supplement {notice.version - 1} to our notice"
        late = f"\n\nWHY THIS COMES LATE\n{notice.late_reason}" if notice.late_reason else ""
        by = f"\n\nIf you have to notify your supervisory authority, do so by {when(notice.authority_by)} (72 hours " \
            "from this notice, GDPR Art. 33(1))." if notice.authority_by else ""  # fmt: skip
        return Message(
            to=to,
            subject=f"{_EXERCISE if notice.exercise else ''}{kind} of a personal data breach ({notice.number})",
            text=f"To {notice.tenant_name}\n\nWe verified a breach of personal data that concerns you at "
            f"{when(notice.verified_at)}.\n\nWHAT HAPPENED\n{notice.nature}\n\nWHAT IS LIKELY TO FOLLOW\n"
            f"{notice.impact}\n\nWHAT HAS BEEN DONE\n{notice.mitigation_taken}\n\nWHAT IS GOING TO BE DONE\n"
            f"{notice.mitigation_planned}\n\nWHOM TO ASK\n{notice.contact}{late}{by}\n\nThis notice, whose data it "
            f"concerns, and what is added later: {self._base}/notices/{notice.incident_id}\n",
        )


def when(moment: datetime | None) -> str:
    """A moment for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "no time"
