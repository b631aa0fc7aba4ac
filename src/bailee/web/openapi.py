"""What the OpenAPI document says that the signatures cannot: parameters with patterns, and streamed bodies."""

from typing import override

from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin


class BaileeOpenAPI(InitPlugin):
    """Completes the generated document."""

    @override
    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        return app_config
