"""A running Bailee, driven from outside: started, signed in to, stopped, killed."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, LiteralString

import httpx2
import psycopg
import pyotp

from bailee.client import Client, PendingSignIn

_STOP_SECONDS = 20
_READY_SECONDS = 45
_STEP = 30
_FRESH_SECONDS = 240
"""A second factor counts for five minutes: one that is older than this is shown again before it runs out in a test."""
PASSWORD = "seventeen quiet herons at dawn"
_SETUP = re.compile(r"https://\S+/setup#\S+")
CLIENT_VARIABLES = ("BAILEE_URL", "BAILEE_TOKEN", "BAILEE_CA", "BAILEE_CONFIG")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def eventually[T](probe: Callable[[], T], *, seconds: float, what: str) -> T:
    """The first true answer of `probe`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return answer


def ask(http: httpx2.Client, **request: Any) -> httpx2.Response:
    """The answer. Who is refused before its body was read has its connection closed, and the request that comes next on
    it may meet that: it was not looked at, and is sent again.
    """
    try:
        return http.request(**request)
    except httpx2.RemoteProtocolError:
        return http.request(**request)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Authenticator:
    """An authenticator app: codes that were not used yet."""

    def __init__(self, secret: str, last_step: int = 0) -> None:
        self.secret = secret
        self._last = last_step

    def next_code(self) -> str:
        """Each works once, so this may have to wait for the next: three at once, then one in half a minute."""
        now = time.time()
        earliest = int(now) // _STEP - (now % _STEP < _STEP - 5)  # the one before is good, unless its time is nearly up
        step = max(self._last + 1, earliest)
        while step > int(time.time()) // _STEP + 1:
            time.sleep(0.2)
        self._last = step
        return pyotp.TOTP(self.secret).at(step * _STEP)


class Person:
    """Somebody who can sign in to an instance, with what they know and have."""

    def __init__(
        self, instance: "Instance", email: str, password: str = PASSWORD, totp_secret: str = "", last_step: int = 0
    ) -> None:
        self.instance = instance
        self.email = email
        self.password = password
        self.app = Authenticator(totp_secret, last_step) if totp_secret else None
        self.recovery_codes: list[str] = []
        self._token = ""
        self._shown = 0.0

    @property
    def token(self) -> str:
        """The token of a session whose second factor, if the person has one, is fresh enough for a step-up."""
        if not self._token or (self.app is not None and time.monotonic() - self._shown > _FRESH_SECONDS):
            self.keep(self.sign_in())
        return self._token

    @property
    def id(self) -> str:
        with self.client() as client:
            return client.account.get().id

    def keep(self, token: str | None) -> None:
        """Goes on with a token that was given for a factor shown just now."""
        assert token
        self._token, self._shown = token, time.monotonic()

    def next_code(self) -> str:
        assert self.app is not None, "this person has no authenticator app"
        return self.app.next_code()

    def sign_in(self, code: str | None = None) -> str:
        """A session beside the others, with a recovery code or else one of the app; answers its token."""
        with self.instance.open() as client:
            code = code or (self.next_code() if self.app else None)
            answer = client.session.sign_in(self.email, self.password, code)
        assert not isinstance(answer, PendingSignIn)
        assert answer.token
        return answer.token

    def sign_in_anew(self) -> None:
        """After what has ended every session: another role, for one."""
        self.keep(self.sign_in())

    def client(self) -> Client:
        return self.instance.open(self.token)

    def enrol(self) -> None:
        """Sets an authenticator app up."""
        with self.instance.open(self._token) as client:
            self.app = Authenticator(client.account.factors.begin_totp().secret)
            done = client.account.factors.confirm_totp(self.next_code())
        self.recovery_codes = list(done.recovery_codes) or self.recovery_codes
        self.keep(done.token)


class StaffPerson(Person):
    """One of the operator's staff."""


class MemberPerson(Person):
    """A member of a tenant."""


class Instance:
    """`bailee up` or `bailee demo` on a directory and a port of its own."""

    def __init__(self, command: str = "up", settings: Mapping[str, str] | None = None) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="bft-", dir="/tmp"))
        self.output = Path(tempfile.mkdtemp(prefix="bft-out-", dir="/tmp"))
        self.port = free_port()
        self.base_url = f"https://localhost:{self.port}"
        self.ca_file = self.data / "tls" / "ca.pem"
        self.settings = dict(settings or {})
        self._command = command
        self._owner: StaffPerson | None = None
        self._tenant_owners: dict[str, MemberPerson] = {}
        self._people = 0
        self._filled_at = 0
        self.credentials: dict[str, Any] = {}
        self.process = self._launch()

    # --- processes --------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BAILEE_")}
        home = {"HOME": str(self.output), "XDG_CONFIG_HOME": str(self.output)}
        return {**kept, **home, "BAILEE_DATA": str(self.data), "BAILEE_PORT": str(self.port), **self.settings}

    def _launch(self) -> subprocess.Popen[bytes]:
        with (self.output / "stdout").open("ab") as out, (self.output / "stderr").open("ab") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "bailee.cli", self._command],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Waits until it says that it serves."""

        def said() -> bool:
            assert self.process.poll() is None, f"it ended: {self.said()[-2000:]}"
            return "is ready at" in (self.output / "stdout").read_text()

        eventually(said, seconds=_READY_SECONDS, what="the instance serves")

    def said(self) -> str:
        """Everything that it printed."""
        return "".join((self.output / name).read_text() for name in ("stdout", "stderr"))

    def logs(self) -> str:
        """What it printed and logged, PostgreSQL's logs too."""
        places = [self.data / "logs", self.data / "main" / "log", self.data / "keyring" / "log"]
        files = [file for place in places if place.is_dir() for file in place.iterdir()]
        return self.said() + "".join(file.read_text("utf-8", "replace") for file in files)

    def stop(self) -> int:
        """SIGTERM to the supervisor alone; answers its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the supervisor alone; what it started has to notice."""
        self.process.kill()
        self.process.wait(_STOP_SECONDS)

    def restart(self) -> None:
        """Starts it again after `stop` or `kill`, and waits."""
        assert self.process.poll() is not None, "stop it first"
        (self.output / "stdout").write_bytes(b"")
        self.process = self._launch()
        self.wait_until_ready()

    def descendants(self) -> list[int]:
        """The processes below the supervisor, as they are now."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    children.setdefault(parent, []).append(int(entry.name))
        found, rest = [], [self.process.pid]
        while rest:
            below = children.get(rest.pop(), [])
            found += below
            rest += below
        return found

    def child(self, command: str) -> int:
        """The process that the supervisor runs as `bailee <command>`."""
        for pid in self.descendants():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                if command.encode() in words and parent == self.process.pid:
                    return pid
        raise AssertionError(f"no child runs {command}")

    def postmaster(self, cluster: str = "main") -> int:
        return int((self.data / cluster / "postmaster.pid").read_text().splitlines()[0])

    def remove(self) -> None:
        """Ends what is left of it, by the ids that it has itself, and deletes its files."""
        if self.process.poll() is None:
            left = self.descendants()
            self.kill()
            deadline = time.monotonic() + _STOP_SECONDS
            while any(map(is_running, left)) and time.monotonic() < deadline:
                time.sleep(0.1)
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.output, ignore_errors=True)

    # --- people and programs -------------------------------------------------------------------------

    @property
    def setup_url(self) -> str:
        """The link that the first start prints."""
        found = _SETUP.search((self.output / "stdout").read_text().replace("\n", " "))
        assert found, "no setup link was printed"
        return found.group()

    def set_up(self) -> Client:
        """Makes the owner's account with the link; answers the owner's client."""
        email = "owner@bailee.example"
        with Client(self.base_url, ca_file=self.ca_file) as client:
            started = client.setup.start(
                token=self.setup_url.partition("#")[2], email=email, name="Owner", password=PASSWORD
            )
            self.staff = {"email": email, "password": PASSWORD, "totp_secret": started.totp_secret}
            session = client.setup.confirm(confirmation=started.confirmation, code=self.next_code())
        self.owner.recovery_codes = list(session.recovery_codes)
        self.owner.keep(session.token)
        return self.staff_client()

    @property
    def staff(self) -> dict[str, str]:
        found: dict[str, str] = self.credentials["staff"]
        return found

    @staff.setter
    def staff(self, value: dict[str, str]) -> None:
        self.credentials["staff"] = value
        self._owner = None

    @property
    def owner(self) -> StaffPerson:
        """The operator's first person."""
        if self._owner is None:
            self._owner = StaffPerson(self, **self.staff, last_step=self._filled_at)
        return self._owner

    @property
    def tenants(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.credentials["tenants"]
        return found

    def next_code(self) -> str:
        """A code of the owner's that was not used yet."""
        return self.owner.next_code()

    def sign_in(self) -> str:
        """A new session of the owner's, beside the shared one; answers its token."""
        return self.owner.sign_in()

    @property
    def staff_token(self) -> str:
        """The token of an owner's session that all tests share; its second factor is fresh enough for a step-up.

        It is another one every few minutes; those before stay good for what needs no step-up.
        """
        return self.owner.token

    def invite_staff(self, roles: list[str], *, enrol: bool = True) -> StaffPerson:
        """Invites somebody to the staff as the owner, and accepts as that person."""
        email = self._new_email("bailee.example")
        with self.staff_client() as owner:
            link = owner.staff.invitations.create(email, "Staff Sample", roles).token
        return self._accept(StaffPerson(self, email), link, enrol=enrol)

    def tenant_owner(self, tenant_id: str) -> MemberPerson:
        """The tenant's first owner, invited by the operator's staff when there is none yet."""
        if tenant_id not in self._tenant_owners:
            known = [one["owner"] for one in self.credentials.get("tenants", ()) if one["id"] == tenant_id]
            if known:
                self._tenant_owners[tenant_id] = MemberPerson(self, **known[0], last_step=self._filled_at)
            else:
                email = self._new_email("tenant.example")
                with self.staff_client() as staff:
                    link = staff.tenants.invite_owner(tenant_id, email=email, name="Owner Sample").token
                self._tenant_owners[tenant_id] = self._accept(MemberPerson(self, email), link, enrol=True)
        return self._tenant_owners[tenant_id]

    def new_member(self, tenant_id: str, role: str = "owner", *, enrol: bool = True) -> MemberPerson:
        """A new member of a tenant, invited by its owner."""
        email = self._new_email("tenant.example")
        with self.tenant_owner(tenant_id).client() as owner:
            link = owner.members.invitations.create(email, "Member Sample", role).token
        return self._accept(MemberPerson(self, email), link, enrol=enrol)

    def _new_email(self, domain: str) -> str:
        self._people += 1
        return f"person-{self._people}@{domain}"

    def _accept[P: Person](self, person: P, token: str | None, *, enrol: bool) -> P:
        assert token, "the link goes by mail here, so it is in no answer"
        with self.open() as client:
            person.keep(client.invitation.accept(token, name="Sample Person", password=person.password).token)
        if enrol:
            person.enrol()
        return person

    def open(self, token: str | None = None, *, retries: int = 4) -> Client:
        return Client(self.base_url, token, ca_file=self.ca_file, retries=retries)

    def client(self, tenant_index: int = 0) -> Client:
        """As a tenant's product."""
        return self.open(self.tenants[tenant_index]["api_key"])

    def staff_client(self) -> Client:
        """As the owner, with a second factor that is fresh enough for a step-up."""
        return self.open(self.staff_token)

    def new_tenant(self, name: str, permissions: list[str], plan: str = "standard") -> dict[str, str]:
        """A tenant for one test, with a key."""
        with self.staff_client() as staff:
            tenant = staff.tenants.create(name, plan=plan)
            key = staff.tenants.keys.create(tenant.id, "test", permissions)
        return {"id": tenant.id, "name": tenant.name, "api_key": key.token or ""}

    def http(self, token: str | None = None, *, http2: bool = False) -> httpx2.Client:
        """Plain HTTP, for what the client would not send."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        return httpx2.Client(
            base_url=self.base_url,
            verify=trust,
            headers=headers,
            timeout=30,
            trust_env=False,
            http2=http2,
            http1=not http2,
        )

    def cli(
        self, *arguments: str, env: Mapping[str, str] | None = None, seconds: float = 90
    ) -> subprocess.CompletedProcess[str]:
        """`bailee …` on this instance."""
        return subprocess.run(
            [sys.executable, "-m", "bailee.cli", *arguments],
            env={**self.environment, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip

    def check(self, name: str) -> dict[str, Any]:
        """What `bailee check <name>` finds now."""
        answer = self.cli("check", name, "--json")
        assert answer.stdout, answer.stderr
        (result,) = json.loads(answer.stdout)["results"]
        found: dict[str, Any] = result
        assert answer.returncode == int(found["verdict"] != "holds")
        return found

    def sql(self, query: LiteralString, parameters: tuple[object, ...] = (), *, cluster: str = "main") -> list[Any]:
        """Runs SQL as PostgreSQL's superuser, past everything that the product would do."""
        where = {
            "host": str(self.data / cluster),
            "user": "postgres",
            "dbname": "bailee",
            "options": "-c search_path=bailee,public",
        }
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]  # psycopg's overloads
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []


class Demo(Instance):
    """`bailee demo`, filled and ready; `seconds` is how long that took."""

    def __init__(self) -> None:
        start = time.monotonic()
        super().__init__("demo")
        path = self.data / "demo-credentials.json"
        try:
            self.wait_until_filled(path)
        except BaseException:
            self.remove()
            raise
        self.seconds = time.monotonic() - start
        self.credentials = json.loads(path.read_text())
        self._filled_at = int(time.time()) // _STEP  # filling used a code of about now of each person

    def wait_until_filled(self, path: Path) -> None:
        def filled() -> bool:
            assert self.process.poll() is None, f"it ended: {self.said()[-2000:]}"
            return path.exists()

        eventually(filled, seconds=_READY_SECONDS, what="the demo is filled")
