"""OAuth clients: a tenant's own, and for staff those of the operator's product."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.access.pages.common import end_of_day, number_of
from bailee.access.permissions import SCOPES, expand
from bailee.access.provider.clients import Clients
from bailee.access.provider.model import PERSON_SCOPES, Client, ClientFields, ClientKind
from bailee.foundation.database import Database, Reader, Writer
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import PAGE_ROWS, Form, page, see
from bailee.foundation.principal import ActorKind, Principal

_NOTICES = {
    "registered": "The client is registered. It has no secret: PKCE alone binds a code to it.",
    "changed": "The client is saved. Its tokens lose at once what it lost.",
    "revoked": "The client is revoked: nothing accepts it any more, nor any token of it.",
}
_OVERLAP = "24"
_NEW = Form({"kind": [ClientKind.CONFIDENTIAL.value]})


@get("/clients", **requires("clients.read"))
async def list_clients(
    database: Database, clients: Clients, principal: Principal, cursor: Cursor = None, done: str = ""
) -> Template:
    async with _reading(database, principal) as tx:
        rows = await clients.page(tx, after=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    return page(
        "clients_list.html", principal, clients=page_of(rows, PAGE_ROWS, lambda client: client.id),
        later=cursor is not None, notice=_NOTICES.get(done, ""), staff=_is_staff(principal),
    )  # fmt: skip


@get("/clients/new", **requires("clients.register"))
async def new_client(principal: Principal) -> Template:
    return _registration(principal, _NEW)


@post("/clients/new", **requires("clients.register", step_up=True))
async def register_client(database: Database, clients: Clients, form: Form, principal: Principal) -> Response[Any]:
    """Answers with the secret itself: a redirect would have to keep it somewhere."""
    try:
        kind, expires_at = _kind_of(form), end_of_day(form, "secret_expires_at")
        async with _writing(database, principal) as tx:
            issued = await clients.register(
                tx, kind=kind, fields=_fields_of(form), secret_expires_at=expires_at, by=principal
            )
    except Error as error:
        return _registration(principal, form, error)
    if issued.secret is None:
        return see(f"/clients/{issued.id}?done=registered")
    return page("clients_issued.html", principal, status=201, client=issued, rotated=False)


@get("/clients/{client:str}", **requires("clients.read"))
async def show_client(
    database: Database, clients: Clients, client: str, principal: Principal, done: str = ""
) -> Template:
    found = await _found(database, clients, client, principal)
    return _shown(principal, found, notice=_NOTICES.get(done, ""))


@post("/clients/{client:str}", **requires("clients.change", step_up=True))
async def change_client(
    database: Database, clients: Clients, client: str, form: Form, principal: Principal
) -> Response[Any]:
    found = await _found(database, clients, client, principal)
    try:
        async with _writing(database, principal) as tx:
            await clients.change(tx, found.id, _fields_of(form), by=principal)
    except Error as error:
        return _shown(principal, found, Form({"overlap_hours": [_OVERLAP], **form.values}), error)
    return see(f"/clients/{found.id}?done=changed")


@post("/clients/{client:str}/rotate-secret", **requires("clients.rotate_secret", step_up=True))
async def rotate_secret(
    database: Database, clients: Clients, client: str, form: Form, principal: Principal
) -> Response[Any]:
    """Answers with the new secret itself: a redirect would have to keep it somewhere."""
    found = await _found(database, clients, client, principal)
    try:
        overlap = number_of(form, "overlap_hours")
        async with _writing(database, principal) as tx:
            issued = await clients.rotate_secret(tx, found.id, overlap_hours=overlap, by=principal)
    except Error as error:
        return _shown(principal, found, Form({**_filled(found).values, **form.values}), error)
    return page("clients_issued.html", principal, status=201, client=issued, rotated=True)


@post("/clients/{client:str}/revoke", **requires("clients.revoke"))
async def revoke_client(database: Database, clients: Clients, client: str, principal: Principal) -> Response[Any]:
    found = await _found(database, clients, client, principal)
    try:
        async with _writing(database, principal) as tx:
            await clients.revoke(tx, found.id, by=principal)
    except Error as error:
        return _shown(principal, found, error=error)
    return see("/clients?done=revoked")


# --- inside ---------------------------------------------------------------------------------------------


def _is_staff(principal: Principal) -> bool:
    return principal.kind is ActorKind.STAFF


def _reading(database: Database, principal: Principal) -> AbstractAsyncContextManager[Reader]:
    return database.operator_read() if _is_staff(principal) else database.tenant_read(principal.tenant)


def _writing(database: Database, principal: Principal) -> AbstractAsyncContextManager[Writer]:
    return database.operator() if _is_staff(principal) else database.tenant(principal.tenant)


async def _found(database: Database, clients: Clients, client: str, principal: Principal) -> Client:
    async with _reading(database, principal) as tx:
        return await clients.get(tx, id_of(client))


def _kind_of(form: Form) -> ClientKind:
    """Raises Invalid for a kind that there is not."""
    try:
        return ClientKind(form.text("kind"))
    except ValueError:
        message = f"Choose one of: {', '.join(ClientKind)}."
        raise Invalid("The client is not valid.", errors=[FieldError("kind", message)]) from None


def _fields_of(form: Form) -> ClientFields:
    return ClientFields(
        form.text("name"), _lines(form, "redirect_uris"), _lines(form, "post_logout_redirect_uris"), form.all("scopes")
    )


def _lines(form: Form, field: str) -> list[str]:
    return [line.strip() for line in form.text(field).splitlines() if line.strip()]


def _filled(client: Client) -> Form:
    """The forms that ask for what is there."""
    return Form({
        "name": [client.name],
        "redirect_uris": ["\n".join(client.redirect_uris)],
        "post_logout_redirect_uris": ["\n".join(client.post_logout_redirect_uris)],
        "scopes": client.scopes,
        "overlap_hours": [_OVERLAP],
    })  # fmt: skip


def _registration(principal: Principal, form: Form, error: Error | None = None) -> Template:
    return page("clients_new.html", principal, form=form, error=error, **_scopes(principal))


def _shown(
    principal: Principal, client: Client, form: Form | None = None, error: Error | None = None, *, notice: str = ""
) -> Template:
    return page(
        "clients_show.html", principal, form=form or _filled(client), error=error, client=client, notice=notice,
        **_scopes(principal),
    )  # fmt: skip


def _scopes(principal: Principal) -> dict[str, Any]:
    """The scopes to choose from, and those among them that the principal cannot give: nobody gives what they lack."""
    api = [] if _is_staff(principal) else sorted(SCOPES)
    beyond = [scope for scope in api if not all(principal.may(permission) for permission in expand([scope]))]
    return {"person_scopes": PERSON_SCOPES, "api_scopes": api, "beyond": beyond}


routes = [
    list_clients, new_client, register_client, show_client, change_client, rotate_secret, revoke_client,
]  # fmt: skip
