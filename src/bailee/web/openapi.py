"""What the OpenAPI document says that the signatures cannot: streamed bodies, open routes, paths with slashes."""

import copy
from typing import Any, override

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin

from bailee.foundation.http import NDJSON

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LINES = {"schema": {"type": "string", "description": "One JSON object a line."}}
_PATCH = {"type": "object", "required": ["data"], "properties": {"data": {"type": "object"}}}
_BUNDLE = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "string", "format": "uuid"}}
    },
}
_NDJSON_OUT = {NDJSON: _LINES}
_OPEN = {
    "/health", "/api/v1/setup", "/api/v1/setup/confirm", "/api/v1/ledger/consistency", "/ledger/checkpoint",
    "/ledger/keys", "/ledger/tile/{path}",
}  # fmt: skip
_RECORDS = "/api/v1/collections/{name}/records"
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("/api/v1/files/{file}", "put"): {"*/*": _BINARY},
    ("/api/v1/ledger/bundle", "post"): {"application/json": {"schema": _BUNDLE}},
    (f"{_RECORDS}/batch", "post"): {NDJSON: _LINES},
    (f"{_RECORDS}/read", "post"): {NDJSON: _LINES},
    (f"{_RECORDS}/{{record}}", "patch"): {
        "application/json": {"schema": _PATCH},
        "application/merge-patch+json": {"schema": _PATCH},
    },
}
_ANSWERS: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    (f"{_RECORDS}/batch", "post"): {"200": {"description": "A line for each line", "content": _NDJSON_OUT}},
    (f"{_RECORDS}/read", "post"): {"200": {"description": "A line for each line", "content": _NDJSON_OUT}},
    (f"{_RECORDS}/{{record}}", "get"): {"304": {"description": "Not changed since that version"}},
    (f"{_RECORDS}/{{record}}", "put"): {},
    ("/api/v1/files/{file}", "get"): {
        "200": {"description": "The content", "content": {"*/*": _BINARY}},
        "206": {"description": "A part of the content", "content": {"*/*": _BINARY}},
        "304": {"description": "Not changed since that version"},
    },
    ("/api/v1/files/{file}", "head"): {"200": {"description": "Size and type"}},
    ("/ledger/tile/{path}", "get"): {
        "200": {"description": "A tile", "content": {"application/octet-stream": _BINARY}}
    },
}
_CREATED_OR_CHANGED = (("/api/v1/collections/{name}", "put"), ("/api/v1/files/{file}", "put"))


class CompletedDocument(JsonRenderPlugin):
    """Serves the generated document, completed once."""

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path)
        self._document: dict[str, Any] | None = None

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._document is None:
            self._document = complete(openapi_schema)
        return super().render(request, self._document)


def complete(generated: dict[str, Any]) -> dict[str, Any]:
    """The document with what generation leaves out."""
    document = copy.deepcopy(generated)
    document["paths"] = {path.rstrip("/") or "/": item for path, item in document["paths"].items()}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete_operation(path, method, operation)
    return document


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    if path in _OPEN or (path, method) == ("/api/v1/session", "post"):
        operation["security"] = []
    if path == "/api/v1/subjects/{subject}":
        subject = {"name": "subject", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        operation["parameters"] = [subject, *(p for p in operation.get("parameters", []) if p["in"] != "path")]
    if (path, method) in _BODIES:
        operation["requestBody"] = {"required": True, "content": _BODIES[path, method]}
    operation["responses"] |= _ANSWERS.get((path, method), {})
    if (path, method) in _CREATED_OR_CHANGED:
        operation["responses"]["201"] = operation["responses"]["200"]
