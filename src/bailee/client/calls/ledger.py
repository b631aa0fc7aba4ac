"""The ledger's public side, and the health of the service.

Nothing is verified here: a proof is for a verifier that the reader trusts more than the server.
"""

from collections.abc import Iterable
from typing import Any

from bailee.client.answers import json_answer, text_answer
from bailee.client.call import Call, api, json_body, query
from bailee.client.models.admin import Bundle


def proof(event_id: str) -> Call[Bundle]:
    """The evidence that the event is in the ledger (`bailee-evidence/v1`).

    Waits a while for an event that is not published yet, then raises Unavailable
    (`ledger_pending`). Raises NotFound.
    """
    path = api("ledger", "proof")
    return Call(method="GET", path=path, query=query(event=event_id), parse=json_answer(dict[str, Any]))


def bundle(event_ids: Iterable[str]) -> Call[Bundle]:
    """The evidence for several events in one document; see `proof`."""
    return Call(
        method="POST",
        path=api("ledger", "bundle"),
        headers={"Content-Type": "application/json"},
        body=json_body({"events": list(event_ids)}),
        parse=json_answer(dict[str, Any]),
        safe=True,
    )


def checkpoint() -> Call[str]:
    """The latest signed checkpoint, as a note (C2SP signed-note)."""
    return Call(method="GET", path="/ledger/checkpoint", headers={"Accept": "text/plain"}, parse=text_answer)


def keys() -> Call[str]:
    """The log's verifier keys (vkeys), a line each. Take them once, from a source that you trust."""
    return Call(method="GET", path="/ledger/keys", headers={"Accept": "text/plain"}, parse=text_answer)


def health() -> Call[dict[str, Any]]:
    """What the service says of itself; `status` is "ok". Raises Unavailable when it is not."""
    return Call(method="GET", path="/health", parse=json_answer(dict[str, Any]))
