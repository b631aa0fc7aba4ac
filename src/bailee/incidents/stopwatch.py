"""Time that has passed, whatever clocks and zones were set to meanwhile.

While a machine runs, its boot clock says how long: it knows no setting, no zone and no daylight saving. Across a
restart, or on another machine, the wall clock has to do, and never counts backwards. What a wall clock set far ahead
says is believed too, but not kept: a deadline is rather called early than missed.
"""

import time
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Machine(msgspec.Struct, frozen=True):
    """Which start of which machine this is, and for how many seconds it has run, sleep included."""

    boot: str
    booted_for: float


class Mark(msgspec.Struct, frozen=True):
    """A reading of the stopwatch."""

    counted: timedelta
    ticked_at: datetime
    boot: str
    booted_for: float


def this_machine() -> Machine:
    """Linux's boot clock; where there is none, a boot that is never the same as another."""
    try:
        return Machine(_BOOT_ID.read_text(encoding="ascii").strip(), time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Machine("", 0.0)


def advance(mark: Mark, now: datetime, machine: Machine) -> Mark:
    """The reading now, from an earlier one."""
    passed = max(timedelta(0), now - mark.ticked_at)
    if machine.boot and machine.boot == mark.boot and machine.booted_for >= mark.booted_for:
        passed = timedelta(seconds=machine.booted_for - mark.booted_for)
    return Mark(mark.counted + passed, now, machine.boot, machine.booted_for)


def elapsed(mark: Mark, began_at: datetime) -> timedelta:
    """How long ago something was: the longer of what was counted and what the wall clock says."""
    return max(mark.counted, mark.ticked_at - began_at)
