"""The command line against the running product; and what erasure leaves on disk."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from bailee.client import NotFound, Unauthorized
from tests.functional.instance import Demo, Person
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


class Hands:
    """Somebody at the command line, with a token of their own."""

    def __init__(self, demo: Demo, person: Person) -> None:
        self._demo = demo
        self._person = person

    def do(self, *arguments: str) -> str:
        """What a command says that succeeds."""
        answer = self._demo.cli(*arguments, env={"BAILEE_TOKEN": self._person.token})
        assert answer.returncode == 0, answer.stderr
        return answer.stdout + answer.stderr

    def ask(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        answer = self._demo.cli(*arguments, "--json", env={"BAILEE_TOKEN": self._person.token})
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def refused(self, *arguments: str) -> str:
        """What it says when it is refused."""
        answer = self._demo.cli(*arguments, env={"BAILEE_TOKEN": self._person.token})
        assert (answer.returncode, answer.stdout) == (1, ""), answer.stdout
        assert "Traceback" not in answer.stderr
        return answer.stderr


@pytest.fixture(scope="module")
def owner(demo: Demo) -> Hands:
    return Hands(demo, demo.owner)


def test_staff_are_invited_granted_disabled_and_off_boarded(demo: Demo, owner: Hands) -> None:
    invited = owner.ask("staff", "invite", "cli@bailee.example", "Command Sample", "--role", "support")
    assert invited["link"].startswith(f"{demo.base_url}/invitation#")
    open_ones = {one["id"]: one["email"] for one in owner.ask("staff", "invitations")["items"]}
    assert open_ones[invited["id"]] == "cli@bailee.example"
    owner.do("staff", "uninvite", invited["id"])
    with demo.open() as client, pytest.raises(Exception, match="link_refused"):
        client.invitation.view(invited["link"].partition("#")[2])

    person = demo.invite_staff(["support"])
    owner.do("staff", "grant", person.email, "auditor")
    (found,) = owner.ask("staff", "list", "--search", person.email)["items"]
    assert set(found["roles"]) == {"support", "auditor"}
    owner.do("staff", "withdraw", person.email, "auditor")
    assert "superuser" not in owner.refused("staff", "grant", person.email, "superuser").partition("Choose one of")[2]
    assert [one["unused"] for one in owner.ask("staff", "privileges")["items"] if one["email"] == person.email]
    assert "end" in owner.do("staff", "end-sessions", found["id"])
    with demo.open(person.token) as client, pytest.raises(Unauthorized):
        client.session.get()
    assert "disabled" in owner.do("staff", "disable", person.email)
    assert "active" in owner.do("staff", "enable", person.email)
    link = owner.do("staff", "reset-factors", person.email, "--reason", "The telephone was lost on a train.")
    assert f"{demo.base_url}/enrolment#" in link
    assert "off_boarded" in owner.do("staff", "off-board", person.email, "--yes")
    assert "Nobody of the staff" in owner.refused("staff", "disable", "nobody@bailee.example")


def test_the_only_owner_of_a_tenant_who_has_lost_the_factor_is_helped(demo: Demo, owner: Hands) -> None:
    person = demo.tenant_owner(demo.new_tenant("Locked out", ["records:read"])["id"])
    (found,) = owner.ask("staff", "person", person.email)["items"]
    assert (found["kind"], found["email"]) == ("member", person.email)
    assert "10 to 500" in owner.refused("staff", "reset-factors", person.email, "--reason", "short")
    owner.do("staff", "reset-factors", person.email, "--reason", "The only owner; called back at the desk.")
    person.app = None
    person.sign_in_anew()
    assert "disabled" in owner.do("staff", "disable", person.email)
    assert "active" in owner.do("staff", "enable", person.email)
    assert "No customer" in owner.refused("staff", "person", "nobody@tenant.example")


def test_an_elevation_takes_two_people(demo: Demo, owner: Hands) -> None:
    other = Hands(demo, demo.invite_staff(["owner"]))
    reason = ("--reason", "A customer's contract has ended.")
    (asked,) = owner.ask("elevation", "request", "superuser", *reason, "--minutes", "5")["items"]
    assert "second person" in owner.refused("elevation", "approve", asked["id"])
    (approved,) = other.ask("elevation", "approve", asked["id"])["items"]
    assert (approved["state"], approved["minutes"]) == ("approved", 5)
    (ended,) = owner.ask("elevation", "end", asked["id"])["items"]
    assert ended["state"] == "ended"
    (again,) = owner.ask("elevation", "request", "superuser", *reason)["items"]
    assert "refused" in other.do("elevation", "refuse", again["id"])
    assert {one["id"] for one in owner.ask("elevation", "list")["items"]} >= {asked["id"], again["id"]}


def test_an_access_review_is_opened_decided_and_closed(demo: Demo, owner: Hands) -> None:
    stays, goes = demo.invite_staff(["auditor"]), demo.invite_staff(["auditor"])
    (opened,) = owner.ask("review", "open", "Quarterly", "--days", "7")["items"]
    everything = owner.ask("review", "items", opened["id"])["items"]
    items = {one["email"]: one for one in everything}
    assert items[demo.owner.email]["reviewer_id"] != demo.owner.id, "nobody reviews their own roles"
    others = [one["id"] for one in everything if one["email"] not in (stays.email, goes.email)]
    demo.sql("UPDATE review_items SET decision = 'confirmed' WHERE item_id = ANY(%s::uuid[])", (others,))
    mine = [items[one.email]["id"] for one in (stays, goes)]
    demo.sql("UPDATE review_items SET reviewer_id = %s WHERE item_id = ANY(%s::uuid[])", (demo.owner.id, mine))
    (confirmed,) = owner.ask("review", "confirm", opened["id"], mine[0])["items"]
    (revoked,) = owner.ask("review", "revoke", opened["id"], mine[1])["items"]
    assert (confirmed["decision"], revoked["decision"]) == ("confirmed", "revoked")
    (closed,) = owner.ask("review", "close", opened["id"])["items"]
    assert (closed["state"], closed["decided"]) == ("closed", closed["items"])
    assert owner.ask("review", "list")["items"][0]["id"] == opened["id"]
    with stays.client() as client:
        assert client.account.get().roles == ("auditor",)
    goes.sign_in_anew()
    with goes.client() as client:
        assert client.account.get().roles == ()


def test_the_emergency_account_is_sealed_here_and_over_the_api(demo: Demo, owner: Hands) -> None:
    first = owner.ask("break-glass", "seal")
    assert owner.ask("break-glass", "state") == {"exists": True, "sealed": True}
    local = demo.cli("break-glass", "seal", "--local", "--json")
    assert local.returncode == 0, local.stderr
    second = json.loads(local.stdout)
    assert len(second["codes"]) == 6
    with demo.open() as client:
        with pytest.raises(Unauthorized):
            client.session.sign_in(first["email"], first["password"], first["codes"][0])
        client.session.sign_in(second["email"], second["password"], second["codes"][0])
    assert "broken" in owner.do("break-glass", "state")
    assert second["password"] not in demo.logs()
    owner.do("break-glass", "seal")


def test_the_first_owner_is_invited_by_staff_and_later_ones_are_not(demo: Demo, owner: Hands) -> None:
    tenant = demo.new_tenant("By invitation", ["records:read"])["id"]
    link = owner.ask("tenant", "invite-owner", tenant, "o@people.example", "Own Er")["link"]
    assert link.startswith(f"{demo.base_url}/invitation#")
    assert demo.tenant_owner(tenant).email
    assert "has an owner" in owner.refused("tenant", "invite-owner", tenant, "p@people.example", "Own Er")


@pytest.fixture(scope="module")
def tenant(demo: Demo) -> str:
    return demo.new_tenant("By its people", ["records:read"], plan="enterprise")["id"]


def test_a_tenants_owner_runs_its_members_and_roles(demo: Demo, tenant: str) -> None:
    hands = Hands(demo, demo.tenant_owner(tenant))
    member = demo.new_member(tenant, "editor", enrol=False)
    invited = hands.ask("member", "invite", "new@people.example", "New Sample", "--role", "viewer")
    hands.do("member", "uninvite", invited["id"])
    known = {one["id"]: one for one in hands.ask("member", "invitations")["items"]}
    assert known[invited["id"]]["withdrawn_at"]

    rights = ("--permission", "records.read", "--permission", "tenant.read")
    assert hands.ask("role", "define", "desk", "Front desk", *rights)["built_in"] is False
    hands.do("member", "role", member.email, "desk")
    member.sign_in_anew()
    with member.client() as client:
        assert set(client.session.get().permissions) == {"records.read", "tenant.read"}
    assert hands.refused("role", "delete", "desk")
    hands.do("member", "role", member.email, "viewer")
    hands.do("role", "delete", "desk")
    assert "desk" not in {one["name"] for one in hands.ask("role", "list")["items"]}

    member.sign_in_anew()
    assert "disabled" in hands.do("member", "disable", member.email)
    with member.client() as client:
        assert "disabled" in " ".join(client.session.get().unmet)
    hands.do("member", "enable", member.email)
    hands.do("member", "remove", member.email, "--yes")
    assert member.email not in {one["email"] for one in hands.ask("member", "list")["items"]}
    assert "No member" in hands.refused("member", "disable", member.email)


def test_a_tenants_owner_sets_its_policy_and_rotates_its_keys(demo: Demo, tenant: str) -> None:
    hands = Hands(demo, demo.tenant_owner(tenant))
    member = demo.new_member(tenant, "editor", enrol=False)
    policy = hands.ask("policy", "set", "--require-mfa", "--idle-minutes", "30", "--network", "127.0.0.0/8")
    assert (policy["require_mfa"], policy["idle_minutes"], policy["networks"]) == (True, 30, ["127.0.0.0/8"])
    with member.client() as client:
        assert client.session.get().unmet
    again = hands.ask("policy", "set", "--no-require-mfa", "--any-network")
    assert (again["require_mfa"], again["networks"], again["idle_minutes"]) == (False, [], 30)
    assert "30" in hands.do("policy", "show")
    assert "--help" in hands.refused("policy", "set")

    key = hands.ask("key", "issue", "product", "records:read")
    rotated = hands.ask("key", "rotate", key["id"], "--overlap-hours", "1")
    assert rotated["replaces"] == key["id"]
    assert rotated["token"] != key["token"]


def test_what_the_plan_lacks_is_refused_and_shown_as_available(demo: Demo) -> None:
    hands = Hands(demo, demo.tenant_owner(demo.tenants[1]["id"]))
    said = hands.refused("policy", "set", "--require-mfa")
    assert "plan" in said
    assert hands.ask("policy", "show")["available_with"]["require_mfa"]
    assert "available with" in hands.do("policy", "show")


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
