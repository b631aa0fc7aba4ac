"""Starting and stopping: what an operator sees first."""

import signal
import socket
import time

from tests.functional.conftest import FreshInstance
from tests.functional.instance import Demo, Instance, eventually, is_running


def test_demo_is_ready_soon_after_a_cold_start(demo: Demo) -> None:
    assert demo.seconds < 40  # 5 s on an idle machine; here other suites start instances at the same time


def test_second_start_on_one_directory_is_refused(demo: Demo) -> None:
    answer = demo.cli("up", env={"BAILEE_PORT": str(demo.port + 1)})
    assert answer.returncode == 1
    assert "already running" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_start_on_a_taken_port_is_refused(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger_port = stranger.getsockname()[1]
        answer = demo.cli("up", env={"BAILEE_DATA": f"{demo.output}/none", "BAILEE_PORT": str(stranger_port)})
    assert answer.returncode == 1
    assert f"Port {stranger_port}" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_sigterm_stops_everything_cleanly_and_a_restart_finds_all_again(fresh_instance: FreshInstance) -> None:
    instance = fresh_instance()
    with instance.set_up() as staff:
        tenant = staff.tenants.create("Kept")
    below = instance.descendants()
    assert len(below) > 4
    start = time.monotonic()
    assert instance.stop() == 0
    assert time.monotonic() - start < 20
    assert not any(map(is_running, below))
    assert "Traceback" not in instance.logs()
    instance.restart()
    with instance.staff_client() as staff:
        assert staff.tenants.get(tenant.id).name == "Kept"
    assert instance.stop() == 0


def test_sigint_while_starting_stops_cleanly() -> None:
    instance = Instance()
    try:
        eventually(instance.descendants, seconds=20, what="it has begun to start")
        instance.process.send_signal(signal.SIGINT)
        assert instance.process.wait(40) == 0
        assert "Traceback" not in instance.logs()
        assert not instance.descendants()
    finally:
        instance.remove()
