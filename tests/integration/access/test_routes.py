"""The routes, held against the permissions: each names known ones, and what a verb demands its route demands too."""

import sys
import warnings

import pytest
from litestar.exceptions import LitestarDeprecationWarning

from bailee.access.permissions import STAFF_PERMISSIONS, TENANT_PERMISSIONS
from bailee.assembly import Services
from bailee.events.verbs import PLACES, find_verbs
from bailee.web.app import create_app
from bailee.web.authorisation import RouteAccess, access_table

_BY_ANOTHER = frozenset({"reviews.read"})
"""What no route asks for at its door: who reads every item of a review sees more of what its reviewers see."""


@pytest.fixture(scope="module")
def routes(services: Services) -> list[RouteAccess]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LitestarDeprecationWarning)  # of the next major version, which is not taken
        return access_table(create_app(services))


def _steps() -> set[str]:
    """Permissions whose every verb asks a person for a fresh second factor."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("bailee.")]
    specs = [spec for module in modules for spec in find_verbs(module) if spec.permission not in PLACES]
    lenient = {spec.permission for spec in specs if not spec.step_up}
    return {spec.permission for spec in specs} - lenient


def test_every_route_names_known_permissions(routes: list[RouteAccess]) -> None:
    assert len(routes) > 100
    for route in routes:
        assert set(route.permissions) <= STAFF_PERMISSIONS | TENANT_PERMISSIONS, route
        assert bool(route.permissions) == (route.access == "permissions"), route


def test_every_permission_has_a_route(routes: list[RouteAccess]) -> None:
    asked = {permission for route in routes if route.is_api for permission in route.permissions}
    assert (STAFF_PERMISSIONS | TENANT_PERMISSIONS) - asked == _BY_ANOTHER


def test_a_route_of_the_api_asks_for_the_fresh_factor_that_its_verb_asks_for(routes: list[RouteAccess]) -> None:
    steps = _steps()
    for route in routes:
        if route.is_api and route.method != "GET" and not steps.isdisjoint(route.permissions):
            assert route.step_up or route.path == "/api/v1/sso/test", route  # which asks, and changes nothing


def test_what_changes_something_is_open_to_few(routes: list[RouteAccess]) -> None:
    """Everything that anybody may send: the ways in, and what carries its own proof."""
    open_ = {route.path for route in routes if route.is_api and route.method != "GET" and route.access == "anyone"}
    assert open_ <= {
        "/api/v1/setup", "/api/v1/setup/confirm", "/api/v1/session", "/api/v1/session/code", "/api/v1/session/passkey",
        "/api/v1/session/passkey/options", "/api/v1/password", "/api/v1/password/link", "/api/v1/enrolment",
        "/api/v1/invitation", "/api/v1/invitation/accept",
        "/api/v1/certificate", "/api/v1/device", "/api/v1/device/token",
        "/oidc/token", "/oidc/revoke", "/oidc/introspect", "/oidc/userinfo",
    }  # fmt: skip
