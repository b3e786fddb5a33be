"""Who is asking, resolved once at the edge and passed down."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of one request. Without an account it is a visitor.

    `key_id` is set where a program asks with a key. `parent_id` and `depth` are set where a
    running call asks for another one; `account_id` is then whoever pays for the outer call.
    `public_only` is set where that call runs a stranger's code: it spends the account's credit,
    but what is private to the account is not its to see.
    """

    account_id: UUID | None = None
    name: str = ""
    is_admin: bool = False
    key_id: UUID | None = None
    parent_id: UUID | None = None
    depth: int = 0
    public_only: bool = False

    @property
    def is_visitor(self) -> bool:
        """Whether nobody is signed in."""
        return self.account_id is None

    def owns(self, account_id: UUID) -> bool:
        """Whether the actor acts for that account."""
        return self.account_id is not None and self.account_id == account_id


VISITOR = Actor()
