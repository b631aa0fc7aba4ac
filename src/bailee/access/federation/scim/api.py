"""SCIM 2 over HTTP (RFC 7644): users, groups, discovery. Everything needs a key with the scope `scim`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from pydantic import ValidationError
from scim2_models import (
    Context,
    ListResponse,
    Meta,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    ScimFilter,
    SearchRequest,
)

from bailee.access.federation.scim.errors import SCIM, ScimFault, fault_of_exception, fault_of_validation
from bailee.access.federation.scim.filters import narrowed
from bailee.access.federation.scim.model import EVERYBODY, GroupWanted
from bailee.access.federation.scim.model import Group as GroupRow
from bailee.access.federation.scim.patches import changed_members
from bailee.access.federation.scim.provisioning import Provisioning
from bailee.access.federation.scim.schema import (
    CONFIG,
    DEFAULT_RESULTS,
    MAX_RESULTS,
    POLICY,
    PROVIDER,
    Group,
    User,
    profile_of,
    shown_group,
    shown_person,
    wanted_of,
)
from bailee.foundation.database import Database, TenantReader
from bailee.foundation.errors import Malformed, NotFound
from bailee.foundation.http import parse_uuid, requires
from bailee.foundation.principal import ActorKind, Forbidden, Principal
from bailee.foundation.settings import Settings

PREFIX = "/scim/v2"
_MAX_COMPARED = 5_000
"""How many a filter is compared with, where the database cannot look it up."""

_MAX_FILTER = 2000
_MAX_TERMS = 50
_MAX_OPERATIONS = 100
_MAX_BODY = 1024 * 1024

type Json = dict[str, Any]
Asked = Request[Any, Principal, Any]


def _only_machines(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A directory has a key or a client: the permission in a person's role is for making those."""
    if connection.auth.kind not in (ActorKind.KEY, ActorKind.CLIENT):
        raise Forbidden("SCIM is for a directory: give it an API key with the scope scim.")


_DIRECTORY = requires("scim.provision")
_DIRECTORY["guards"].append(_only_machines)

# --- users -----------------------------------------------------------------------------------------------


@get("/Users", **_DIRECTORY)
async def list_users(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, principal: Principal
) -> Response[bytes]:
    async with database.tenant_read(principal.tenant) as tx:
        return await _people(tx, provisioning, settings, dict(request.query_params))


@post("/Users/.search", status_code=200, **_DIRECTORY)
async def search_users(
    database: Database, provisioning: Provisioning, settings: Settings, body: bytes, principal: Principal
) -> Response[bytes]:
    async with database.tenant_read(principal.tenant) as tx:
        return await _people(tx, provisioning, settings, _json(body))


@post("/Users", status_code=201, **_DIRECTORY)
async def create_user(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    with _read():
        sent = _with_active(_json(body), active=True)
        user = User.model_validate(sent, scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
    async with database.operator() as tx:
        made = await provisioning.add_person(tx, principal.tenant, profile_of(user), by=principal)
    parameters = _parameters(ResponseParameters[User], request)
    return _resource(shown_person(made, _base(settings)), Context.RESOURCE_CREATION_RESPONSE, parameters, status=201)


@get("/Users/{user:str}", **_DIRECTORY)
async def get_user(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, user: str, principal: Principal
) -> Response[bytes]:
    async with database.tenant_read(principal.tenant) as tx:
        await provisioning.verify_included(tx, tx.tenant)
        found = await provisioning.person(tx, tx.tenant, _id(user))
    shown = shown_person(found, _base(settings))
    return _resource(shown, Context.RESOURCE_QUERY_RESPONSE, _parameters(ResponseParameters[User], request))


@put("/Users/{user:str}", **_DIRECTORY)
async def replace_user(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, user: str, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    async with database.operator() as tx:
        await provisioning.verify_included(tx, principal.tenant)
        before = await provisioning.person(tx, principal.tenant, _id(user))
        with _read():
            # Whoever leaves `active` out has not decided about it: nobody who is shut out gets in by an omission.
            sent = _with_active(_json(body), active=before.profile.active)
            wanted = User.model_validate(sent, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY)
        after = before
        if profile_of(wanted) != before.profile or not before.written:
            after = await provisioning.change_person(
                tx, principal.tenant, before.account_id, profile_of(wanted), by=principal
            )
    shown = shown_person(after, _base(settings))
    return _resource(shown, Context.RESOURCE_REPLACEMENT_RESPONSE, _parameters(ResponseParameters[User], request))


@patch("/Users/{user:str}", **_DIRECTORY)
async def change_user(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, user: str, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    async with database.operator() as tx:
        await provisioning.verify_included(tx, principal.tenant)
        before = await provisioning.person(tx, principal.tenant, _id(user))
        wanted = shown_person(before, _base(settings))
        with _read():
            asked = PatchOp[User].model_validate(
                _without_emails(_patch(body)), scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
            )
            asked.patch(wanted, scim_policy=POLICY)
        after = before
        if profile_of(wanted) != before.profile:
            after = await provisioning.change_person(
                tx, principal.tenant, before.account_id, profile_of(wanted), by=principal
            )
    shown = shown_person(after, _base(settings))
    return _resource(shown, Context.RESOURCE_PATCH_RESPONSE, _parameters(ResponseParameters[User], request))


@delete("/Users/{user:str}", status_code=204, **_DIRECTORY)
async def delete_user(database: Database, provisioning: Provisioning, user: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await provisioning.remove_person(tx, principal.tenant, _id(user), by=principal)


# --- groups ----------------------------------------------------------------------------------------------


@get("/Groups", **_DIRECTORY)
async def list_groups(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, principal: Principal
) -> Response[bytes]:
    async with database.tenant_read(principal.tenant) as tx:
        return await _groups(tx, provisioning, settings, dict(request.query_params))


@post("/Groups/.search", status_code=200, **_DIRECTORY)
async def search_groups(
    database: Database, provisioning: Provisioning, settings: Settings, body: bytes, principal: Principal
) -> Response[bytes]:
    async with database.tenant_read(principal.tenant) as tx:
        return await _groups(tx, provisioning, settings, _json(body))


@post("/Groups", status_code=201, **_DIRECTORY)
async def create_group(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    with _read():
        group = Group.model_validate(_json(body), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
    async with database.tenant(principal.tenant) as tx:
        made = await provisioning.add_group(tx, wanted_of(group), by=principal)
    parameters = _parameters(ResponseParameters[Group], request)
    return _resource(shown_group(made, _base(settings)), Context.RESOURCE_CREATION_RESPONSE, parameters, status=201)


@get("/Groups/{group:str}", **_DIRECTORY)
async def get_group(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, group: str,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    async with database.tenant_read(principal.tenant) as tx:
        await provisioning.verify_included(tx, tx.tenant)
        found = await provisioning.group(tx, _id(group))
    shown = shown_group(found, _base(settings))
    return _resource(shown, Context.RESOURCE_QUERY_RESPONSE, _parameters(ResponseParameters[Group], request))


@put("/Groups/{group:str}", **_DIRECTORY)
async def replace_group(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, group: str, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    with _read():
        wanted = Group.model_validate(_json(body), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY)
    async with database.tenant(principal.tenant) as tx:
        await provisioning.verify_included(tx, tx.tenant)
        after = before = await provisioning.group(tx, _id(group))
        if wanted_of(wanted) != before.wanted:
            after = await provisioning.change_group(tx, before.group_id, wanted_of(wanted), by=principal)
    shown = shown_group(after, _base(settings))
    return _resource(shown, Context.RESOURCE_REPLACEMENT_RESPONSE, _parameters(ResponseParameters[Group], request))


@patch("/Groups/{group:str}", **_DIRECTORY)
async def change_group(
    database: Database, provisioning: Provisioning, settings: Settings, request: Asked, group: str, body: bytes,
    principal: Principal,
) -> Response[bytes]:  # fmt: skip
    async with database.tenant(principal.tenant) as tx:
        await provisioning.verify_included(tx, tx.tenant)
        after = before = await provisioning.group(tx, _id(group))
        wanted = await _patched(before, _patch(body), _base(settings))
        if wanted != before.wanted:
            after = await provisioning.change_group(tx, before.group_id, wanted, by=principal)
    shown = shown_group(after, _base(settings))
    return _resource(shown, Context.RESOURCE_PATCH_RESPONSE, _parameters(ResponseParameters[Group], request))


@delete("/Groups/{group:str}", status_code=204, **_DIRECTORY)
async def delete_group(database: Database, provisioning: Provisioning, group: str, principal: Principal) -> None:
    async with database.tenant(principal.tenant) as tx:
        await provisioning.remove_group(tx, _id(group), by=principal)


# --- both ------------------------------------------------------------------------------------------------


@post("/.search", status_code=200, **_DIRECTORY)
async def search_all(
    database: Database, provisioning: Provisioning, settings: Settings, body: bytes, principal: Principal
) -> Response[bytes]:
    """Users first, then groups."""
    found: list[Resource[Any]] = []
    async with database.tenant_read(principal.tenant) as tx:
        await provisioning.verify_included(tx, tx.tenant)
        asked = _search(SearchRequest[User | Group], _json(body))
        total = await provisioning.count_people(tx, EVERYBODY) + await provisioning.count_groups(tx, EVERYBODY)
        _verify_not_too_many(total)
        people = await provisioning.people(tx, EVERYBODY, offset=0, limit=_MAX_COMPARED)
        groups = await provisioning.groups(tx, EVERYBODY, offset=0, limit=_MAX_COMPARED)
    base = _base(settings)
    found += [shown_person(one, base) for one in people]
    found += [shown_group(one, base) for one in groups]
    matching = found if asked.filter is None else await _matching(asked.filter, found)
    offset, limit = _window(asked)
    return _list(ListResponse[User | Group], matching[offset : offset + limit], len(matching), asked)


# --- discovery -------------------------------------------------------------------------------------------


@get("/ServiceProviderConfig", **_DIRECTORY)
async def get_config(settings: Settings) -> Response[bytes]:
    location = f"{_base(settings)}/ServiceProviderConfig"
    shown = CONFIG.model_copy(update={"meta": _meta("ServiceProviderConfig", location)})
    return _resource(shown, Context.RESOURCE_QUERY_RESPONSE, None)


@get("/Schemas", **_DIRECTORY)
async def list_schemas(settings: Settings) -> Response[bytes]:
    found = [_schema(one, settings) for one in PROVIDER.schemas]
    return _list(ListResponse[Schema], found, len(found), None)


@get("/Schemas/{schema:str}", **_DIRECTORY)
async def get_schema(settings: Settings, schema: str) -> Response[bytes]:
    for one in PROVIDER.schemas:
        if str(one.id).casefold() == schema.casefold():
            return _resource(_schema(one, settings), Context.RESOURCE_QUERY_RESPONSE, None)
    raise NotFound


@get("/ResourceTypes", **_DIRECTORY)
async def list_resource_types(settings: Settings) -> Response[bytes]:
    found = [_resource_type(one, settings) for one in PROVIDER.resource_types]
    return _list(ListResponse[ResourceType], found, len(found), None)


@get("/ResourceTypes/{name:str}", **_DIRECTORY)
async def get_resource_type(settings: Settings, name: str) -> Response[bytes]:
    for one in PROVIDER.resource_types:
        if str(one.id) == name:
            return _resource(_resource_type(one, settings), Context.RESOURCE_QUERY_RESPONSE, None)
    raise NotFound


# --- inside ----------------------------------------------------------------------------------------------


async def _people(
    tx: TenantReader, provisioning: Provisioning, settings: Settings, sent: Json
) -> Response[bytes]:  # fmt: skip
    await provisioning.verify_included(tx, tx.tenant)
    asked = _search(SearchRequest[User], sent)
    narrow = narrowed(asked.filter, "userName")
    base = _base(settings)

    async def load(offset: int, limit: int) -> list[Resource[Any]]:
        rows = await provisioning.people(tx, narrow, offset=offset, limit=limit)
        return [shown_person(one, base) for one in rows]

    return await _page(ListResponse[User], asked, await provisioning.count_people(tx, narrow), load)


async def _groups(
    tx: TenantReader, provisioning: Provisioning, settings: Settings, sent: Json
) -> Response[bytes]:  # fmt: skip
    await provisioning.verify_included(tx, tx.tenant)
    asked = _search(SearchRequest[Group], sent)
    narrow = narrowed(asked.filter, "displayName")
    base = _base(settings)

    async def load(offset: int, limit: int) -> list[Resource[Any]]:
        rows = await provisioning.groups(tx, narrow, offset=offset, limit=limit)
        return [shown_group(one, base) for one in rows]

    return await _page(ListResponse[Group], asked, await provisioning.count_groups(tx, narrow), load)


async def _page(
    kind: Any, asked: SearchRequest[Any], total: int, load: Callable[[int, int], Awaitable[list[Resource[Any]]]]
) -> Response[bytes]:
    """A page of what the database finds, or of what the filter leaves of it."""
    offset, limit = _window(asked)
    scim_filter: ScimFilter[Any] | None = asked.filter
    if scim_filter is None:
        return _list(kind, await load(offset, limit) if limit else [], total, asked)
    _verify_not_too_many(total)
    found = await _matching(scim_filter, await load(0, _MAX_COMPARED))
    return _list(kind, found[offset : offset + limit], len(found), asked)


async def _matching(scim_filter: ScimFilter[Any], among: list[Resource[Any]]) -> list[Resource[Any]]:
    """What a filter leaves, compared beside the event loop: others are answered meanwhile."""
    with _read():
        return await asyncio.to_thread(lambda: [one for one in among if scim_filter.match(one)])


def _verify_not_too_many(total: int) -> None:
    if total > _MAX_COMPARED:
        detail = "The filter would be compared with too many. Filter by id, externalId, userName or displayName."
        raise ScimFault(detail, "tooMany")


def _window(asked: SearchRequest[Any]) -> tuple[int, int]:
    count = DEFAULT_RESULTS if asked.count is None else asked.count
    return min((asked.start_index or 1) - 1, 2**31), min(count, MAX_RESULTS)


def _search(kind: Any, raw: Json) -> SearchRequest[Any]:
    text = next((value for name, value in raw.items() if name.lower() == "filter"), "")
    if isinstance(text, str) and (len(text) > _MAX_FILTER or len(_JOINTS.findall(text)) >= _MAX_TERMS):
        detail = f"A filter has at most {_MAX_FILTER} characters and {_MAX_TERMS} terms."
        raise ScimFault(detail, "invalidFilter")
    with _read():
        found: SearchRequest[Any] = kind.model_validate(raw, scim_policy=POLICY)
        return found


def _parameters(kind: Any, request: Asked) -> ResponseParameters[Any] | None:
    chosen = {name: value for name, value in request.query_params.items() if name in _CHOOSING}
    if not chosen:
        return None
    with _read():
        return kind.model_validate(chosen, scim_policy=POLICY)  # type: ignore[no-any-return]  # a generic model


_JOINTS = re.compile(r"\b(?:and|or)\b", re.ASCII | re.IGNORECASE)
_CHOOSING = ("attributes", "excludedAttributes")


def _json(body: bytes) -> Json:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Malformed("The body is not a JSON object in UTF-8.")
    return found


def _patch(body: bytes) -> Json:
    """The body of a patch, of a bounded number of operations."""
    sent = _json(body)
    for name, operations in sent.items():
        if name.lower() == "operations" and isinstance(operations, list) and len(operations) > _MAX_OPERATIONS:
            raise ScimFault(f"A patch has at most {_MAX_OPERATIONS} operations.", "tooMany")
    return sent


async def _patched(before: GroupRow, sent: Json, base: str) -> GroupWanted:
    """What a patch makes of a group. Members who are added or removed by their id are so in sets: directories send
    those by the hundred, and the general way walks through the whole group for each.
    """
    members, rest = changed_members(before.wanted.members, sent.get("Operations"))
    if rest is None:  # not as directories write it
        shown = shown_group(before, base)
    else:
        shown = shown_group(msgspec.structs.replace(before, members=[]), base)
        if not rest:
            return msgspec.structs.replace(before.wanted, members=members)
        sent = {**sent, "Operations": rest}
    with _read():
        asked = PatchOp[Group].model_validate(sent, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY)
        await asyncio.to_thread(asked.patch, shown, scim_policy=POLICY)
    wanted = wanted_of(shown)
    return wanted if rest is None else msgspec.structs.replace(wanted, members=members)


def _with_active(sent: Json, *, active: bool) -> Json:
    """A payload in which `active` is decided."""
    return sent if any(name.lower() == "active" for name in sent) else {**sent, "active": active}


def _without_emails(sent: Json) -> Json:
    """A patch without what it asks of `emails`: they follow from the user name, and directories set them anyway."""
    operations = sent.get("Operations")
    if not isinstance(operations, list):
        return sent
    kept = [_cut(one) for one in operations if not (isinstance(one, dict) and _is_emails(one.get("path")))]
    # A patch has one operation at least: an empty change stands for those that were left out.
    return {**sent, "Operations": kept or [{"op": "replace", "value": {}}]}


def _cut(operation: object) -> object:
    value = operation.get("value") if isinstance(operation, dict) and "path" not in operation else None
    if not isinstance(operation, dict) or not isinstance(value, dict):
        return operation
    return {**operation, "value": {name: one for name, one in value.items() if not _is_emails(name)}}


def _is_emails(path: object) -> bool:
    return isinstance(path, str) and path.strip().lower().rpartition(":")[2].startswith("emails")


def _id(text: str) -> UUID:
    found = parse_uuid(text)
    if found is None:
        raise NotFound
    return found


def _base(settings: Settings) -> str:
    return f"{settings.base_url}{PREFIX}"


def _meta(kind: str, location: str) -> Meta:
    return Meta(resource_type=kind, location=location)


def _schema(schema: Schema, settings: Settings) -> Schema:
    return schema.model_copy(update={"meta": _meta("Schema", f"{_base(settings)}/Schemas/{schema.id}")})


def _resource_type(kind: ResourceType, settings: Settings) -> ResourceType:
    return kind.model_copy(update={"meta": _meta("ResourceType", f"{_base(settings)}/ResourceTypes/{kind.id}")})


@contextmanager
def _read() -> Iterator[None]:
    """What a payload can be wrong about, as one of our errors."""
    try:
        yield
    except ValidationError as error:
        raise fault_of_validation(error) from None
    except SCIMException as error:
        raise fault_of_exception(error) from None


def _resource(
    shown: Resource[Any], context: Context, parameters: ResponseParameters[Any] | None, status: int = 200
) -> Response[bytes]:
    raw = shown.model_dump_json(scim_ctx=context, response_parameters=parameters, scim_policy=POLICY)
    headers = {"Location": shown.meta.location} if status == 201 and shown.meta and shown.meta.location else {}  # noqa: PLR2004  created
    return Response(raw.encode(), status_code=status, media_type=SCIM, headers=headers)


def _list(kind: Any, found: list[Any], total: int, asked: SearchRequest[Any] | None) -> Response[bytes]:
    answer = kind(
        total_results=total, start_index=(asked.start_index if asked else None) or 1, items_per_page=len(found),
        resources=found,
    )  # fmt: skip
    raw = answer.model_dump_json(
        scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked, scim_policy=POLICY
    )
    return Response(raw.encode(), media_type=SCIM)


router = Router(
    PREFIX,
    route_handlers=[
        list_users, search_users, create_user, get_user, replace_user, change_user, delete_user, list_groups,
        search_groups, create_group, get_group, replace_group, change_group, delete_group, search_all, get_config,
        list_schemas, get_schema, list_resource_types, get_resource_type,
    ],
    include_in_schema=False,
    request_max_body_size=_MAX_BODY,
)  # fmt: skip
