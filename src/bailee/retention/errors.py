"""Errors of retention."""

from bailee.foundation.errors import Conflict, Error


class LimitContradicted(Conflict):
    """A data map that is in force does not keep to the limit."""

    code = "limit_contradicted"
    title = "A data map contradicts this limit"


class SecondPersonNeeded(Conflict):
    """What one person asks for, another has to approve."""

    code = "second_person_needed"
    title = "A second person is needed"


class PurposeRefused(Error):
    """The archive is not opened for that."""

    code = "purpose_refused"
    status = 403
    title = "The archive is not opened for that purpose"


class CustomerDecides(Conflict):
    """What a customer's own people do, the operator does only where there are none any more."""

    code = "customer_decides"
    title = "This is for the customer’s own people"
