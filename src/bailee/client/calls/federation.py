"""A tenant's single sign-on: its identity provider and its domains."""

from typing import Any

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, act, api, sent_json
from bailee.client.models.federation import Domain, SsoConnection, SsoReport

# --- domains ----------------------------------------------------------------------------------------------


def domains() -> Call[list[Domain]]:
    """The tenant's domains by name, verified or not."""
    return Call(method="GET", path=api("domains"), parse=json_answer(list[Domain]))


def add_domain(domain: str) -> Call[Domain]:
    """Add a domain; the answer says which TXT record proves it.

    Raises Invalid, Forbidden where the plan lacks single sign-on, or Conflict for a second time.
    """
    return sent_json("POST", api("domains"), {"domain": domain}, json_answer(Domain))


def verify_domain(domain_id: str) -> Call[Domain]:
    """Look the TXT record up now. Raises NotFound, Forbidden, or Conflict (`domain_not_verified`)."""
    return act(api("domains", domain_id, "verify"), json_answer(Domain))


def remove_domain(domain_id: str) -> Call[None]:
    """Let go of a domain: nobody new signs in by it. Raises NotFound, or Conflict where the policy needs it."""
    return Call(method="DELETE", path=api("domains", domain_id), parse=no_answer)


# --- the identity provider --------------------------------------------------------------------------------


def connection() -> Call[SsoConnection]:
    """The tenant's identity provider. Raises NotFound where none is set up."""
    return Call(method="GET", path=api("sso"), parse=json_answer(SsoConnection))


def configure(
    issuer: str,
    client_id: str,
    *,
    client_secret: str | None = None,
    default_role: str = "viewer",
    enabled: bool = True,
) -> Call[SsoConnection]:
    """Set the identity provider up or change it, once its own description has been found good.

    Without `client_secret` the one before stays, as long as issuer and client do. Raises Invalid, Conflict, Forbidden
    where the plan lacks single sign-on, or the caller holds less than an owner and chooses another provider.
    """
    document: dict[str, Any] = {
        "issuer": issuer,
        "client_id": client_id,
        "default_role": default_role,
        "enabled": enabled,
    }
    if client_secret is not None:
        document["client_secret"] = client_secret
    return sent_json("PUT", api("sso"), document, json_answer(SsoConnection))


def try_out() -> Call[SsoReport]:
    """Ask the provider for its description and its keys now; nobody is signed in.

    Raises NotFound, or Invalid (`identity_provider_unusable`).
    """
    return act(api("sso", "test"), json_answer(SsoReport))


def remove() -> Call[None]:
    """Take the identity provider away, and end the sessions that it began. Raises NotFound, Conflict."""
    return Call(method="DELETE", path=api("sso"), parse=no_answer)
