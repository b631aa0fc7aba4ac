"""How templates are found and filled: each section brings its own, all extend base.html."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def environment() -> jinja2.Environment:
    """Escapes everything, and fails on a name that a page forgot to pass."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([_HERE / "templates", *sorted(_HERE.parent.glob("*/templates"))]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(when=when, plain=plain, number=number)
    made.globals["static_version"] = _static_version()
    return made


def when(moment: datetime | str) -> Markup:
    """A moment for people and for programs, in UTC and to the second."""
    utc = (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def plain(value: Any) -> str:
    """A fact as a person reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(plain(one) for one in value) or "none"
        case dict():
            return ", ".join(f"{name}: {plain(one)}" for name, one in value.items()) or "none"
        case _:
            return str(value)


def number(value: int) -> str:
    """With thousands set apart."""
    return f"{value:,}"


def _static_version() -> str:
    """Part of the static files' addresses, so that browsers may keep them."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
