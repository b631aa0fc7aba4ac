"""The ledger from outside: proofs are taken, verified offline, and refused when anything in them was changed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.conftest import FreshInstance
from tests.functional.instance import Demo, eventually

type Bundle = dict[str, Any]


@pytest.fixture(scope="module")
def bundle(demo: Demo) -> Bundle:
    with demo.client() as client:
        events = [event.id for event in client.events.page(action="record.created", limit=3).items]
        events = events or [event.id for event in client.events.page(limit=20).items[5:8]]
        return client.ledger.bundle(events)


@pytest.fixture(scope="module")
def keys(demo: Demo) -> list[str]:
    answer = demo.cli("ledger", "keys")
    assert answer.returncode == 0
    return [word for line in answer.stdout.splitlines() if line for word in ("--key", line)]


def _verify(demo: Demo, bundle: Bundle, path: Path, *arguments: str) -> tuple[int, str]:
    path.write_text(json.dumps(bundle))
    answer = demo.cli("verify", str(path), *arguments)
    assert "Traceback" not in answer.stderr
    return answer.returncode, answer.stderr


def test_bundle_verifies_with_trusted_keys(demo: Demo, bundle: Bundle, keys: list[str], tmp_path: Path) -> None:
    code, said = _verify(demo, bundle, tmp_path / "b.json", *keys)
    assert code == 0
    assert said.startswith("Verified: 3 events")
    assert demo.cli("ledger", "checkpoint").stdout.startswith(bundle["origin"])


def _flip(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


TAMPERINGS: dict[str, Callable[[Bundle], object]] = {
    "event time": lambda b: b["items"][0]["event"].update(time="2020-01-01T00:00:00Z"),
    "event action": lambda b: b["items"][0]["event"].update(action="record.deleted"),
    "event added member": lambda b: b["items"][0]["event"].update(extra=1),
    "salt": lambda b: b["items"][0].update(salt=_flip(b["items"][0]["salt"])),
    "salt no base64": lambda b: b["items"][0].update(salt="§"),
    "index": lambda b: b["items"][0].update(index=b["items"][0]["index"] + 1),
    "negative index": lambda b: b["items"][0].update(index=-1),
    "proof step": lambda b: b["items"][0]["proof"].__setitem__(0, _flip(b["items"][0]["proof"][0])),
    "proof cut": lambda b: b["items"][0]["proof"].pop(),
    "proof longer": lambda b: b["items"][0]["proof"].append(b["items"][0]["proof"][0]),
    "items swapped": lambda b: b["items"][0].update(event=b["items"][1]["event"]),
    "no items": lambda b: b.update(items=[]),
    "checkpoint size": lambda b: b.update(checkpoint=_with_line(b["checkpoint"], 1, "999999")),
    "checkpoint root": lambda b: b.update(checkpoint=_with_line(b["checkpoint"], 2, "A" * 43 + "=")),
    "checkpoint origin": lambda b: b.update(checkpoint=_with_line(b["checkpoint"], 0, "evil.example/log")),
    "no signature": lambda b: b.update(checkpoint=b["checkpoint"].partition("\n\n")[0] + "\n\n"),
    "format": lambda b: b.update(format="bailee-evidence/v2"),
}


def _with_line(note: str, number: int, text: str) -> str:
    lines = note.split("\n")
    lines[number] = text
    return "\n".join(lines)


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampered_bundle_is_refused(demo: Demo, bundle: Bundle, keys: list[str], tmp_path: Path, what: str) -> None:
    changed = copy.deepcopy(bundle)
    TAMPERINGS[what](changed)
    code, complaint = _verify(demo, changed, tmp_path / "b.json", *keys)
    assert (code, bool(complaint)) == (1, True)


def test_fsck_holds_until_one_byte_of_a_tile_is_flipped(fresh_instance: FreshInstance) -> None:
    instance = fresh_instance()
    instance.set_up().close()
    assert instance.cli("ledger", "fsck").returncode == 0

    def tiles() -> list[Path]:
        return [path for path in instance.data.rglob("tile/entries/*/*") if path.is_file()]

    tile = max(eventually(tiles, seconds=20, what="a tile is written"), key=lambda path: path.stat().st_mtime_ns)
    assert instance.stop() == 0
    instance.restart()
    newest = max(
        (path for path in instance.data.rglob("tile/0/*/*") if path.is_file()), key=lambda p: p.stat().st_mtime_ns
    )
    assert tile.exists() or newest.exists()
    content = bytearray(newest.read_bytes())
    content[0] ^= 1
    newest.chmod(0o600)
    newest.write_bytes(content)
    # The next leaves would make a new tile at the edge out of this one: the log has to notice, not to build on.
    found = instance.check("monitoring.ledger_verifies")
    assert found["verdict"] == "broken"
    answer = instance.cli("ledger", "fsck", "--json")
    assert (answer.returncode, bool(json.loads(answer.stdout)["faults"])) == (1, True)
