"""Every refusal that the product makes, each with a status, a stable code and what it cost.

Domain packages raise these and know nothing of HTTP answers; `web/errors.py` dresses them for
whoever asked. Whatever is no `MarketError` is a bug.
"""

from http import HTTPStatus


class MarketError(Exception):
    """A refusal with words for the person who asked.

    `status` is the HTTP status, `code` a stable name for programs. `error_type` is the word
    that the contract of `/v1/algo` uses for it.
    """

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"
    error_type = "InputError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadSetting(MarketError):
    """A setting of the environment can't be used."""

    code = "bad_setting"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The setting {name} can't be used: {why}.")


class BadInput(MarketError):
    """What was sent can't be understood, or breaks a rule."""

    code = "bad_input"


class UnsupportedType(MarketError):
    """The body has a content type that a call can't have."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class TooLarge(MarketError):
    """The body is larger than a call may bring."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"
    error_type = "TooLargeError"


class SignInNeeded(MarketError):
    """Nobody is signed in, and no key came along."""

    status = HTTPStatus.UNAUTHORIZED
    code = "sign_in_needed"
    error_type = "AuthorizationError"


class BadKey(SignInNeeded):
    """The key is not one that works here."""

    code = "bad_key"


class NotAllowed(MarketError):
    """Who asks may see it, yet not do this with it."""

    status = HTTPStatus.FORBIDDEN
    code = "not_allowed"
    error_type = "AuthorizationError"


class NotFound(MarketError):
    """There is none, or none that the one who asks may see: the two look the same."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    error_type = "EntityNotFoundError"


class Conflict(MarketError):
    """It exists already, or is in a state that doesn't allow this."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class InsufficientCredits(MarketError):
    """The account can't pay the most that the call might cost; nothing ran."""

    status = HTTPStatus.PAYMENT_REQUIRED
    code = "insufficient_credits"
    error_type = "PaymentRequiredError"


class TooManyCalls(MarketError):
    """The account, or the version, has as many calls under way as it may; nothing ran."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_calls"
    error_type = "RateLimitError"
    # In seconds: a call ends, on the whole, well within it.
    retry_after_s = 1


class BuildFailed(MarketError):
    """A version could not be built; the words say which step failed and why."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "build_failed"


class NotReady(MarketError):
    """The part that is needed is starting, or gone for the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_ready"
    error_type = "SystemError"
