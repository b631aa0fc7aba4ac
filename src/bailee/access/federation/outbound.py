"""Asking tenants' identity providers: over the guarded way out, for JSON objects."""

from collections.abc import Mapping

import msgspec

from bailee.access.federation.errors import NotAllowedAddress, ProviderUnusable
from bailee.access.federation.model import Json
from bailee.foundation import outbound
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.outbound import NotPublic, Unanswered, is_plain_https

_OK = 200


class Outbound:
    """Asks identity providers. Raises ConfigurationError for a trust root that cannot be read."""

    def __init__(self, ca_file: str, *, allow_private: bool) -> None:
        try:
            self._out = outbound.Outbound(ca_file, allow_private=allow_private)
        except OSError:  # ssl.SSLError too
            raise ConfigurationError(f"{ca_file} is named in access.sso_ca_file and holds no certificates.") from None

    async def get_json(self, url: str) -> Json:
        """The JSON object at `url`. Raises ProviderUnusable."""
        return await self._ask("GET", url, {}, None)

    async def post_form(self, url: str, form: bytes, headers: Mapping[str, str]) -> Json:
        """The JSON object that a form is answered with. Raises ProviderUnusable."""
        return await self._ask("POST", url, {"Content-Type": "application/x-www-form-urlencoded", **headers}, form)

    async def close(self) -> None:
        await self._out.close()

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Json:
        verify_url(url)
        try:
            answer = await self._out.ask(method, url, {"Accept": "application/json", **headers}, content)
        except NotPublic:
            raise NotAllowedAddress from None
        except Unanswered as error:
            raise ProviderUnusable(f"The identity provider does not answer. {error.detail}") from None
        if answer.status != _OK:
            raise ProviderUnusable(f"The identity provider answered {answer.status} instead of 200.")
        return _object(answer.body)


def verify_url(url: str) -> str:
    """`url` itself. Raises ProviderUnusable unless it is a plain https URL."""
    if not is_plain_https(url):
        raise ProviderUnusable(
            "An identity provider's addresses are plain https URLs, such as https://login.example.com."
        )
    return url


def _object(raw: bytes) -> Json:
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderUnusable("The identity provider answered something else than a JSON object.")
    return found
