"""A tenant's own people: members, invitations, roles, policy."""

from collections.abc import Iterable

import msgspec

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, act, api, paged, query, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.people import Invitation, Member, Policy, TenantRole

_TOLD = ("included", "available_with")
"""What the server says of a policy, and is not told."""


def every(*, search: str | None = None, page_size: int | None = None) -> Call[Page[Member]]:
    """All members of the tenant, or those whose name or address contains `search`."""
    return with_followers(paged(Page[Member], api("members"), parameters=query(search=search), limit=page_size))


def get(account_id: str) -> Call[Member]:
    """One member. Raises NotFound."""
    return Call(method="GET", path=api("members", account_id), parse=json_answer(Member))


def change_role(account_id: str, role: str) -> Call[Member]:
    """Give a member another role. Raises NotFound, Invalid, Forbidden, or Conflict for the last owner."""
    return sent_json("POST", api("members", account_id, "role"), {"role": role}, json_answer(Member))


def disable(account_id: str) -> Call[Member]:
    """Shut a member out at once. Raises NotFound, Forbidden, Conflict."""
    return act(api("members", account_id, "disable"), json_answer(Member))


def enable(account_id: str) -> Call[Member]:
    """Let a member in again. Raises NotFound, Forbidden, Conflict."""
    return act(api("members", account_id, "enable"), json_answer(Member))


def remove(account_id: str) -> Call[None]:
    """End a membership. Raises NotFound, Forbidden, or Conflict for the last owner."""
    return Call(method="DELETE", path=api("members", account_id), parse=no_answer)


def reset_factors(account_id: str, reason: str) -> Call[None]:
    """Reset a member's lost second factors; the person is told by mail. Raises NotFound, Invalid, Conflict."""
    return sent_json("POST", api("members", account_id, "reset-factors"), {"reason": reason}, no_answer)


def invitations(*, page_size: int | None = None) -> Call[Page[Invitation]]:
    """Invitations to the tenant, newest first."""
    return with_followers(paged(Page[Invitation], api("members", "invitations"), limit=page_size))


def invite(email: str, name: str, role: str) -> Call[Invitation]:
    """Ask somebody to join the tenant. Raises Invalid, Forbidden, Conflict."""
    document = {"email": email, "name": name, "role": role}
    return sent_json("POST", api("members", "invitations"), document, json_answer(Invitation))


def withdraw_invitation(invitation_id: str) -> Call[None]:
    """Make an invitation's link worthless. Raises NotFound, Conflict."""
    return Call(method="DELETE", path=api("members", "invitations", invitation_id), parse=no_answer)


def invite_owner(tenant_id: str, *, email: str, name: str) -> Call[Invitation]:
    """As staff: ask a customer's first owner to join. Raises NotFound, Invalid, or Conflict where there is an owner."""
    path = api("tenants", tenant_id, "owner-invitation")
    return sent_json("POST", path, {"email": email, "name": name}, json_answer(Invitation))


# --- roles and policy -----------------------------------------------------------------------------------


def roles() -> Call[list[TenantRole]]:
    """The roles that members can have, built in and the tenant's own."""
    return Call(method="GET", path=api("roles"), parse=json_answer(list[TenantRole]))


def define_role(name: str, *, title: str, permissions: Iterable[str]) -> Call[TenantRole]:
    """Make or change a role of the tenant's own; the plan needs to have them. Raises Invalid, Forbidden, Conflict."""
    document = {"title": title, "permissions": list(permissions)}
    return sent_json("PUT", api("roles", name), document, json_answer(TenantRole))


def delete_role(name: str) -> Call[None]:
    """Delete a role of the tenant's own. Raises NotFound, or Conflict while somebody has it."""
    return Call(method="DELETE", path=api("roles", name), parse=no_answer)


def policy() -> Call[Policy]:
    """What the tenant demands of its members, and which demands its plan has."""
    return Call(method="GET", path=api("policy"), parse=json_answer(Policy))


def put_policy(policy: Policy) -> Call[Policy]:
    """Put a policy in force: one that was got, changed with `msgspec.structs.replace`.

    Raises Invalid, Forbidden for what the plan lacks, or Conflict when it was changed meanwhile.
    """
    document = {name: value for name, value in msgspec.structs.asdict(policy).items() if name not in _TOLD}
    return sent_json("PUT", api("policy"), document, json_answer(Policy))
