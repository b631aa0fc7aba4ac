"""Everybody has their turn."""

from datetime import UTC, datetime, timedelta

import pytest

from bailee.access.checks.turns import in_turn, turn_of


@pytest.mark.parametrize("people, count", [(1, 20), (20, 20), (21, 20), (100, 20), (101, 20), (1000, 7)])
def test_within_as_many_turns_as_it_takes_everybody_was_looked_at(people: int, count: int) -> None:
    everybody, seen = list(range(people)), set[int]()
    for turn in range(5, 5 + -(-people // count)):
        chosen = in_turn(everybody, count, turn)
        assert len(chosen) == len(set(chosen)) == min(people, count)
        seen |= set(chosen)
    assert seen == set(everybody)


def test_nobody_to_look_at() -> None:
    assert in_turn([], 20, 3) == []


def test_turns_follow_one_another() -> None:
    now, every = datetime(2026, 3, 4, 5, 6, tzinfo=UTC), timedelta(hours=6)
    assert turn_of(now + every, every) == turn_of(now, every) + 1
    assert turn_of(now + timedelta(minutes=1), every) == turn_of(now, every)
