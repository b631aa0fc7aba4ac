"""The ground: settings, clock, identifiers, errors, databases, jobs and object storage.

Nothing here knows what Bailee promises; every room above stands on it.
"""
