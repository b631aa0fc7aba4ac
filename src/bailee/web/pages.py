"""The console's pages, assembled from the sections."""

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from bailee.access import pages as access_pages
from bailee.access.federation import pages as federation_pages
from bailee.access.provider import pages as provider_pages
from bailee.assurance import pages as assurance_pages
from bailee.backup import pages as backup_pages
from bailee.foundation.pages import read_form, same_origin
from bailee.foundation.settings import Settings
from bailee.incidents import pages as incidents_pages
from bailee.monitoring import pages as monitoring_pages
from bailee.retention import pages as retention_pages
from bailee.stores import pages as stores_pages
from bailee.tenants import pages as tenants_pages


def pages(settings: Settings) -> list[ControllerRouterHandler]:
    """Every page's route, behind the guard against foreign sites; and those that products send people to."""
    handlers: list[ControllerRouterHandler] = [
        *access_pages.routes,
        *provider_pages.routes,
        *federation_pages.routes,
        *assurance_pages.routes,
        *tenants_pages.routes,
        *stores_pages.routes,
        *monitoring_pages.routes,
        *incidents_pages.routes,
        *retention_pages.routes,
        *backup_pages.routes,
    ]
    return [
        Router(
            "/",
            route_handlers=handlers,
            guards=[same_origin(settings.base_url)],
            dependencies={"form": Provide(read_form)},
            include_in_schema=False,
        ),
        Router(
            "/",
            route_handlers=[*provider_pages.from_anywhere],
            dependencies={"form": Provide(read_form)},
            include_in_schema=False,
        ),
    ]
