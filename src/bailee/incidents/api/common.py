"""What the endpoints and the pages of this room share."""

import re

from bailee.foundation.errors import Malformed
from bailee.foundation.http import decode_cursor

_HOLDER = re.compile(r"([0-9a-f]{2}){1,64}", re.ASCII)


def decode_holder_cursor(cursor: str | None) -> bytes | None:
    """The holder that a page of people ended at. Raises Malformed."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not _HOLDER.fullmatch(position):
        raise Malformed("The cursor is not one of ours. Use the `next` of a page as it is.")
    return bytes.fromhex(position)
