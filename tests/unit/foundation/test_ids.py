from datetime import UTC, datetime, timedelta

from bailee.foundation.clock import Clock
from bailee.foundation.ids import new_id


def test_ids_are_version_7_and_strictly_increasing() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}


def test_id_carries_its_time() -> None:
    stamp = datetime.fromtimestamp((new_id().int >> 80) / 1000, UTC)
    assert abs(datetime.now(UTC) - stamp) < timedelta(seconds=5)


class Wayward(Clock):
    """A machine whose clock is set."""

    wall = datetime(2026, 1, 1, tzinfo=UTC)

    def _wall(self) -> datetime:
        return self.wall


def test_clock_does_not_step_back_and_says_by_how_much_it_is_held() -> None:
    clock = Wayward()
    first = clock.now()
    clock.wall -= timedelta(hours=1)
    assert clock.now() == first
    assert clock.lag() == timedelta(hours=1)
    clock.wall += timedelta(hours=2)
    assert clock.now() == first + timedelta(hours=1)
    assert clock.lag() == timedelta(0)
