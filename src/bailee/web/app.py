"""Builds the app from the services: routes, dependencies, errors, OpenAPI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from bailee import __version__
from bailee.access import api as access_api
from bailee.access.federation import api as federation_api
from bailee.access.federation.scim import api as scim_api
from bailee.access.provider import api as provider_api
from bailee.access.provider import endpoints as provider_endpoints
from bailee.assembly import Services
from bailee.assurance import api as assurance_api
from bailee.backup import api as backup_api
from bailee.foundation.database import Database
from bailee.foundation.http import problems
from bailee.foundation.principal import Principal
from bailee.incidents import api as incidents_api
from bailee.ledger import api as ledger_api
from bailee.monitoring import api as monitoring_api
from bailee.retention import api as retention_api
from bailee.stores import api as stores_api
from bailee.tenants import api as tenants_api
from bailee.web.metrics import Metrics, metrics, ready
from bailee.web.middleware import finishing, identify
from bailee.web.openapi import CompletedDocument
from bailee.web.pages import pages
from bailee.web.problems import Problems
from bailee.web.telemetry import Telemetry
from bailee.web.templating import STATIC, environment

_KEPT = CacheControlHeader(public=True, max_age=31_536_000, immutable=True)
"""Static files carry a version in their address."""


class Health(msgspec.Struct, frozen=True):
    """That the process answers, and whether its database does."""

    status: str
    version: str


@get("/health", summary="Whether the service can work", operation_id="getHealth", responses=problems(), tags=["Health"])
async def health(database: Database) -> Health:
    async with database.operator_read() as tx:
        await tx.value("SELECT 1")
    return Health("ok", __version__)


def create_app(services: Services) -> Litestar:
    """The ASGI app. The services are open while it runs, and are closed by whoever opened them."""
    provided = {name: _provide(getattr(services, name)) for name in _PROVIDED}
    counted = Metrics(services.settings.monitoring.metrics_token_file)
    telemetry = Telemetry(services.settings.telemetry)
    provided["metrics_of"] = _provide(counted)
    provided["incident_services"] = _provide(services.incidents)
    provided |= {name: _provide(getattr(services.access, name)) for name in _ACCESS}
    provided |= {name: _provide(getattr(services.provider, name)) for name in _PROVIDER}
    provided |= {name: _provide(getattr(services.federation, name)) for name in _FEDERATION}
    provided |= {name: _provide(getattr(services.monitoring, name)) for name in _MONITORING}
    provided |= {name: _provide(getattr(services.incidents, name)) for name in _INCIDENTS}
    provided |= {name: _provide(getattr(services.retention, name)) for name in _RETENTION}
    provided |= {name: _provide(getattr(services.backup, name)) for name in _BACKUP}
    provided["backup_keys"] = _provide(services.backup.keys)
    api = Router(
        "/api/v1",
        route_handlers=[
            *access_api.routers, provider_api.router, federation_api.router, tenants_api.router,
            tenants_api.get_own_tenant, *stores_api.routers, *monitoring_api.routers, *incidents_api.routers,
            *retention_api.routers, *backup_api.routers, assurance_api.router,
        ],
    )  # fmt: skip
    return Litestar(
        route_handlers=[
            api, ledger_api.router, provider_endpoints.router, scim_api.router, health, ready, metrics,
            *pages(services.settings),
            create_static_files_router("/static", directories=[STATIC], include_in_schema=False, cache_control=_KEPT),
        ],
        dependencies={**provided, "principal": Provide(_principal, sync_to_thread=False)},
        middleware=[identify(services.access.authenticator, services.settings.access.trusted_proxies)],
        before_send=[finishing(counted.count, telemetry.count)],
        exception_handlers=Problems(services.database, services.events).handlers(),
        request_max_body_size=services.settings.web.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title="Bailee",
            version=__version__,
            description="Personal data in trust: stored encrypted, kept apart, logged, and proven.",
            path="/api/v1/openapi.json",  # below it the framework answers what is not found, in its own words
            render_plugins=[CompletedDocument(path="/")],
            components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"bearer": []}],
            tags=[Tag(name) for name in _TAGS],
            use_handler_docstrings=False,
        ),
        template_config=TemplateConfig(instance=JinjaTemplateEngine(engine_instance=environment())),
        lifespan=[_background(services, telemetry)],
        logging_config=None,
        debug=False,
    )  # fmt: skip


_TAGS = (
    "Records",
    "Collections",
    "Subjects",
    "Files",
    "Events",
    "Alerts",
    "Support cases",
    "Webhooks",
    "Incidents",
    "Notices",
    "Retention",
    "Legal holds",
    "Terminations",
    "Backups",
    "Measures",
    "Ledger",
)
_PROVIDED = (
    "settings", "clock", "database", "keyring_database", "events", "ledger", "keyring", "tenants", "collections",
    "vault", "files", "subjects", "assurance",
)  # fmt: skip
_MONITORING = ("alerts", "support_cases", "webhooks", "intake")
_INCIDENTS = ("incidents", "breaches", "notices", "triggers", "exercises", "bulk")
_RETENTION = (
    "limits", "rules", "holds", "customer_holds", "terminations", "export", "certificates", "calendar",
)  # fmt: skip
_BACKUP = ("backups", "releases", "drills", "replay")
_FEDERATION = ("domains", "sso_connections", "sso_sign_in", "provisioning")
_PROVIDER = ("clients", "client_authentication", "authorization", "oauth_tokens", "signing", "logout")
_ACCESS = (
    "keys", "sessions", "factors", "sign_in", "accounts", "password_change", "members", "invitations", "policies",
    "grants", "elevations", "reviews", "break_glass", "device_sign_in",
)  # fmt: skip


def _provide(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _principal(request: Request[Any, Principal, Any]) -> Principal:
    return request.auth


def _background(services: Services, telemetry: Telemetry) -> Any:
    @asynccontextmanager
    async def run(_app: Litestar) -> AsyncIterator[None]:
        """Listens, while the app serves, for keys that were destroyed and for people whose rights changed."""
        listeners = [
            asyncio.create_task(work) for work in (services.keyring.listen(), services.access.authenticator.listen())
        ]
        try:
            yield
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.to_thread(telemetry.close)

    return run
