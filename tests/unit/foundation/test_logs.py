import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bailee.foundation.logs import configure_logs, visible


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain", "plain"),
        ("Ünïcode 任意", "Ünïcode 任意"),
        ("a\nb\r\tc", "a\\u000ab\\u000d\\u0009c"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("\u202egnirts", "\\u202egnirts"),
        ("\u2028\x7f\x9b\u200f\u2066", "\\u2028\\u007f\\u009b\\u200f\\u2066"),
        ("x" * 600, "x" * 500),
    ],
)
def test_nothing_in_a_text_can_forge_a_line_or_steer_a_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs("test", "info", tmp_path)
    yield tmp_path / "test.log"
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_entry_is_one_json_line(log_file: Path) -> None:
    structlog.get_logger("new").info("one\ntwo", who="a\nb")
    (line,) = lines(log_file)
    assert (line["event"], line["who"], line["level"]) == ("one\\u000atwo", "a\\u000ab", "info")


def test_exception_is_logged_by_type_and_place_never_by_message(log_file: Path) -> None:
    try:
        raise ValueError("ada@example.org")
    except ValueError as error:
        structlog.get_logger("new").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
    first, second = lines(log_file)
    for line in (first, second):
        assert line["error"] == "ValueError"
        assert "test_logs.py" in str(line["trace"])
    assert "ada" not in log_file.read_text()
