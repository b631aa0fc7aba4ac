"""Signing in and out, the caller's sessions, and the first account of a new installation."""

from bailee.client.answers import either_answer, json_answer, member_answer, no_answer
from bailee.client.call import Call, api, sent_json
from bailee.client.models.people import DeviceRequest, Enrolled, OwnSession, PendingSignIn, Session, SetupStarted


def sign_in(email: str, password: str, code: str | None = None) -> Call[Session | PendingSignIn]:
    """Begin a session with a password and, where the account has a second factor, a code of it.

    Without a code such an account gets a PendingSignIn, for `finish`. The session's `token` is for a
    new client. Not retried: a code works once. Raises Unauthorized, RateLimited.
    """
    document = {"email": email, "password": password} | ({} if code is None else {"code": code})
    return sent_json("POST", api("session"), document, either_answer("pending", PendingSignIn, Session))


def finish(pending: str, code: str) -> Call[Session]:
    """The second step of a sign-in, with a code of the app or a recovery code. Raises Forbidden, Unauthorized."""
    return sent_json("POST", api("session", "code"), {"pending": pending, "code": code}, json_answer(Session))


def get() -> Call[Session]:
    """The session that the client's token belongs to, and what it may do at present. Raises Unauthorized."""
    return Call(method="GET", path=api("session"), parse=json_answer(Session))


def sign_out() -> Call[None]:
    """End the session that the client's token belongs to."""
    return Call(method="DELETE", path=api("session"), parse=no_answer)


def step_up(code: str) -> Call[Session]:
    """Show a second factor again, for what asks for a fresh one. The token is replaced: the old one is dead.

    Raises Forbidden for a wrong code, RateLimited.
    """
    return sent_json("POST", api("session", "step-up"), {"code": code}, json_answer(Session))


def switch_tenant(tenant_id: str) -> Call[Session]:
    """Work in another tenant that the caller belongs to. The token is replaced. Raises NotFound."""
    return sent_json("POST", api("session", "tenant"), {"tenant": tenant_id}, json_answer(Session))


def every() -> Call[list[OwnSession]]:
    """The caller's sessions, the last used first."""
    return Call(method="GET", path=api("sessions"), parse=json_answer(list[OwnSession]))


def end(session_id: str) -> Call[None]:
    """End one of the caller's sessions, at once and everywhere. Raises NotFound."""
    return Call(method="DELETE", path=api("sessions", session_id), parse=no_answer)


def end_others() -> Call[int]:
    """End the caller's other sessions; how many they were."""
    return Call(method="DELETE", path=api("sessions"), parse=member_answer("count", int))


def start_device(label: str) -> Call[DeviceRequest]:
    """Ask for a sign-in that a person approves in a browser (RFC 8628); `label` names this machine to them."""
    return sent_json("POST", api("device"), {"label": label}, json_answer(DeviceRequest))


def poll_device(device_code: str) -> Call[Session]:
    """The session, once the person has approved it.

    Until then raises Invalid with the code `authorization_pending`, or `slow_down` for asking too often;
    afterwards `access_denied` or `expired_token`.
    """
    return sent_json("POST", api("device", "token"), {"device_code": device_code}, json_answer(Session))


def start_setup(token: str, *, email: str, name: str, password: str) -> Call[SetupStarted]:
    """Prepare the first account with the one-time token that the installation printed.

    It exists only after `confirm`, with a code from the second factor in the answer.
    """
    document = {"token": token, "email": email, "name": name, "password": password}
    return sent_json("POST", api("setup"), document, json_answer(SetupStarted))


def confirm_setup(confirmation: str, code: str) -> Call[Enrolled]:
    """Make the first account real, and sign it in. The recovery codes are shown this once."""
    document = {"confirmation": confirmation, "code": code}
    return sent_json("POST", api("setup", "confirm"), document, json_answer(Enrolled))
