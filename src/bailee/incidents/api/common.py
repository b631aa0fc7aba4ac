"""What the endpoints and the pages of this room share."""

import re
from urllib.parse import quote

from litestar import Response

from bailee.foundation.errors import Malformed
from bailee.foundation.http import decode_cursor

_HOLDER = re.compile(r"([0-9a-f]{2}){1,64}", re.ASCII)


def download(name: str, content: bytes, media_type: str = "application/octet-stream") -> Response[bytes]:
    """A file to keep: never shown by the browser, whatever it holds (RFC 6266, RFC 8187)."""
    return Response(
        content, media_type=media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
    )  # fmt: skip


def decode_holder_cursor(cursor: str | None) -> bytes | None:
    """The holder that a page of people ended at. Raises Malformed."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not _HOLDER.fullmatch(position):
        raise Malformed("The cursor is not one of ours. Use the `next` of a page as it is.")
    return bytes.fromhex(position)
