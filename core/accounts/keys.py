"""Keys of programs: `sim`, 22 random and 3 check characters in base 62.

The check characters let typing errors and random text be refused without a look into the
database; the database knows only a hash. A key carries 131 bits of chance, so that a plain
SHA-256 can't be searched backwards.
"""

import hashlib
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "sim"
RANDOM = 22
CHECK = 3
LENGTH = len(PREFIX) + RANDOM + CHECK


def new_key() -> str:
    """Make a key that nobody can guess."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return body + _check(body)


def is_well_formed(key: str) -> bool:
    """Whether this could be a key at all: its shape and its check characters."""
    if len(key) != LENGTH or not key.startswith(PREFIX) or not key.isascii():
        return False
    return _check(key[:-CHECK]) == key[-CHECK:]


def digest(key: str) -> str:
    """Give what is stored in the place of a key or a session's token."""
    return hashlib.sha256(key.encode()).hexdigest()


def _check(body: str) -> str:
    number = zlib.crc32(body.encode()) % len(ALPHABET) ** CHECK
    letters = ""
    for _ in range(CHECK):
        number, index = divmod(number, len(ALPHABET))
        letters = ALPHABET[index] + letters
    return letters
