import asyncio
import os
import threading
from collections.abc import Iterator

import argon2
import pytest

from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import Unavailable
from bailee.foundation.secrets import Secret

FLOOR = 19 * 1024
RIGHT, WRONG = Secret(b"correct horse"), Secret(b"battery staple")


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher(1, memory_cost=FLOOR)
    yield made
    made.close()


async def test_hash_is_argon2id_with_the_parameters_it_names(hasher: PasswordHasher) -> None:
    assert hasher.parameters == "$argon2id$v=19$m=19456,t=2,p=1$"
    assert (await hasher.hash(RIGHT)).startswith(hasher.parameters)


async def test_parameters_in_force_are_above_the_floor() -> None:
    hasher = PasswordHasher()
    stored = await hasher.hash(RIGHT)
    assert stored.startswith(hasher.parameters)
    parameters = argon2.extract_parameters(stored)
    assert (parameters.memory_cost, parameters.time_cost) == (PasswordHasher.MEMORY_KIB, PasswordHasher.PASSES)
    assert PasswordHasher.MEMORY_KIB > FLOOR
    hasher.close()


@pytest.mark.parametrize("memory, passes", [(FLOOR - 1, 2), (64 * 1024, 1)])
def test_nothing_below_the_floor_can_be_asked_for(memory: int, passes: int) -> None:
    with pytest.raises(ValueError, match="at least 19456 KiB"):
        PasswordHasher(memory_cost=memory, time_cost=passes)


async def test_only_the_right_password_verifies(hasher: PasswordHasher) -> None:
    stored = await hasher.hash(RIGHT)
    assert await hasher.verify(stored, RIGHT)
    assert not await hasher.verify(stored, WRONG)
    assert not await hasher.verify("5f4dcc3b5aa765d61d8327deb882cf99", RIGHT)


async def test_unknown_account_costs_a_hash_and_never_verifies(hasher: PasswordHasher) -> None:
    assert not await hasher.verify(None, RIGHT)
    assert not await hasher.verify(None, Secret(b"nobody has this password"))
    assert hasher._nobody.startswith(hasher.parameters)


async def test_hash_of_other_parameters_verifies_and_is_outdated(hasher: PasswordHasher) -> None:
    newer = PasswordHasher(1, memory_cost=FLOOR + 1024)
    stored = await hasher.hash(RIGHT)
    assert await newer.verify(stored, RIGHT)
    assert newer.is_outdated(stored)
    assert not hasher.is_outdated(stored)
    assert not newer.is_outdated(await newer.hash(RIGHT))
    newer.close()


async def test_flood_is_answered_with_unavailable_and_passes(hasher: PasswordHasher) -> None:
    gate = threading.Event()
    held = [asyncio.create_task(hasher.run(gate.wait)) for _ in range(1 + 64)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await hasher.verify(None, RIGHT)
    assert refused.value.retry_after
    gate.set()
    assert all(await asyncio.gather(*held))
    assert await hasher.run(lambda: True)


async def test_callers_who_go_away_do_not_make_room_for_more_work(hasher: PasswordHasher) -> None:
    gate, began = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        gate.wait()

    gone = asyncio.create_task(hasher.run(hold))
    await asyncio.to_thread(began.wait, 10)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    waiting = [asyncio.create_task(hasher.run(gate.wait)) for _ in range(64)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await hasher.run(gate.wait)
    waiting[0].cancel()  # it had not begun: its place is free at once
    await asyncio.sleep(0.01)
    waiting.append(asyncio.create_task(hasher.run(gate.wait)))
    await asyncio.sleep(0)
    gate.set()
    assert all(await asyncio.gather(*waiting[1:]))


async def test_failed_work_gives_its_place_back(hasher: PasswordHasher) -> None:
    for _ in range(70):
        with pytest.raises(ZeroDivisionError):
            await hasher.run(lambda: 1 // 0)


async def test_hashing_yields_the_processor_and_the_rest_of_the_process_does_not(hasher: PasswordHasher) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert await hasher.run(niceness) == max(10, before)
    assert niceness() == before
