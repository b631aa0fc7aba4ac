"""The settings of a restored copy: they must not lead to the servers that it was copied from.

`bailee.toml` comes out of the backup as it was. Where it names database servers, the copy would work on those and not
on what was restored; so it is written anew without them, and what it was lies beside it.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bailee.backup.errors import RestoreRefused

_FILE, _BEFORE = "bailee.toml", "bailee.toml.before-restore"
_LEADING_AWAY = {
    "database": ("main", "keyring", "main_owner", "keyring_owner"), "backup": ("main_url", "keyring_url"),
}  # fmt: skip
_HEAD = "# Written by `bailee restore`: the servers of this copy are its own. What this file was is in {}.\n"


def rewrite_settings(directory: Path, postgres: str) -> None:
    """Has a copy's settings name no servers but its own, and the PostgreSQL installations that it takes.

    What has nothing of this to say stays as it is. Raises RestoreRefused for settings that cannot be read.
    """
    path = directory / _FILE
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        found = tomllib.loads(before)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RestoreRefused(f"{path} cannot be read: {error}.") from None
    values = {name: dict(part) if isinstance(part, dict) else part for name, part in found.items()}
    for section, names in _LEADING_AWAY.items():
        for name in names:
            values.get(section, {}).pop(name, None)
    if postgres:
        values.setdefault("database", {})["postgres"] = postgres
    if values == found:
        return
    if before:
        path.rename(directory / _BEFORE)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(_HEAD.format(_BEFORE) if before else "")
        file.write("\n".join(_lines(values, ())) + "\n")


def _lines(values: Mapping[str, object], place: tuple[str, ...]) -> Iterator[str]:
    """A table of TOML, its own values before the tables in it."""
    if place:
        yield f"[{'.'.join(map(_text, place))}]"
    for name, value in values.items():
        if not isinstance(value, dict):
            yield f"{_text(name)} = {_value(value)}"
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _lines(value, (*place, name))


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)} = {_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else str(value).lower()


def _text(text: str) -> str:
    """TOML's basic strings are JSON's, but for one character."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
