"""Approving a program's sign-in: a person types the code that it shows, sees which machine asks, and decides."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Template

from bailee.access.device import DeviceSignIn
from bailee.access.errors import TooManyAttempts
from bailee.foundation.errors import Conflict, Error, Invalid
from bailee.foundation.http import own_account
from bailee.foundation.pages import Form, page
from bailee.foundation.principal import Principal


@get("/device", **own_account())
async def device_form(device_sign_in: DeviceSignIn, principal: Principal) -> Template:
    await device_sign_in.verify_approver(by=principal)
    return page("device_code.html", principal)


@post("/device", **own_account())
async def look_up(device_sign_in: DeviceSignIn, form: Form, principal: Principal) -> Response[Any]:
    try:
        found = await device_sign_in.find(code=form.text("code"), by=principal)
    except (Invalid, TooManyAttempts) as error:
        return page("device_code.html", principal, form=form, error=error)
    return page("device_confirm.html", principal, code=form.text("code"), asking=found)


@post("/device/decide", **own_account())
async def decide(device_sign_in: DeviceSignIn, form: Form, principal: Principal) -> Response[Any]:
    code, approved = form.text("code"), form.text("decision") == "approve"
    try:
        found = await (device_sign_in.approve if approved else device_sign_in.refuse)(code=code, by=principal)
    except (Invalid, TooManyAttempts, Conflict) as error:
        return _again(principal, error)
    return page("device_done.html", principal, asking=found, approved=approved)


def _again(principal: Principal, error: Error) -> Template:
    return page("device_code.html", principal, error=error)


routes = [device_form, look_up, decide]
