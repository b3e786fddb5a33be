"""Offers to go on in another protocol, which we never take up.

A client may ignore that it isn't taken up, and Java's own, which offers HTTP/2 with its first
request, does. But the parser takes what follows such a head for that protocol's, so that a body
would be lost, and its call run with nothing.
"""

import re

HEAD_ENDS = b"\r\n\r\n"
_OFFER = re.compile(rb"\r\n(?=upgrade\s*:)", re.IGNORECASE)


def declined(data: bytes) -> bytes:
    """Return the beginning of a request, its head whole, with any such offer made meaningless."""
    head, end, rest = data.partition(HEAD_ENDS)
    return _OFFER.sub(b"\r\nX-", head) + end + rest
