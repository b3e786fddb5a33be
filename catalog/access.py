"""The one decision on who sees which algorithm.

It is a WHERE clause, so that lists, counts and single look-ups obey the same rule. What is
hidden doesn't exist: 404, not 403.
"""

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from catalog.models import Algorithm, Visibility
from core.accounts.actor import Actor


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """Select what the actor may see and call: what is public and live, and all of their own.

    Code of a stranger that an account has called doesn't see what is private to the account.
    """
    public = and_(
        col(Algorithm.visibility) == Visibility.PUBLIC,
        col(Algorithm.live_version_id).is_not(None),
    )
    if actor.account_id is None or actor.public_only:
        return public
    return or_(public, col(Algorithm.owner_id) == actor.account_id)


def listed() -> ColumnElement[bool]:
    """Select what the home page, the categories and the search index show to everybody."""
    return and_(
        col(Algorithm.visibility) == Visibility.PUBLIC,
        col(Algorithm.live_version_id).is_not(None),
    )
