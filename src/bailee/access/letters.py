"""What access control writes to people. Links lead to the configured address, never to one that a request named."""

from datetime import datetime

from bailee.foundation.mail import Message

_FOOT = "\n\nThis message was sent by Bailee at {base}. Nobody will ever ask you for your password or a code by mail.\n"


class Letters:
    """Messages about accounts."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def link(self, page: str, token: str) -> str:
        """A page with a token in its fragment, which browsers keep to themselves: no log and no proxy sees it."""
        return f"{self._base}/{page}#{token}"

    def invitation(self, to: str, token: str, place: str, expires_at: datetime) -> Message:
        return self._message(
            to,
            f"You are invited to {place}",
            f"You have been invited to join {place}.\n\nTo accept, open this link before "
            f"{_when(expires_at)}. It works once:\n\n"
            f"{self.link('invitation', token)}\n\nIf you do not expect this, do nothing.",
        )

    def password_link(self, to: str, token: str, expires_at: datetime) -> Message:
        return self._message(
            to,
            "Choose a new password",
            "Somebody, probably you, asked for a new password for this address.\n\nTo choose one, "
            "open this link before "
            f"{_when(expires_at)}. It works once, and your second factor stays as it "
            f"is:\n\n{self.link('password', token)}\n\n"
            "If it was not you, do nothing: your password stays as it is.",
        )

    def enrolment_link(self, to: str, token: str, expires_at: datetime) -> Message:
        return self._message(
            to,
            "Your second factor was reset",
            "An administrator has reset the second factor of your account, and all your sessions "
            "have ended.\n\nTo set up a "
            f"new one, open this link before {_when(expires_at)}. You will need your "
            f"password:\n\n{self.link('enrolment', token)}\n\n"
            "If you did not ask for this, tell your security officer at once.",
        )

    def factors_reset(self, to: str) -> Message:
        return self._message(
            to,
            "Your second factor was reset",
            "An administrator has reset the second factor of your account, and all your sessions "
            "have ended. Sign in with "
            "your password and set up a new one.\n\nIf you did not ask for this, tell your administrator at once.",
        )

    def changed(self, to: str, what: str) -> Message:
        """Something about an account has changed that its owner must hear of."""
        return self._message(
            to,
            f"{what} was changed",
            f"{what} of your account was changed just now.\n\nIf it was not you, choose a new password at "
            f"{self._base}/password and end your other sessions, then tell your administrator.",
        )

    def dormant(self, to: str, disabled_on: datetime) -> Message:
        return self._message(
            to,
            "Your account will be disabled",
            "Your account has not been used for a long time. It will be disabled on "
            f"{_when(disabled_on)} unless you sign in "
            f"before:\n\n{self._base}/sign-in",
        )

    def break_glass_used(self, to: str, moment: datetime) -> Message:
        return self._message(
            to,
            "ALARM: the break-glass account was used",
            f"The sealed emergency account signed in at {_when(moment)}.\n\nFind out who it was and "
            "why, look at the events of "
            f"that session ({self._base}/events), and seal the account anew with `bailee break-glass seal`.",
        )

    def break_glass_sealed(self, to: str, moment: datetime) -> Message:
        return self._message(
            to,
            "The break-glass account was sealed",
            f"The emergency account was sealed at {_when(moment)}, and whoever did it holds the new envelope.\n\nMake "
            f"sure that it lies in the safe. If nobody was to seal it, look at the events ({self._base}/events) and "
            "seal it anew.",
        )

    def elevation_requested(self, to: str, role: str) -> Message:
        return self._message(
            to,
            "An elevation waits for your decision",
            f"A colleague asks for the role {role} for a limited time. Read the reason and "
            f"decide:\n\n{self._base}/elevations",
        )

    def review_opened(self, to: str, title: str, due_at: datetime) -> Message:
        return self._message(
            to,
            "An access review waits for you",
            f"The access review “{title}” has roles for you to confirm or revoke by {_when(due_at)}. "
            "What is not confirmed by "
            f"then is revoked:\n\n{self._base}/reviews",
        )

    def key_expires(self, to: str, name: str, place: str, expires_at: datetime) -> Message:
        return self._message(
            to,
            "An API key will expire",
            f"The API key “{name}” of {place} expires on {_when(expires_at)}. Rotate it: the old "
            "token goes on working beside "
            "the new one for as long as you choose.",
        )

    def domain_failing(self, to: str, domain: str, until: datetime) -> Message:
        return self._message(
            to,
            f"The domain {domain} can no longer be verified",
            f"The TXT record that proves that {domain} is yours is gone from DNS. Publish it again by "
            f"{_when(until)}: its name and "
            f"value stand at {self._base}/domains. After that, nobody signs in through your identity "
            "provider by this domain, and "
            "no directory provisions its people.",
        )

    def client_secret_expires(self, to: str, name: str, place: str, expires_at: datetime) -> Message:
        return self._message(
            to,
            "A client secret will expire",
            f"The secret of the OAuth client “{name}” of {place} expires on {_when(expires_at)}. "
            "Rotate it: the old secret "
            "goes on working beside the new one for as long as you choose.",
        )

    def _message(self, to: str, subject: str, text: str) -> Message:
        return Message(to=to, subject=subject, text=text + _FOOT.format(base=self._base))


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
