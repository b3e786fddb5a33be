"""Both ends of a connection show that they know the installation's secret before they talk.

A stranger who reaches a replica's port runs nothing, and one who took over a dead replica's
port is sent nothing. As in Ray's own traffic, what follows isn't encrypted.
"""

import hashlib
import hmac
import secrets

NONCE_BYTES = 32
SECONDS = 5.0
# Until it is done, nobody may send more than it takes.
LARGEST = 256


def nonce() -> bytes:
    """Return bytes that were never used before."""
    return secrets.token_bytes(NONCE_BYTES)


def proof(secret: bytes, role: bytes, gateways: bytes, replicas: bytes) -> bytes:
    """Return what only one who knows the secret can say, as `role`, to these two nonces."""
    return hmac.digest(secret, role + b"\0" + gateways + replicas, hashlib.sha256)


def shows(given: object, expected: bytes) -> bool:
    """Whether what the other end gave is the proof that was expected of it."""
    return isinstance(given, bytes) and hmac.compare_digest(given, expected)
