"""Access control over REST."""

from bailee.access.api import account, device, keys, members, sessions, staff

routers = [sessions.router, account.router, staff.router, members.router, keys.router, device.router]

__all__ = ["routers"]
