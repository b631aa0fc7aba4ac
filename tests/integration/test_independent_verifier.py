"""Go's sumdb packages, which share no line with ours, verify the log (Debian: golang, golang-golang-x-mod-dev)."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bailee.foundation.objects import Objects
from bailee.foundation.secrets import Secret
from bailee.ledger.note import Checkpoint, Signer
from bailee.ledger.tiles import Frontier, TileTree
from bailee.ledger.tree import consistency_proof, inclusion_proof, leaf_hash

SOURCE = Path(__file__).parent / "go_verifier"
GOPATH = Path("/usr/share/gocode")
SIGNER = Signer("bailee.example/log", Secret(bytes(range(64))))


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled verifier. Its absence is a failure: a log that only we can verify is not verified."""
    go = shutil.which("go")
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.fail("Install Debian's golang and golang-golang-x-mod-dev: this test needs an independent verifier.")
    directory = tmp_path_factory.mktemp("go")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(directory), "GOCACHE": str(directory / "cache"),
        "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0",
    }  # fmt: skip
    binary = directory / "verify"
    built = subprocess.run(
        [go, "build", "-o", binary, "."], cwd=SOURCE, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return binary


def entry(number: int) -> bytes:
    return b"\x01" + number.to_bytes(32)


async def publish(directory: Path, size: int) -> None:
    """Writes a log of `size` leaves as the sequencer does, in two growths, with proofs for the verifier to check."""
    objects = Objects(directory)
    frontier = Frontier()
    roots: dict[int, bytes] = {}
    wanted = {1, size // 3, size // 2, size - 1, size} - {0}
    for stop in sorted(wanted):
        for number in range(frontier.size, stop):
            for tile in frontier.append(entry(number), leaf_hash(entry(number))):
                await objects.put(tile.path, tile.content)
        for tile in frontier.partial():
            await objects.put(tile.path, tile.content)
        roots[stop] = frontier.root()
    await objects.put("checkpoint", SIGNER.sign(Checkpoint(SIGNER.origin, size, frontier.root()), 1).encode())
    await objects.put("vkey", SIGNER.vkeys[0].encode())

    tree = TileTree(size, objects.get)
    inclusion = [
        {"Index": i, "Entry": text(entry(i)), "Path": [text(s) for s in await inclusion_proof(tree.complete, i, size)]}
        for i in sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))
    ]
    consistency = [
        {"Size": old, "Root": text(root), "Path": [text(s) for s in await consistency_proof(tree.complete, old, size)]}
        for old, root in roots.items()
    ]
    await objects.put("proofs.json", json.dumps({"Inclusion": inclusion, "Consistency": consistency}).encode())


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def run(verifier: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([verifier, directory], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 65_536, 70_000])
async def test_go_verifies_the_log(verifier: Path, tmp_path: Path, size: int) -> None:
    await publish(tmp_path, size)
    answer = run(verifier, tmp_path)
    assert answer.returncode == 0, answer.stderr
    origin, verified, inclusion, consistency = answer.stdout.split()
    assert (origin, int(verified)) == (SIGNER.origin, size)
    assert int(inclusion) >= min(size, 4)
    assert int(consistency) >= min(size, 2)


@pytest.mark.parametrize(
    "name, complaint",
    [("checkpoint", "note"), ("tile/0/001", "tiles"), ("tile/1/000.p/2", "tiles"), ("tile/0/002.p/188", "tiles")],
)
async def test_go_notices_one_altered_byte(verifier: Path, tmp_path: Path, name: str, complaint: str) -> None:
    await publish(tmp_path, 700)
    altered = bytearray((tmp_path / name).read_bytes())
    altered[len(SIGNER.origin) + 2] ^= 1
    (tmp_path / name).write_bytes(altered)
    answer = run(verifier, tmp_path)
    assert answer.returncode != 0
    assert answer.stderr.startswith(complaint)
