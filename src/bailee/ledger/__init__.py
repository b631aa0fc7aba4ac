"""The transparency log that events and evidence are chained into (TOM 4.1).

Formats: C2SP tlog-tiles, tlog-checkpoint and signed-note, on the tree of RFC 6962. A leaf's entry is a
salted commitment, so the log can be public while its events stay private, and an event can be forgotten
while the log still verifies. `tree`, `tiles`, `note`, `commitment` and `evidence` do no I/O of their own and
are all that an offline verifier needs.
"""
