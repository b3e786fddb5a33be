"""Why a start cannot go on, told to the person who asked for it."""

from http import HTTPStatus

from core.errors import MarketError


class CannotStart(MarketError):
    """One clear sentence on what is in the way, and one on the way out.

    Whoever catches it prints both and ends with status 2; it is never a bug of ours.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "cannot_start"
    error_type = "SystemError"

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(f"{what} {way_out}")
        self.what = what
        self.way_out = way_out
