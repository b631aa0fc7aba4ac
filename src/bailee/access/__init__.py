"""Access control (TOM 2.1–2.3, 3.3): API keys, accounts, sign-in, sessions, and who a request speaks for.

Only this room turns a token into a `Principal`, and with it into a tenant.
"""
