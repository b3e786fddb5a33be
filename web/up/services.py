"""The long-lived children of a start: started, watched, started again, ended."""

import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from web.up import processes
from web.up.errors import CannotStart
from web.up.processes import Patience

_MOST_DEATHS = 5
_WITHIN_S = 60.0
_LONGEST_PAUSE_S = 8.0


@dataclass(slots=True, eq=False)
class Service:
    """One child process that has to be there for as long as the installation runs."""

    name: str
    log: Path
    launch: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    start_again_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)

    def start(self) -> None:
        """Start the child; nothing is done where it was started and not ended since."""
        if self.process is None:
            self.process = self.launch()

    @property
    def has_ended(self) -> bool:
        """Whether the child ended by itself, and nobody noted it yet."""
        return self.process is not None and self.process.poll() is not None

    @property
    def is_due(self) -> bool:
        """Whether the child is to be started now."""
        return self.process is None and time.monotonic() >= self.start_again_at

    def bury(self) -> str:
        """Note that the child ended and when it may come back; gives the line to show.

        What it started is still to be ended, with `end`.

        Raises `CannotStart` where it ended too often for another try to make sense.
        """
        status = self.process.returncode if self.process is not None else 0
        how = f"status {status}" if status >= 0 else f"signal {-status}"
        now = time.monotonic()
        self.deaths.append(now)
        while now - self.deaths[0] > _WITHIN_S:
            self.deaths.popleft()
        if len(self.deaths) >= _MOST_DEATHS:
            what = f"The {self.name} ended {_MOST_DEATHS} times within a minute ({how})."
            raise CannotStart(what, processes.pointer(self.log))
        self.start_again_at = now + min(_LONGEST_PAUSE_S, 0.25 * 2 ** len(self.deaths))
        return f"The {self.name} ended ({how}); it is started again. Its log: {self.log}"


def end(services: Sequence[Service], patience: Patience) -> None:
    """Ask children to end, all at once, then end what they leave of all that they started.

    Each knows best in which order its own children end, so only they are asked at first.
    """
    running = [service.process for service in services if service.process is not None]
    leaders = {process.pid for process in running}
    found = [member for leader in leaders for member in processes.session(leader)]
    processes.end([member for member in found if member.pid in leaders], patience=patience)
    processes.end(found, patience=processes.within(min(1.0, max(0.0, patience()))))
    for process in running:
        process.wait()
    for service in services:
        service.process = None
