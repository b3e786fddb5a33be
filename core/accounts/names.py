"""Names of accounts: the first part of every algorithm's address."""

import re

from core.errors import BadInput

# Word characters only: existing client libraries refuse any other owner in `owner/name`.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,38}")

# First parts of addresses that are ours, and words that would speak for the house.
RESERVED = frozenset(
    {
        "about", "account", "accounts", "admin", "administrator", "algorithm", "algorithms",
        "anonymous", "api", "auth", "balance", "billing", "blog", "catalog", "category", "data",
        "docs", "earnings", "explore", "git", "healthz", "help", "home", "internal", "keys",
        "legal", "login", "logout", "market", "me", "my", "new", "nobody", "official", "operator",
        "organization", "organizations", "platform", "pricing", "privacy", "publish", "readyz",
        "root", "search", "security", "session", "settings", "sign_in", "sign_out", "staff",
        "static", "status", "support", "system", "terms", "usage", "user", "users", "web",
    }
)  # fmt: skip


def check_name(name: str) -> str:
    """Give the name back where an account may have it, else raise BadInput with the reason."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} can't be an account's name: 2 to 39 letters, digits or underscores, "
            "beginning with a letter."
        )
    if name.lower() in RESERVED:
        raise BadInput(f"The name {name!r} is reserved. Choose another one.")
    return name


def suggest_name(wish: str) -> str:
    """Turn what an issuer calls a person into a name that an account may have."""
    letters = re.sub(r"[^A-Za-z0-9_]+", "_", wish.split("@", maxsplit=1)[0]).strip("_")[:30]
    if not letters or not letters[0].isalpha():
        letters = f"user_{letters}".rstrip("_")
    if not NAME.fullmatch(letters) or letters.lower() in RESERVED:
        letters = f"{letters[:30]}_1"
    return letters
