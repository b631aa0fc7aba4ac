"""Processes are killed at the worst moment: what was acknowledged is there, once, and the next start recovers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from bailee.access.permissions import SCOPES
from bailee.client import ApiError, ConnectionFailed
from tests.functional.conftest import FreshInstance
from tests.functional.instance import Instance, eventually, is_running
from tests.functional.test_api import PEOPLE

_LINES = 6000


@pytest.fixture(scope="module")
def instance(fresh_instance: FreshInstance) -> Instance:
    made = fresh_instance()
    made.set_up().close()
    made.credentials["tenants"] = [made.new_tenant("Crash", sorted(SCOPES))]
    with made.client() as client:
        client.collections.put("people", PEOPLE)
    return made


@pytest.mark.parametrize("victim", ["serve", "worker", "postgres", "supervisor"])
def test_interrupted_import_is_completed_by_repeating_it(instance: Instance, tmp_path: Path, victim: str) -> None:
    file = tmp_path / "people.ndjson"
    file.write_text("".join(json.dumps({"data": {"name": f"{victim}-{n}"}}) + "\n" for n in range(_LINES)))
    key = {"BAILEE_TOKEN": instance.tenants[0]["api_key"]}
    with subprocess.Popen(
        [sys.executable, "-m", "bailee.cli", "import", "people", str(file), "--json"],
        env={**instance.environment, **key}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as importing:  # fmt: skip
        _wait_for_some(instance, victim)
        acknowledged = _count(instance, victim)
        _kill(instance, victim)
        if victim == "supervisor":
            importing.kill()
        importing.wait(60)
    if victim == "supervisor":
        instance.restart()
    eventually(lambda: _is_healthy(instance), seconds=30, what="it serves again")
    assert _count(instance, victim) >= acknowledged > 0
    again = instance.cli("import", "people", str(file), "--json", env=key)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["stored"] == _LINES
    with instance.client() as client:
        names = Counter(one.data["name"] for one in client.records.search("people", page_size=1000))
    mine = {name: count for name, count in names.items() if name.startswith(f"{victim}-")}
    assert len(mine) == _LINES
    assert set(mine.values()) == {1}
    assert instance.cli("ledger", "fsck").returncode == 0


def test_killed_supervisor_leaves_no_orphan(instance: Instance) -> None:
    below = instance.descendants()
    instance.kill()
    eventually(lambda: not any(map(is_running, below)), seconds=20, what="all have ended")
    instance.restart()
    assert _is_healthy(instance)


def test_database_killed_under_load_gives_503_and_comes_back(instance: Instance) -> None:
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def load() -> None:
        with instance.open(instance.tenants[0]["api_key"], retries=0) as client:
            while not stop.is_set():
                try:
                    client.records.create("people", {"name": "load"})
                    statuses[201] += 1
                except ApiError as error:
                    statuses[error.status if error.problem.retry_after is not None else -1] += 1
                except ConnectionFailed:
                    statuses[0] += 1

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    os.kill(instance.postmaster(), signal.SIGKILL)
    time.sleep(2)
    eventually(lambda: _is_healthy(instance), seconds=30, what="it serves again")
    before = statuses[201]
    eventually(lambda: statuses[201] > before + 3, seconds=30, what="writes go through again")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert set(statuses) <= {201, 503}, statuses


def _wait_for_some(instance: Instance, prefix: str) -> None:
    before = _total(instance)
    eventually(lambda: _total(instance) > before, seconds=60, what=f"{prefix}: the first lines are stored")


def _total(instance: Instance) -> int:
    found: int = instance.sql("SELECT count(*) FROM records WHERE collection = 'people'")[0][0]
    return found


def _count(instance: Instance, prefix: str) -> int:
    with instance.client() as client:
        return sum(one.data["name"].startswith(f"{prefix}-") for one in client.records.search("people", page_size=1000))


def _kill(instance: Instance, victim: str) -> None:
    if victim == "supervisor":
        below = instance.descendants()
        instance.kill()
        eventually(lambda: not any(map(is_running, below)), seconds=30, what="all have ended")
    else:
        os.kill(instance.postmaster() if victim == "postgres" else instance.child(victim), signal.SIGKILL)


def _is_healthy(instance: Instance) -> bool:
    try:
        with instance.open(retries=0) as client:
            return bool(client.health()["status"] == "ok")
    except (ApiError, ConnectionFailed):
        return False
