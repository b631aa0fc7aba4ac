"""The command line against the running product; and what erasure leaves on disk."""

import json
import secrets
from pathlib import Path

from bailee.client import NotFound
from tests.functional.instance import Demo
from tests.functional.test_api import PEOPLE


def test_toms_lists_every_measure(demo: Demo) -> None:
    answer = demo.cli("toms", "--json")
    assert answer.returncode == 0
    assert len(json.loads(answer.stdout)["measures"]) == 35


def test_doctor_finds_nothing_wrong(demo: Demo) -> None:
    answer = demo.cli("doctor", "--json")
    assert [one for one in json.loads(answer.stdout)["findings"] if not one["ok"]] == []
    assert answer.returncode == 0


def test_staff_makes_a_tenant_and_its_key_and_ends_both(demo: Demo) -> None:
    staff = {"BAILEE_TOKEN": demo.staff_token}
    tenant = json.loads(demo.cli("tenant", "create", "Made by CLI", "--json", env=staff).stdout)["items"][0]
    issued = json.loads(
        demo.cli(
            "key", "issue", "k", "keys:read", "collections:read", "--tenant", tenant["id"], "--json", env=staff
        ).stdout
    )
    own = {"BAILEE_TOKEN": issued["token"]}
    assert demo.cli("key", "list", env=own).returncode == 0
    assert demo.cli("tenant", "list", env=own).returncode == 1
    assert demo.cli("key", "revoke", issued["id"], "--tenant", tenant["id"], env=staff).returncode == 0
    refused = demo.cli("key", "list", env=own)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert demo.cli("tenant", "suspend", tenant["id"], env=staff).returncode == 0


def test_without_a_token_the_command_says_what_to_do(demo: Demo) -> None:
    answer = demo.cli("events")
    assert answer.returncode == 1
    assert "BAILEE_TOKEN" in answer.stderr


def test_export_gives_back_what_import_took(demo: Demo, tmp_path: Path) -> None:
    token = {"BAILEE_TOKEN": demo.tenants[1]["api_key"]}
    lines = [{"subject": f"s{n}", "data": {"name": f"Nämе {n}", "age": n}} for n in range(50)]
    (tmp_path / "in").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "map").write_text(json.dumps(PEOPLE))
    taken = demo.cli("import", "people", str(tmp_path / "in"), "--map", str(tmp_path / "map"), "--json", env=token)
    assert (taken.returncode, json.loads(taken.stdout)["stored"]) == (0, 50)
    assert demo.cli("export", "people", "--out", str(tmp_path / "out"), env=token).returncode == 0
    given = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [{"subject": one["subject"], "data": one["data"]} for one in given] == lines


def test_erased_person_is_readable_nowhere_on_disk(demo: Demo) -> None:
    marks = [f"{kind}-{secrets.token_hex(12)}" for kind in ("subject", "name", "content", "file")]
    subject, name, content, file = marks
    with demo.client() as client:
        client.collections.put("erasable", PEOPLE)
        client.records.create("erasable", {"name": name, "email": f"{name}@example.org"}, subject=subject)
        client.files.put(file, content.encode() * 100, subject=subject)
        assert client.subjects.get(subject).records
        client.subjects.erase(subject)
        try:
            client.subjects.get(subject)
        except NotFound:
            pass
        else:
            raise AssertionError("the person is still there")
    needles = [
        form for mark in marks for form in (mark.encode(), mark.encode().hex().encode(), mark.encode("utf-16-le"))
    ]
    searched = 0
    for path in demo.data.rglob("*"):
        if path.is_file() and not path.is_symlink():
            held = path.read_bytes()
            searched += 1
            assert [needle for needle in needles if needle in held] == [], path
    assert searched > 100
