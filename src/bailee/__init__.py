"""Bailee: the platform that keeps the promises of a TOM document, and proves it."""

from importlib.metadata import version

__version__ = version("bailee")
