"""Encryption (TOM 3.1–3.3): the keyring, the envelope, blind indexes, TLS and password hashing.

root key → tenant key (versioned) → data key (one for each data subject, one general one, one for indexes)
→ AES-256-GCM. The wrapped keys live in a database of their own; what is destroyed there is gone everywhere.
"""
