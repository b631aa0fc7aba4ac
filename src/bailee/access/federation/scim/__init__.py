"""SCIM 2 (RFC 7643, RFC 7644): a tenant's directory adds, changes and shuts out its members.

The address is the identity: `userName` is an e-mail address in one of the tenant's verified domains. What a directory
writes about a person stays within its tenant; the account, and the person's other tenants, are not its to change.
"""
