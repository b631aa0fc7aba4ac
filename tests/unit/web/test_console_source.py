"""What holds for all of the console's pages, read from their templates, their script and their handlers."""

import ast
import re
from pathlib import Path

import pytest

from bailee.web.templating import STATIC

SOURCE = Path(__file__).parents[3] / "src" / "bailee"
TEMPLATES = sorted(SOURCE.glob("**/templates/*.html"))
SCRIPTS = sorted(STATIC.glob("*.js"))
HANDLERS = sorted([*SOURCE.glob("**/pages.py"), *SOURCE.glob("**/pages/*.py")])
RECORDED = {
    ("pages/staff.py", "report_privileges"), ("incidents/pages/incidents.py", "open_evidence"),
    ("incidents/pages/notices.py", "show_notice"), ("incidents/pages/notices.py", "list_subjects"),
    ("incidents/pages/notices.py", "notice_pdf"), ("monitoring/pages/support.py", "list_records"),
}  # fmt: skip
"""GETs whose reading leaves an event, as reading of that kind does; they change nothing else."""
WAY_ON = {"provider_leave.html"}
"""Pages with nothing on them but the link to the next."""


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", SCRIPTS, ids=_name)
def test_script_takes_no_messages_and_puts_no_text_into_the_page_as_markup(path: Path) -> None:
    text = path.read_text("utf-8")
    for word in (
        "postMessage", "onmessage", '"message"', "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
        "eval(", "new Function", "localStorage", "sessionStorage",
    ):  # fmt: skip
        assert word not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_template_marks_nothing_as_safe_and_embeds_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape", text)
    assert not re.search(r"<(iframe|object|embed|applet|frame)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_password_fields_are_masked_and_open_to_password_managers(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"onpaste|oncopy|ondrop", text, re.IGNORECASE)
    for field in re.findall(r"ui\.field\(([^)]*)\)", text):
        name = re.findall(r'"([^"]*)"', field)[0]
        if name in ("password", "repeat", "old"):
            assert 'type="password"' in field
            assert re.search(r'autocomplete="(current|new)-password"', field)
            assert "keep=false" in field, "what was typed is not sent back"


@pytest.mark.parametrize("path", TEMPLATES, ids=_name)
def test_every_page_has_the_frame_with_the_sign_out_button(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name == "base.html":
        assert re.search(r"principal\.session_id.*action=\"/sign-out\"", text, re.DOTALL)
    elif path.name not in WAY_ON and re.search(r"<h1|block content", text):
        assert text.startswith('{% extends "base.html" %}')


def _handlers(path: Path) -> list[ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def _is_get(handler: ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("get(") for decorator in handler.decorator_list)


@pytest.mark.parametrize("path", HANDLERS, ids=_name)
def test_get_opens_no_transaction_that_writes(path: Path) -> None:
    """A page that is only looked at changes nothing: a link or an image on a foreign page could ask for it."""
    writers = re.compile(r"database\.(operator|tenant)\(")
    for handler in filter(_is_get, _handlers(path)):
        if not any(path.match(place) and handler.name == name for place, name in RECORDED):
            assert not writers.search(ast.unparse(handler)), handler.name


def test_there_are_pages_to_look_at() -> None:
    assert len(SCRIPTS) >= 1
    assert len(TEMPLATES) > 30
    assert sum(_is_get(handler) for path in HANDLERS for handler in _handlers(path)) > 30
