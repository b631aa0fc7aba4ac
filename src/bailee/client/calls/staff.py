"""Staff sign-in, and the first account of a new installation."""

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, api, sent_json
from bailee.client.models.admin import Session, SetupStarted


def sign_in(email: str, password: str, code: str) -> Call[Session]:
    """Open a staff session with a password and a one-time code.

    The session's `token` is for a new client. Not retried: a code works once. Raises Unauthorized, RateLimited.
    """
    return sent_json("POST", api("session"), {"email": email, "password": password, "code": code}, json_answer(Session))


def session() -> Call[Session]:
    """The session that the client's token belongs to. Raises Unauthorized."""
    return Call(method="GET", path=api("session"), parse=json_answer(Session))


def sign_out() -> Call[None]:
    """End the session that the client's token belongs to."""
    return Call(method="DELETE", path=api("session"), parse=no_answer)


def start_setup(token: str, *, email: str, name: str, password: str) -> Call[SetupStarted]:
    """Prepare the first account with the one-time token that the installation printed.

    It exists only after `confirm`, with a code from the second factor in the answer.
    """
    document = {"token": token, "email": email, "name": name, "password": password}
    return sent_json("POST", api("setup"), document, json_answer(SetupStarted))


def confirm_setup(confirmation: str, code: str) -> Call[Session]:
    """Make the first account real, and sign it in."""
    return sent_json(
        "POST", api("setup", "confirm"), {"confirmation": confirmation, "code": code}, json_answer(Session)
    )
