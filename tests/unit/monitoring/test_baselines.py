"""What is usual of a caller, and what is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bailee.monitoring.baselines import BUCKET, Familiar, Volumes
from bailee.monitoring.fields import network_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _signed_in(network: str = "192.0.2.0/24", country: str | None = "DE") -> dict[str, Any]:
    return {
        "action": "session.begun", "actor.kind": "member", "actor.id": "ann", "network": network, "country": country,
    }  # fmt: skip


def _familiar(days: int = 8) -> Familiar:
    """Somebody who has signed in every morning."""
    familiar = Familiar([])
    for day in range(days):
        assert familiar.look(_signed_in(), START + timedelta(days=day)) == ({"learning": True} if day < 7 else {})
    return familiar


def test_nothing_is_new_while_one_learns() -> None:
    familiar = Familiar([])
    familiar.look(_signed_in(), START)
    assert familiar.look(_signed_in("198.51.100.0/24", "FR"), START + timedelta(days=6)) == {"learning": True}


@pytest.mark.parametrize(
    "network, country, hour, news",
    [
        ("192.0.2.0/24", "DE", 9, {}),
        ("192.0.2.0/24", "DE", 10, {}),
        ("198.51.100.0/24", "DE", 9, {"new.network": True}),
        ("198.51.100.0/24", "FR", 9, {"new.network": True, "new.country": True}),
        ("192.0.2.0/24", "DE", 3, {"rare.hour": True}),
        ("192.0.2.0/24", None, 9, {}),
    ],
)
def test_what_is_new_is_said_once(network: str, country: str | None, hour: int, news: dict[str, bool]) -> None:
    familiar = _familiar()
    moment = (START + timedelta(days=9)).replace(hour=hour)
    assert familiar.look(_signed_in(network, country), moment) == news
    assert familiar.look(_signed_in(network, country), moment + timedelta(minutes=1)) == {}


def test_another_kind_of_device_is_new_once() -> None:
    familiar = Familiar([])
    for day in range(8):
        familiar.look(_signed_in() | {"details.device": "firefox_on_linux"}, START + timedelta(days=day))
    other = _signed_in() | {"details.device": "curl"}
    assert familiar.look(other, START + timedelta(days=9)) == {"new.device": True}
    assert familiar.look(other, START + timedelta(days=10)) == {}


def test_what_was_learnt_is_kept() -> None:
    kept = _familiar().take_changes()
    familiar = Familiar(kept)
    moment = START + timedelta(days=9)
    assert familiar.look(_signed_in(), moment) == {}
    assert familiar.look(_signed_in("198.51.100.0/24"), moment) == {"new.network": True}
    assert {one.what for one in familiar.take_changes()} >= {"198.51.100.0/24"}
    assert familiar.take_changes() == []


def test_somebody_who_slept_for_months_is_noticed() -> None:
    assert _familiar().look(_signed_in(), START + timedelta(days=7 + 75))["dormant.days"] == 75


@pytest.mark.parametrize("fields", [{"actor.kind": "system", "actor.id": "x"}, {"actor.kind": "anonymous"}, {}])
def test_of_nobody_nothing_is_learnt(fields: dict[str, Any]) -> None:
    familiar = Familiar([])
    assert familiar.look({"network": "192.0.2.0/24", **fields}, START) == {}
    assert familiar.take_changes() == []


def _read(count: int, action: str = "records.read") -> dict[str, Any]:
    return {"action": action, "actor.id": "key", "details.count": count}


def _volumes(usual: int, days: int = 2) -> tuple[Volumes, float]:
    """Somebody who reads `usual` records in every ten minutes."""
    volumes, now = Volumes([]), START.timestamp()
    for _ in range(days * 86_400 // BUCKET):
        assert volumes.look(_read(usual), now) == {}
        now += BUCKET
    return volumes, now


def test_far_more_than_usual_is_told_once_in_numbers() -> None:
    volumes, now = _volumes(50)
    assert volumes.look(_read(200), now) == {}
    told = volumes.look(_read(300), now + 1)
    assert told == {"unusual": "reads", "why": "500 reads in 10 min; usual 0–63"}
    assert volumes.look(_read(300), now + 2) == {}, "once in ten minutes"
    assert volumes.look(_read(500), now + BUCKET)["unusual"] == "reads"


def test_little_is_never_unusual() -> None:
    volumes, now = _volumes(0)
    assert volumes.look(_read(90), now) == {}


def test_before_a_day_was_seen_nothing_is_unusual() -> None:
    volumes = Volumes([])
    now = START.timestamp()
    volumes.look(_read(1), now)
    assert volumes.look(_read(1_000_000), now + 3600) == {}


def test_quiet_minutes_count_too() -> None:
    volumes, now = Volumes([]), START.timestamp()
    volumes.look(_read(1), now)
    assert volumes.look(_read(101), now + 2 * 86_400)["unusual"] == "reads"


def test_what_is_usual_by_day_is_unusual_at_an_hour_that_is_always_quiet() -> None:
    """Busy at noon, every day for five weeks, and at three in the night for the first time."""
    volumes = Volumes([])
    start = datetime(2026, 1, 5, tzinfo=UTC)
    for day in range(35):
        for hour, count in ((3, 1), (12, 900)):
            for ten in range(6):
                moment = start + timedelta(days=day, hours=hour, minutes=ten * 10)
                assert volumes.look(_read(count), moment.timestamp()) == {}
    noon = (start + timedelta(days=35, hours=12)).timestamp()
    assert volumes.look(_read(900), noon) == {}
    night = (start + timedelta(days=36, hours=3)).timestamp()
    told = volumes.look(_read(900), night)
    assert told == {"unusual": "reads", "why": "900 reads in 10 min; usual at this hour of the week 0–1"}


def test_many_callers_who_do_little_each_are_unusual_together() -> None:
    volumes = Volumes([])
    now = START.timestamp()
    for number in range(150):
        volumes.look(_read(1) | {"tenant": "t1"}, now + number * BUCKET)
    now += 150 * BUCKET
    told = [
        volumes.look(_read(60) | {"tenant": "t1", "actor.id": f"key-{number}"}, now + number) for number in range(3)
    ]
    assert told[0] == {}
    assert told[1] == {"unusual": "reads", "why": "120 reads in 10 min by all of the tenant together; usual 0–1"}
    assert told[2] == {}


def test_volumes_are_kept() -> None:
    volumes, now = _volumes(50)
    volumes.look(_read(1), now)
    kept = Volumes(volumes.take_changes())
    assert kept.look(_read(500), now + 1)["unusual"] == "reads"


@pytest.mark.parametrize(
    "address, network",
    [
        ("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("unix", None), ("", None),
    ],
)  # fmt: skip
def test_an_address_belongs_to_a_network(address: str, network: str | None) -> None:
    assert network_of(address) == network
