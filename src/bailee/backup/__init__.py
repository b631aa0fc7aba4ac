"""Section 6: backups are taken, encrypted and read again (6.1), restores rehearsed (6.2), their use limited (6.3).

PostgreSQL does the copying; this room gives it a repository, encryption, a schedule, an end, proof and a purpose. Main
and keyring are backed up apart, the keyring kept for a shorter time: what is erased becomes unreadable everywhere when
the last keyring from before is gone. A restored copy is open only after it has erased again what was erased since.
"""
