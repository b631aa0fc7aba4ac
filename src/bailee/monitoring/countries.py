"""Which country an address is in, from a database on this machine: nobody is asked."""

from pathlib import Path
from typing import Any

import maxminddb

from bailee.foundation.errors import ConfigurationError


class Countries:
    """A MaxMind DB file with countries, or nothing where none is set: then no country is known."""

    def __init__(self, file: str) -> None:
        """Raises ConfigurationError for a file that cannot be read."""
        self._reader: maxminddb.Reader | None = None
        if file:
            try:
                self._reader = maxminddb.open_database(Path(file))
            except (OSError, maxminddb.InvalidDatabaseError):
                raise ConfigurationError(f"{file} is named in monitoring.country_file and is no MaxMind DB.") from None

    @property
    def known(self) -> bool:
        """Whether there is a database at all."""
        return self._reader is not None

    def find(self, address: str) -> str | None:
        """The country's ISO code, or None."""
        if self._reader is None:
            return None
        try:
            found: Any = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None
        if not isinstance(found, dict):
            return None
        country = found.get("country")
        code = country.get("iso_code") if isinstance(country, dict) else found.get("country_code", country)
        return code.upper() if isinstance(code, str) and len(code) == 2 else None  # noqa: PLR2004  ISO 3166-1 alpha-2

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
