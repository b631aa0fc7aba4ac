"""Section 9: incidents are handled by a written process (9.1), customers told within 24 hours (9.2), completely (9.3).

An incident moves through its phases with an owner, tasks and an append-only timeline. That it is a breach of personal
data is an explicit act, which starts a clock; whom it concerns is computed from the log; each customer concerned gets a
notice that a second person has read, and what became of it is on record. Exercises go the same way with synthetic
tenants.
"""
