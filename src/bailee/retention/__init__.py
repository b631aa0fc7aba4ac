"""Section 11: data goes when its time is over, and not before the law lets it (11.1, 11.2, 11.3).

Rules of the data map are executed between floors set by law and ceilings set by contract. A legal hold moves what it
covers to an archive under a key of its own, out of reach of everything that is ordinary. When a contract ends, the
customer takes the data along, everything is deleted after a grace period, and a signed certificate says so, with the
date on which the last backup that holds any of it is gone.
"""
