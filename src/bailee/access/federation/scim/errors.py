"""Errors as SCIM answers them (RFC 7644 §3.12)."""

from typing import Literal

from pydantic import ValidationError
from scim2_models import Error as ScimError
from scim2_models import SCIMException

from bailee.foundation.errors import Conflict, Error, Invalid, Malformed

SCIM = "application/scim+json"
_UNPROCESSABLE, _BAD_REQUEST = 422, 400

type ScimType = Literal["invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath",
                        "noTarget", "invalidValue", "invalidVers", "sensitive", ""]  # fmt: skip


class ScimFault(Error):
    """What the protocol itself finds wrong. `scim_type` is its keyword."""

    code = "scim"
    status = 400
    title = "The request does not follow SCIM"

    def __init__(self, detail: str, scim_type: str) -> None:
        super().__init__(detail)
        self.scim_type = scim_type


def fault_of_validation(error: ValidationError) -> ScimFault:
    """The first fault of a payload, without what was sent: a value can be a person's."""
    found = ScimError.from_validation_errors(error.errors(include_input=False, include_url=False))
    first = found[0] if found else ScimError(status=_BAD_REQUEST)
    place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"] if _is_name(part))
    return ScimFault(f"The request is not valid at {place}." if place else _WORDS, first.scim_type or "invalidValue")


def fault_of_exception(error: SCIMException) -> ScimFault:
    """One of the protocol's own faults, in words of ours."""
    return ScimFault(_EXPLAINED.get(error.scim_type, _WORDS), error.scim_type or "invalidValue")


def scim_error(error: Error) -> tuple[int, bytes]:
    """Status and body for any error of ours."""
    status = _BAD_REQUEST if error.status == _UNPROCESSABLE else error.status
    details = " ".join([error.detail, *(f"{one.path}: {one.message}" for one in error.errors)])
    body = ScimError(status=status, scim_type=_scim_type(error) or None, detail=details)
    return status, body.model_dump_json().encode()


_WORDS = "The request does not follow the schema."
_EXPLAINED = {
    "invalidFilter": "The filter cannot be read, or names an attribute that is not there.",
    "invalidPath": "The path cannot be read, or names an attribute that is not there.",
    "noTarget": "The path selects nothing.",
    "mutability": "This attribute is not the client's to change.",
    "invalidValue": "A value does not fit its attribute, or a required one is missing.",
    "invalidSyntax": "The request does not follow the schema of its kind.",
}


def _scim_type(error: Error) -> str:
    if isinstance(error, ScimFault):
        return error.scim_type
    if isinstance(error, Invalid):
        return "invalidValue"
    if isinstance(error, Malformed):
        return "invalidSyntax"
    return "uniqueness" if isinstance(error, Conflict) else ""


def _is_name(part: object) -> bool:
    """Whether a place in a payload is one of the schema's names, not something of the sender's."""
    return isinstance(part, str) and part.isascii() and part.isalnum()
