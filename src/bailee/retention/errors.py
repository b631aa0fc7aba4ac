"""Errors of retention."""

from bailee.foundation.errors import Conflict


class LimitContradicted(Conflict):
    """A data map that is in force does not keep to the limit."""

    code = "limit_contradicted"
    title = "A data map contradicts this limit"
