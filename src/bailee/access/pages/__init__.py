"""Access control in the console: first-run setup, sign-in and sign-out, a tenant's API keys."""

from bailee.access.pages.keys import issue_key, list_keys, revoke_key
from bailee.access.pages.session import home, sign_in, sign_in_form, sign_out
from bailee.access.pages.setup import begin, confirm, setup_form

routes = [home, setup_form, begin, confirm, sign_in_form, sign_in, sign_out, list_keys, issue_key, revoke_key]

__all__ = ["routes"]
