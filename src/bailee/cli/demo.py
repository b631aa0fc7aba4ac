"""`bailee demo`: a fresh instance with two sample customers, filled through the API as their products would.

The people in it are generated from fixed lists and do not exist; their addresses end in example.com, their phone
numbers lie in the ranges kept for fiction.
"""

import json
import os
import random
import secrets
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pyotp
from rich.markup import escape

from bailee.access.permissions import SCOPES
from bailee.cli.output import out, say
from bailee.cli.processes import Ready, run_up
from bailee.client import BaileeError, Client, Invitation
from bailee.foundation.errors import ConfigurationError, Error
from bailee.foundation.settings import Settings

CREDENTIALS = "demo-credentials.json"
RECOVERY_KIT = "demo-recovery-kit.txt"
_OWNER = "owner@bailee.example"
_SECURITY = "security@bailee.example"
_SEED = 20
_PATIENTS, _SHOPPERS, _VISITS, _ORDERS = 120, 160, 240, 320

_FIRST = (
    "Alma",
    "Bruno",
    "Chiara",
    "Dorian",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaja",
    "Liam",
    "Mira",
    "Nuri",
    "Olga",
    "Pavel",
)
_LAST = ("Sample", "Beispiel", "Ejemplo", "Exemple", "Esempio", "Voorbeeld", "Przykład", "Exempel", "Örnek", "Fiktiv")
_STREETS = ("Example Street", "Musterweg", "Sample Lane", "Rue Fictive", "Via Esempio")
_CITIES = ("Testville", "Musterstadt", "Sampleton", "Villefictive")

_PERSON = {
    "name": {
        "type": "object", "category": "identity", "required": True,
        "properties": {
            "first": {"type": "string", "searchable": True, "required": True},
            "last": {"type": "string", "searchable": True, "required": True},
        },
    },
    "email": {"type": "email", "category": "contact", "searchable": True},
    "phone": {"type": "phone", "category": "contact", "searchable": True},
    "birthday": {"type": "date", "category": "demographic"},
    "address": {
        "type": "object", "category": "contact",
        "properties": {"street": {"type": "string"}, "city": {"type": "string", "searchable": True}},
    },
}  # fmt: skip
_CUSTOMERS: tuple[dict[str, Any], ...] = (
    {
        "name": "Lindenhof Clinic (sample)",
        "owner": "owner@lindenhof.example",
        "plan": "business",
        "people": _PATIENTS,
        "collections": {
            "patients": {
                "title": "Patients", "purpose": "Medical care", "subject": "required", "retention": "P10Y",
                "fields": _PERSON,
            },
            "visits": {
                "title": "Visits", "purpose": "Medical care", "subject": "required", "retention": "P10Y",
                "fields": {
                    "date": {"type": "date", "category": "health", "required": True, "searchable": True},
                    "reason": {"type": "string", "category": "health", "maxLength": 200},
                    "minutes": {"type": "integer", "category": "none", "minimum": 1, "maximum": 480},
                },
            },
        },
    },
    {
        "name": "Kiosk & Co. (sample)",
        "owner": "owner@kiosk.example",
        "plan": "standard",
        "people": _SHOPPERS,
        "collections": {
            "customers": {
                "title": "Customers", "purpose": "Orders and delivery", "subject": "required", "retention": "P3Y",
                "fields": _PERSON,
            },
            "orders": {
                "title": "Orders", "purpose": "Orders and delivery", "subject": "required", "retention": "P3Y",
                "fields": {
                    "number": {"type": "string", "category": "none", "required": True, "searchable": "exact"},
                    "total": {"type": "number", "category": "financial", "minimum": 0},
                    "items": {"type": "array", "category": "behaviour", "items": {"type": "string"}},
                },
            },
        },
    },
)  # fmt: skip


def run_demo(settings: Settings) -> None:
    """Runs an instance and fills it when it is fresh."""

    def ready(news: Ready) -> None:
        # The supervisor's thread goes on watching its processes; filling runs beside it.
        threading.Thread(target=_fill_or_stop, args=(settings, news), daemon=True).start()

    run_up(settings, ready)


def _fill_or_stop(settings: Settings, news: Ready) -> None:
    try:
        _fill_and_tell(settings, news)
    except (BaileeError, Error, OSError) as error:
        say(f"The demo could not be filled: {error}")
        os.kill(os.getpid(), signal.SIGTERM)


def _fill_and_tell(settings: Settings, news: Ready) -> None:
    path = settings.data / CREDENTIALS
    if news.setup_url is not None:
        credentials = _fill(settings, news.setup_url)
        _write(path, json.dumps(credentials, indent=2))
    out.print(f"Bailee's demo is ready at [bold]{escape(settings.base_url)}[/]")
    if path.exists():
        out.print(f"Sign-in data and API keys: {escape(str(path))}")
        if _kit(settings).exists():
            out.print(f"It backs itself up; its recovery kit, which belongs on paper: {escape(str(_kit(settings)))}")
    else:
        out.print("This instance was set up by hand; it has no demo credentials.")


def _fill(settings: Settings, setup_url: str) -> dict[str, Any]:
    place = _Place(settings.base_url, None if settings.web.certificate else settings.data / "tls" / "ca.pem")
    owner, token = place.set_up(setup_url)
    tenants = []
    with place.open(token) as staff:
        invited = staff.staff.invitations.create(_SECURITY, "Sample Security Officer", ["security_officer"])
        security = place.accept(invited)
        for customer in _CUSTOMERS:
            tenant = staff.tenants.create(customer["name"], plan=customer["plan"])
            key = staff.tenants.keys.create(tenant.id, "product", sorted(SCOPES))
            with place.open(key.token) as product:
                _store(product, customer)
            invited = staff.tenants.invite_owner(tenant.id, email=customer["owner"], name="Sample Customer")
            tenants.append({"id": tenant.id, "name": tenant.name, "api_key": key.token, "owner": place.accept(invited)})
        _write(_kit(settings), staff.backups.make_recovery_key())
        staff.session.sign_out()
    return {
        "base_url": settings.base_url,
        "ca_file": str(place.ca_file) if place.ca_file else None,
        "tenants": tenants,
        "staff": owner,
        "staff_security": security,
    }


class _Place(msgspec.Struct, frozen=True):
    """The instance, as the sample people meet it."""

    url: str
    ca_file: Path | None

    def open(self, token: str | None = None) -> Client:
        return Client(self.url, token, ca_file=self.ca_file)

    def set_up(self, setup_url: str) -> tuple[dict[str, str], str | None]:
        """Makes the owner; answers the sign-in data and a session's token."""
        password = secrets.token_urlsafe(18)
        with self.open() as client:
            started = client.setup.start(
                token=urlsplit(setup_url).fragment, email=_OWNER, name="Sample Owner", password=password
            )
            code = pyotp.TOTP(started.totp_secret).now()
            session = client.setup.confirm(confirmation=started.confirmation, code=code)
        return {"email": _OWNER, "password": password, "totp_secret": started.totp_secret}, session.token

    def accept(self, invited: Invitation) -> dict[str, str]:
        """Accepts an invitation and enrols an authenticator app; answers the sign-in data."""
        if invited.token is None:
            raise ConfigurationError("The demo makes its people itself: run it without a mail server.")
        password = secrets.token_urlsafe(18)
        with self.open() as client:
            session = client.invitation.accept(invited.token, name=invited.name, password=password)
        with self.open(session.token) as client:
            enrolment = client.account.factors.begin_totp()
            client.account.factors.confirm_totp(pyotp.TOTP(enrolment.secret).now())
        return {"email": invited.email, "password": password, "totp_secret": enrolment.secret}


def _store(product: Client, customer: dict[str, Any]) -> None:
    rng = random.Random(_SEED)  # noqa: S311  the same fictional people every time
    for name, definition in customer["collections"].items():
        product.collections.put(name, definition)
    subjects = [f"person-{number:04}" for number in range(1, customer["people"] + 1)]
    people, activity = customer["collections"]
    list(product.records.batch_write(people, [{"subject": s, "data": _person(rng)} for s in subjects]))
    make = _visit if activity == "visits" else _order
    count = _VISITS if activity == "visits" else _ORDERS
    list(
        product.records.batch_write(
            activity, [{"subject": rng.choice(subjects), "data": make(rng, n)} for n in range(count)]
        )
    )
    for subject in subjects[:3]:
        product.files.put(
            f"letter-{subject}.txt", b"A sample letter.\n" * 200, subject=subject, content_type="text/plain"
        )
    product.subjects.get(subjects[0])
    product.subjects.erase(subjects[-1])


def _person(rng: random.Random) -> dict[str, Any]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = rng.randrange(10_000)
    return {
        "name": {"first": first, "last": last},
        "email": f"{first.lower()}.{number}@example.com",
        "phone": f"+1 202-555-01{rng.randrange(100):02}",
        "birthday": f"{rng.randrange(1940, 2006)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        "address": {"street": f"{rng.choice(_STREETS)} {rng.randrange(1, 200)}", "city": rng.choice(_CITIES)},
    }


def _visit(rng: random.Random, _number: int) -> dict[str, Any]:
    reasons = ("Check-up", "Vaccination", "Blood test", "Consultation")
    day = f"2026-{rng.randrange(1, 11):02}-{rng.randrange(1, 29):02}"
    return {"date": day, "reason": rng.choice(reasons), "minutes": rng.choice((10, 15, 20, 30, 45))}


def _order(rng: random.Random, number: int) -> dict[str, Any]:
    goods = ("notebook", "lamp", "kettle", "scarf", "poster", "mug")
    items = rng.sample(goods, rng.randrange(1, 4))
    return {"number": f"K-{number:05}", "total": round(rng.uniform(5, 250), 2), "items": items}


def _kit(settings: Settings) -> Path:
    return settings.data / RECOVERY_KIT


def _write(path: Path, text: str) -> None:
    """Readable for the owner alone from its first moment, and whole when it appears."""
    temporary = path.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.rename(path)
