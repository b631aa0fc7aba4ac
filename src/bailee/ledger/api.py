"""The public log: checkpoint and tiles. Anybody may read it; it holds commitments, no events."""

from litestar import Response, Router, get

from bailee.foundation.http import problems
from bailee.ledger.service import Ledger

_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
_CHANGING = {"Cache-Control": "no-cache"}


@get("/checkpoint", responses=problems(), summary="The newest signed checkpoint", operation_id="getCheckpoint",
     media_type="text/plain; charset=utf-8")  # fmt: skip
async def get_checkpoint(ledger: Ledger) -> Response[str]:
    published = await ledger.published()
    return Response(published.note, headers=_CHANGING, media_type="text/plain; charset=utf-8")


@get("/keys", responses=problems(), summary="The log's verifier keys", operation_id="getLedgerKeys",
     media_type="text/plain; charset=utf-8")  # fmt: skip
async def get_keys(ledger: Ledger) -> Response[str]:
    return Response(
        "".join(f"{key}\n" for key in ledger.vkeys), headers=_CHANGING, media_type="text/plain; charset=utf-8"
    )


@get("/tile/{path:path}", responses=problems(), summary="A tile or entry bundle (C2SP tlog-tiles)",
     operation_id="getTile", media_type="application/octet-stream")  # fmt: skip
async def get_tile(ledger: Ledger, path: str) -> Response[bytes]:
    content = await ledger.tile(path.strip("/"))
    return Response(content, headers=_IMMUTABLE, media_type="application/octet-stream")


router = Router("/ledger", route_handlers=[get_checkpoint, get_keys, get_tile], tags=["Ledger"])
