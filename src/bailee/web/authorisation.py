"""Who may call what, read off the route table itself: for the documentation, for auditors, and for the tests."""

from collections.abc import Iterable

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from bailee.access.permissions import SCOPES, STAFF_ROLES, TENANT_ROLES, Role
from bailee.web.middleware import is_api

_IGNORED = frozenset({"OPTIONS", "HEAD"})
_INTRODUCTION = """\
# Who may call what

This page is generated from the route table of the program and held against it by the tests: `bailee authorisation`
prints it. ● – the role permits it. ◐ – it does, after the second factor was shown within the last five minutes.

Beside the roles these rules hold on every route, and are tried on every route by the tests:

- **own tenant** – a member acts in the tenant that the session is in, a key or client in the one it belongs to.
- **foreign tenant** – whatever belongs to another tenant is answered as if it did not exist (404).
- **no tenant** – members of no tenant hold no permission (403). Staff hold none of a tenant’s; where one of theirs has
  the same name, as that to read events has, it is about the operator’s own, and a tenant’s things are not there (404).
- **a second factor that is too old** – 403 with the code `step_up_required` where the table has ◐. Machines have none.
- **SCIM** – for keys and clients with the scope, and for nobody’s own session.
- **not signed in** – 401; a page leads to the sign-in page.
- **expired, revoked, signed out, disabled** – 401, from the moment of the act on, in every process.
- **a gate or a tenant's demand that is not met** (no second factor, foreign network, weak password) – 403 on everything
  but one's own account.

"""


class RouteAccess(msgspec.Struct, frozen=True, order=True):
    """One route: what its caller must hold, or to whom it is open."""

    path: str
    method: str
    permissions: tuple[str, ...]
    access: str
    """`anyone`, `own account` or `permissions`."""
    step_up: bool

    @property
    def is_api(self) -> bool:
        return is_api(self.path) or not self.path.startswith("/")


def access_table(app: Litestar) -> list[RouteAccess]:
    """Every route of the app, in order."""
    found = {
        _access(route.path, handler, method)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method not in _IGNORED and not route.path.startswith("/static")
    }
    return sorted(found)


def _access(path: str, handler: HTTPRouteHandler, method: str) -> RouteAccess:
    permissions = tuple(sorted(handler.opt.get("permissions", ())))
    access = "permissions" if permissions else "own account" if handler.opt.get("own_account") else "anyone"
    return RouteAccess(path, str(method), permissions, access, bool(handler.opt.get("step_up")))


def markdown(routes: list[RouteAccess]) -> str:
    """The page `docs/authorisation.md`."""
    guarded = [route for route in routes if route.access == "permissions"]
    staff = [route for route in guarded if _concerns(route, STAFF_ROLES.values())]
    tenant = [route for route in guarded if _concerns(route, TENANT_ROLES.values())]
    return "".join((
        _INTRODUCTION,
        "## The operator’s staff\n\n",
        _table(staff, STAFF_ROLES),
        "\n`superuser` is lent for a time with a second person’s approval, and never granted.\n\n",
        "## Members of a tenant\n\n",
        _table(tenant, TENANT_ROLES),
        "\n## Scopes of API keys and OAuth clients\n\n| Scope | Permissions |\n| --- | --- |\n",
        *(f"| `{scope}` | {_listed(permissions)} |\n" for scope, permissions in sorted(SCOPES.items())),
        "\n## One’s own account: whoever is signed in\n\n",
        *(f"- `{route.method} {route.path}`\n" for route in routes if route.access == "own account"),
        "\n## Open to anyone\n\n",
        "These examine what they are given themselves: a password, a one-time link, a client’s secret.\n\n",
        *(f"- `{route.method} {route.path}`\n" for route in routes if route.access == "anyone"),
    ))  # fmt: skip


def _concerns(route: RouteAccess, roles: Iterable[Role]) -> bool:
    return any(set(route.permissions) <= role.permissions for role in roles)


def _table(routes: list[RouteAccess], roles: dict[str, Role]) -> str:
    lines = [f"| Route | Permission | {' | '.join(roles)} |", "|" + " --- |" * (len(roles) + 2)]
    for route in routes:
        mark = "◐" if route.step_up else "●"
        cells = [mark if set(route.permissions) <= role.permissions else "" for role in roles.values()]
        lines.append(f"| `{route.method} {route.path}` | {_listed(route.permissions)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _listed(permissions: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(permissions))
