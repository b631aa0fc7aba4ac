"""Tenants, as staff see them. Their keys are in `keys`."""

from bailee.client.answers import json_answer, no_answer
from bailee.client.call import Call, api, paged, query, sent_json, with_followers
from bailee.client.models.admin import CollectionSummary, Tenant
from bailee.client.models.base import Page


def own() -> Call[Tenant]:
    """The tenant that the client's API key belongs to."""
    return Call(method="GET", path=api("tenant"), parse=json_answer(Tenant))


def every(*, search: str | None = None, page_size: int | None = None) -> Call[Page[Tenant]]:
    """All tenants, or those whose name contains `search`."""
    return with_followers(paged(Page[Tenant], api("tenants"), parameters=query(search=search), limit=page_size))


def create(name: str, *, plan: str = "standard") -> Call[Tenant]:
    """A new tenant. Not retried: a lost answer would leave a stray tenant."""
    return sent_json("POST", api("tenants"), {"name": name, "plan": plan}, json_answer(Tenant))


def get(tenant_id: str) -> Call[Tenant]:
    """One tenant. Raises NotFound."""
    return Call(method="GET", path=api("tenants", tenant_id), parse=json_answer(Tenant))


def change(tenant_id: str, *, name: str | None = None, plan: str | None = None) -> Call[Tenant]:
    """Change the name, the plan or both. Raises NotFound, Invalid."""
    changes = {key: value for key, value in (("name", name), ("plan", plan)) if value is not None}
    return sent_json("PATCH", api("tenants", tenant_id), changes, json_answer(Tenant))


def suspend(tenant_id: str) -> Call[Tenant]:
    """Turn away the tenant's requests until `resume`. Raises NotFound, Conflict."""
    return Call(method="POST", path=api("tenants", tenant_id, "suspend"), parse=json_answer(Tenant))


def resume(tenant_id: str) -> Call[Tenant]:
    """End a suspension. Raises NotFound, Conflict."""
    return Call(method="POST", path=api("tenants", tenant_id, "resume"), parse=json_answer(Tenant))


def rotate_key(tenant_id: str) -> Call[None]:
    """Ask for a new encryption key of the tenant; the rotation goes on after the answer."""
    return Call(method="POST", path=api("tenants", tenant_id, "rotate-key"), parse=no_answer)


def collections(tenant_id: str, *, page_size: int | None = None) -> Call[Page[CollectionSummary]]:
    """The tenant's collections: names and counts, no content."""
    return with_followers(paged(Page[CollectionSummary], api("tenants", tenant_id, "collections"), limit=page_size))
