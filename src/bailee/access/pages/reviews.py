"""Access reviews: each standing role before somebody who confirms or revokes it."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.api.common import id_of
from bailee.access.pages.common import end_of_day
from bailee.access.permissions import STAFF_ROLES
from bailee.access.reviews import Reviews
from bailee.foundation.database import Database
from bailee.foundation.errors import Error, FieldError, Invalid
from bailee.foundation.http import Cursor, decode_id_cursor, page_of, requires
from bailee.foundation.pages import EMPTY, PAGE_ROWS, Form, page, see
from bailee.foundation.principal import Principal

_NOTICES = {
    "confirmed": "The role is confirmed.",
    "revoked": "The role is revoked.",
    "closed": "The review is closed; what nobody confirmed is revoked.",
}


@get("/reviews", **requires("reviews.decide"))
async def list_reviews(database: Database, reviews: Reviews, principal: Principal, cursor: Cursor = None) -> Template:
    return await _listed(database, reviews, principal, cursor=cursor)


@post("/reviews", **requires("reviews.open", step_up=True))
async def open_review(database: Database, reviews: Reviews, form: Form, principal: Principal) -> Response[Any]:
    try:
        due_at = end_of_day(form, "due_at")
        if due_at is None:
            message = "Enter the day by which it is to be done."
            raise Invalid("The review is not valid.", errors=[FieldError("due_at", message)])
        async with database.operator() as tx:
            opened = await reviews.open(tx, title=form.text("title"), due_at=due_at, by=principal)
    except Error as error:
        return await _listed(database, reviews, principal, form=form, error=error)
    return see(f"/reviews/{opened.id}")


@get("/reviews/{review:str}", **requires("reviews.decide"))
async def show_review(
    database: Database, reviews: Reviews, review: str, principal: Principal, done: str = ""
) -> Template:
    return await _shown(database, reviews, review, principal, notice=_NOTICES.get(done, ""))


@post("/reviews/{review:str}/items/{item:str}/confirm", **requires("reviews.decide"))
async def confirm_item(
    database: Database, reviews: Reviews, review: str, item: str, principal: Principal
) -> Response[Any]:
    return await _decide(database, reviews, review, item, principal, confirm=True)


@post("/reviews/{review:str}/items/{item:str}/revoke", **requires("reviews.decide", step_up=True))
async def revoke_item(
    database: Database, reviews: Reviews, review: str, item: str, principal: Principal
) -> Response[Any]:
    return await _decide(database, reviews, review, item, principal, confirm=False)


@post("/reviews/{review:str}/close", **requires("reviews.close", step_up=True))
async def close_review(database: Database, reviews: Reviews, review: str, principal: Principal) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await reviews.close(tx, id_of(review), by=principal)
    except Error as error:
        return await _shown(database, reviews, review, principal, error=error)
    return see(f"/reviews/{review}?done=closed")


async def _decide(
    database: Database, reviews: Reviews, review: str, item: str, principal: Principal, *, confirm: bool
) -> Response[Any]:
    try:
        async with database.operator() as tx:
            await reviews.decide(tx, id_of(review), id_of(item), confirm=confirm, by=principal)
    except Error as error:
        return await _shown(database, reviews, review, principal, error=error)
    return see(f"/reviews/{review}?done={'confirmed' if confirm else 'revoked'}")


async def _listed(
    database: Database, reviews: Reviews, principal: Principal, *, cursor: str | None = None,
    form: Form = EMPTY, error: Error | None = None,
) -> Template:  # fmt: skip
    async with database.operator_read() as tx:
        rows = await reviews.page(tx, before=decode_id_cursor(cursor), limit=PAGE_ROWS + 1)
    found = page_of(rows, PAGE_ROWS, lambda one: one.id)
    return page("reviews_list.html", principal, form=form, error=error, reviews=found, later=cursor is not None)


async def _shown(
    database: Database, reviews: Reviews, review: str, principal: Principal, *,
    notice: str = "", error: Error | None = None,
) -> Template:  # fmt: skip
    """All of it for who may read reviews, else the part that waits for the caller."""
    async with database.operator_read() as tx:
        found = await reviews.get(tx, id_of(review))
        items = await reviews.items(tx, found.id)
    everything = principal.may("reviews.read")
    return page(
        "reviews_show.html", principal, error=error, notice=notice, review=found,
        items=[item for item in items if everything or item.reviewer_id == principal.account_id],
        titles={name: role.title for name, role in STAFF_ROLES.items()},
    )  # fmt: skip


routes = [list_reviews, open_review, show_review, confirm_item, revoke_item, close_review]
