"""Turns Ctrl-C, SIGTERM and a closed terminal into an orderly stop."""

import ctypes
import os
import signal
import time
from types import FrameType

# A supervisor of processes may signal both us and `make`, which passes it on: that is one
# wish to stop, not two.
_SAME_WISH_S = 2.0
_PR_SET_PDEATHSIG = 1


class Stop(BaseException):
    """Somebody asked for the end. Not an `Exception`, so that nothing on the way catches it."""


class Stopping:
    """Whether the end was asked for, and whether it was asked for again, impatiently."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self.hurried = False

    def listen(self) -> None:
        """Raise `Stop` in the main thread at the first signal; note it when another follows."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish is respected
                signal.signal(number, self._asked)
        if os.environ.pop("ALGORIUM_UNDER_MAKE", ""):
            # A killed `make` would leave us running with nobody to press Ctrl-C.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))

    def begin(self) -> None:
        """Note that the stop is under way: from now on a signal only makes it quicker."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            raise Stop
        self.hurried = self.hurried or time.monotonic() - self._asked_at > _SAME_WISH_S
