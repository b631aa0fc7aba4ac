"""Access control in the console: the way in, one's own account, staff, a tenant's people, keys and single sign-on."""

from bailee.access.pages import (
    account,
    clients,
    device,
    elevations,
    factors,
    federation,
    keys,
    links,
    members,
    reviews,
    roles,
    session,
    setup,
    staff,
    step_up,
)

routes = [
    *session.routes, *setup.routes, *links.routes, *step_up.routes, *account.routes, *factors.routes, *staff.routes,
    *elevations.routes, *reviews.routes, *members.routes, *roles.routes, *keys.routes, *device.routes,
    *federation.routes, *clients.routes,
]  # fmt: skip

__all__ = ["routes"]
