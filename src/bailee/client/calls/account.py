"""The caller's own account: name, password, second factors; and what mailed links lead to."""

from bailee.client.answers import json_answer, member_answer, no_answer
from bailee.client.call import Call, act, api, sent_json
from bailee.client.models.people import Account, Enrolled, Factors, InvitationView, OwnTenant, Session, TotpEnrolment


def get() -> Call[Account]:
    """The caller's account."""
    return Call(method="GET", path=api("account"), parse=json_answer(Account))


def rename(name: str) -> Call[Account]:
    """Change the caller's name. Raises Invalid."""
    return sent_json("PATCH", api("account"), {"name": name}, json_answer(Account))


def tenants() -> Call[list[OwnTenant]]:
    """The tenants that the caller belongs to."""
    return Call(method="GET", path=api("account", "tenants"), parse=json_answer(list[OwnTenant]))


def change_password(old: str, new: str) -> Call[Session]:
    """Change the caller's password. Every other session ends, and this one's token is replaced.

    Raises Forbidden for a wrong old one, Invalid for a new one that is weak or breached.
    """
    return sent_json("POST", api("account", "password"), {"old": old, "new": new}, json_answer(Session))


# --- second factors ----------------------------------------------------------------------------------


def factors() -> Call[Factors]:
    """The caller's second factors."""
    return Call(method="GET", path=api("account", "factors"), parse=json_answer(Factors))


def begin_totp() -> Call[TotpEnrolment]:
    """Begin to set up an authenticator app. Raises Conflict where there is one."""
    return act(api("account", "factors", "totp"), json_answer(TotpEnrolment))


def confirm_totp(code: str) -> Call[Enrolled]:
    """The app's first code. The token is replaced; with the first factor come the recovery codes."""
    return sent_json("POST", api("account", "factors", "totp", "confirm"), {"code": code}, json_answer(Enrolled))


def remove_totp() -> Call[None]:
    """Remove the authenticator app. Raises Conflict for the last factor of somebody who needs one."""
    return Call(method="DELETE", path=api("account", "factors", "totp"), parse=no_answer)


def rename_passkey(passkey_id: str, name: str) -> Call[None]:
    """Give a passkey another name. Raises NotFound, Invalid."""
    return sent_json("PATCH", api("account", "factors", "passkeys", passkey_id), {"name": name}, no_answer)


def remove_passkey(passkey_id: str) -> Call[None]:
    """Remove a passkey. Raises NotFound, or Conflict for the last factor of somebody who needs one."""
    return Call(method="DELETE", path=api("account", "factors", "passkeys", passkey_id), parse=no_answer)


def new_recovery_codes() -> Call[list[str]]:
    """New recovery codes in place of the old; each works once, and they are shown this once."""
    return act(api("account", "factors", "recovery-codes"), member_answer("recovery_codes", list[str]))


# --- by mailed link -----------------------------------------------------------------------------------


def ask_password_link(email: str) -> Call[None]:
    """Ask for a link to choose a new password; the answer is the same whether or not there is an account."""
    return sent_json("POST", api("password", "link"), {"email": email}, no_answer)


def reset_password(token: str, password: str) -> Call[None]:
    """Choose a new password with what the link carries; the second factor stays. Raises Forbidden, Invalid."""
    return sent_json("POST", api("password"), {"token": token, "password": password}, no_answer)


def begin_enrolment(token: str, password: str) -> Call[Session]:
    """After a reset of the second factor: a session in which nothing works but enrolling one. Raises Forbidden."""
    return sent_json("POST", api("enrolment"), {"token": token, "password": password}, json_answer(Session))


def view_invitation(token: str) -> Call[InvitationView]:
    """What an invitation's link invites to. Raises Forbidden."""
    return sent_json("POST", api("invitation"), {"token": token}, json_answer(InvitationView))


def accept_invitation(token: str, *, name: str, password: str) -> Call[Session]:
    """Accept with a new account. Staff get a session in which nothing works but enrolling a second factor.

    Raises Forbidden, Invalid, or Conflict for somebody who has an account.
    """
    document = {"token": token, "name": name, "password": password}
    return sent_json("POST", api("invitation", "accept"), document, json_answer(Session))


def join(token: str) -> Call[str]:
    """Accept with the account one has, signed in; the id of the tenant. Raises Forbidden, Conflict."""
    return sent_json("POST", api("invitation", "join"), {"token": token}, member_answer("tenant", str))
