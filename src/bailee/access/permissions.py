"""What can be granted."""

TENANT_PERMISSIONS = frozenset({
    "collections:read", "collections:write",
    "records:read", "records:write",
    "subjects:read", "subjects:erase",
    "files:read", "files:write",
    "events:read", "measures:read",
    "keys:read", "keys:write",
})  # fmt: skip
"""For API keys: verbs on the tenant's own things."""

STAFF_ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset({
        "tenants:read", "tenants:write", "tenant_keys:read", "tenant_keys:write", "encryption:rotate",
        "events:read", "measures:read", "measures:check",
    }),
}  # fmt: skip
"""For staff accounts. No role reads what tenants store: that takes a case that the tenant grants."""
