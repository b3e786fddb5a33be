"""What a start shows: the phase that it is in, how far it is, how long it took."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Tick = Callable[[str], None]
_WIDTH = 34
# Without a terminal a line can't be rewritten; more often than this would only be noise.
_PLAIN_EVERY_S = 10.0


class Phases:
    """Prints phases to a terminal by rewriting one line, to anything else in plain lines."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._started = time.monotonic()
        self._shown = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, line: str = "") -> None:
        """Print one line of its own."""
        self._clear()
        self._print(line + "\n")

    def progress(self, line: str) -> None:
        """Show `line` until the next one; without a terminal it is printed for good."""
        if self._live:
            self._clear()
            self._print(line)
            self._shown = len(line)
        else:
            self.say(line)

    def settle(self) -> None:
        """Keep what `progress` showed last."""
        if self._shown:
            self._print("\n")
        self._shown = 0

    @contextmanager
    def phase(self, title: str) -> Iterator[Tick]:
        """Show that `title` is under way; gives what its waiting loops call with their progress."""
        started = last = time.monotonic()
        if self._live:
            self.progress(f"  {title} ...")

        def tick(detail: str = "") -> None:
            nonlocal last
            now = time.monotonic()
            if self._live or now - last > _PLAIN_EVERY_S:
                last = now
                self.progress(f"  {title:{_WIDTH}} {now - started:5.1f} s  {detail}".rstrip())

        try:
            yield tick
        except BaseException:
            self.settle()
            raise
        self.say(f"  {title:{_WIDTH}} {time.monotonic() - started:5.1f} s")

    def waiter(self, line: str) -> Callable[[], None]:
        """Give what a waiting loop calls to have `line` shown, once where there's no terminal."""
        shown = False

        def show() -> None:
            nonlocal shown
            if not shown:
                self.progress(f"  {line}")
                shown = True

        return show

    def _clear(self) -> None:
        if self._shown:
            self._print("\r" + " " * self._shown + "\r")
        self._shown = 0

    def _print(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
