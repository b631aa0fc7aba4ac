"""The console's pages, assembled from the sections."""

from litestar.types import ControllerRouterHandler


def pages() -> list[ControllerRouterHandler]:
    """Every page's route."""
    return []
