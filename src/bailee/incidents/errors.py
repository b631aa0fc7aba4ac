"""Errors of handling incidents."""

from bailee.foundation.errors import Conflict, Invalid


class NoticeIncomplete(Invalid):
    """A part that a notice has to have says nothing (TOM 9.3)."""

    code = "notice_incomplete"
    title = "The notice is not complete"


class SecondPersonNeeded(Conflict):
    """What one person wrote, another has to approve."""

    code = "second_person_needed"
    title = "A second person is needed"
