"""Quiet hours: when only what is critical is mailed. The rest is summed up afterwards, and stands in the console."""

from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import Monitoring


class QuietHours(msgspec.Struct, frozen=True):
    """From one time of day to another, over midnight too. None when both are the same."""

    begin: time
    end: time
    zone: ZoneInfo

    def holds(self, moment: datetime) -> bool:
        """Whether it is quiet at a moment."""
        now = moment.astimezone(self.zone).time().replace(tzinfo=None)
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


def quiet_hours(settings: Monitoring) -> QuietHours:
    """Raises ConfigurationError for a time or a zone that is none."""
    if bool(settings.quiet_from) != bool(settings.quiet_to):
        raise ConfigurationError("monitoring.quiet_from and monitoring.quiet_to go together; set both or neither.")
    try:
        begin, end = (time.fromisoformat(one or "00:00") for one in (settings.quiet_from, settings.quiet_to))
        return QuietHours(begin, end, ZoneInfo(settings.quiet_zone))
    except (ValueError, ZoneInfoNotFoundError):
        raise ConfigurationError(
            "monitoring.quiet_from and quiet_to are times such as 22:00, quiet_zone a zone such as Europe/Berlin."
        ) from None
