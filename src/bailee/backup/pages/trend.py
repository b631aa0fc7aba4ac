"""A line over the drills, drawn as SVG on the server: no script, and the table beside it says the same."""

from collections.abc import Sequence

import msgspec

from bailee.backup.model import Drill

_MOST = 30
_LEAST = 2
WIDTH, HEIGHT = 600, 140
_LEFT, _TOP, _BOTTOM = 10, 20, 120


class Dot(msgspec.Struct, frozen=True):
    """One drill in the picture, in its units."""

    x: float
    y: float
    failed: bool


class Trend(msgspec.Struct, frozen=True):
    """One measured time over the drills, the oldest on the left; `top` is the value of the upper line, in seconds."""

    name: str
    title: str
    dots: list[Dot]
    top: float
    limit: float | None

    @property
    def line(self) -> str:
        """The points of a polyline."""
        return " ".join(f"{one.x:g},{one.y:g}" for one in self.dots)


def trends_of(drills: Sequence[Drill], rpo_limit: float) -> list[Trend]:
    """The trends of RTO and RPO over the newest drills, given newest first; none of what was measured but once."""
    ended = [one for one in drills if one.state != "running"][:_MOST][::-1]
    found = [
        _trend("rto", "Until it served again (RTO)", [(one, one.rto_seconds) for one in ended], None),
        _trend("rpo", "What would have been lost (RPO)", [(one, one.rpo_seconds) for one in ended], rpo_limit),
    ]
    return [one for one in found if one is not None]


def _trend(name: str, title: str, measured: list[tuple[Drill, float | None]], limit: float | None) -> Trend | None:
    known = [(drill, seconds) for drill, seconds in measured if seconds is not None]
    if len(known) < _LEAST:
        return None
    top = max([seconds for _, seconds in known] + [limit or 0.0]) or 1.0
    step = (WIDTH - 2 * _LEFT) / (len(known) - 1)
    dots = [
        Dot(round(_LEFT + step * place, 1), height_of(seconds, top), drill.state == "failed")
        for place, (drill, seconds) in enumerate(known)
    ]
    return Trend(name, title, dots, top, None if limit is None else height_of(limit, top))


def height_of(seconds: float, top: float) -> float:
    """Where a value stands: none on the lower line, `top` on the upper."""
    return round(_BOTTOM - (_BOTTOM - _TOP) * seconds / top, 1)
