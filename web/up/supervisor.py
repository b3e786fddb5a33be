"""Runs a whole installation on one machine: starts its parts in order, watches and ends them."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from core.errors import MarketError
from core.settings import Settings
from web.up import checks, instance, lock, processes, readiness, services
from web.up.errors import CannotStart
from web.up.parts import Parts
from web.up.phases import Phases, Tick
from web.up.processes import Patience
from web.up.services import Service
from web.up.stopping import Stop, Stopping

_CANNOT_START = 2
_POLL_S = 0.2
_CATALOG_EVERY_S = 2.0
_SITE_READY_WITHIN_S = 300.0
# Calls under way are given this long; the cluster and the database wait for them.
_SITE_STOPS_WITHIN_S = 15.0
_CLUSTER_STOPS_WITHIN_S = 10.0


def main(settings: Settings) -> int:
    """Run the installation of `settings` until Ctrl-C or SIGTERM; gives the exit status.

    That is 0 after an orderly stop, 2 with one clear sentence where something is in the way.
    Every process that it started has ended when it returns.
    """
    phases = Phases()
    stopping = Stopping()
    stopping.listen()
    try:
        _run(settings, phases, stopping)
    except MarketError as problem:
        phases.settle()
        print(f"Algorium cannot run. {problem}", file=sys.stderr, flush=True)
        return _CANNOT_START
    except OSError as error:
        phases.settle()
        where = f" ({error.filename})" if error.filename else ""
        what = f"Algorium cannot run. The system said: {error.strerror or error}{where}."
        print(f"{what} Put that right and run it again; nothing is lost.", file=sys.stderr)
        return _CANNOT_START
    except Stop:
        phases.say("Stopped.")
    return 0


def _run(settings: Settings, phases: Phases, stopping: Stopping) -> None:
    phases.say(f"Algorium, with its data in {settings.home}")
    instance.prepare(settings.home)
    with lock.held(settings.home, phases.waiter("waiting for the last run to stop")) as announce:
        supervisor = Supervisor(settings, phases, stopping)
        try:
            with phases.phase("checking this machine"):
                supervisor.clear_leftovers()
                checks.require(settings)
            supervisor.start()
            supervisor.watch()
        finally:
            stopping.begin()
            announce()
            supervisor.stop()


class BaseEnded(CannotStart):
    """Something that the site stands on ended while the site was being started."""


class Supervisor:
    """The parts of one running installation, and what is done when one of them ends."""

    def __init__(self, settings: Settings, phases: Phases, stopping: Stopping) -> None:
        self._settings = settings
        self._phases = phases
        self._stopping = stopping
        self._parts = Parts(settings)
        self._catalog = ""
        self._ask_catalog_at = 0.0

    def clear_leftovers(self) -> None:
        """End what an earlier run of this installation left behind, however that one ended."""
        left = processes.marked(self._settings.home)
        processes.end(left, patience=processes.within(_CLUSTER_STOPS_WITHIN_S))

    def start(self) -> None:
        """Start every part and wait until the site can serve.

        Raises `CannotStart` where a part does not come up.
        """
        self._start_base()
        with self._phases.phase("bringing the database up to date"):
            self._parts.migrate()
        self._start_site()
        self._greet()

    def watch(self) -> None:
        """Keep every part alive until asked to stop.

        Raises `Stop` when asked to, `CannotStart` where a part keeps ending.
        """
        while True:
            self._care_for_base()
            self._care_for_site()
            self._show_catalog()
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End every process of this installation: the site first, the database last."""
        if not any(service.process for service in (*self._parts.site, *self._parts.base)):
            return
        with self._phases.phase("stopping"):
            self._end_site()
            self._end_base(self._parts.base)
            # What left the session it was started in is known by its mark.
            processes.end(processes.marked(self._settings.home), patience=processes.within(2))

    def _start_base(self) -> None:
        for service in self._parts.base:
            if service.process is None:
                with self._phases.phase(f"starting the {service.name}"):
                    service.start()

    def _start_site(self) -> None:
        with self._phases.phase("starting the site") as tick:
            for service in self._parts.site:
                service.start()
            self._wait(self._site_lacks, _SITE_READY_WITHIN_S, tick)

    def _site_lacks(self) -> str:
        """Say what the site still lacks, nothing once it can serve calls."""
        self._care_for_site()
        found = readiness.ask(self._settings)
        if found is None:
            return "the web server does not answer yet"
        if not found.ready:
            return f"waiting for {' and '.join(found.missing) or 'it'}"
        return self._parts.sign_in_lacks()

    def _wait(self, lacks: Callable[[], str], limit: float, tick: Tick) -> None:
        deadline = time.monotonic() + limit
        while lacking := lacks():
            for service in self._parts.base:
                if service.has_ended:
                    what = f"The {service.name} ended while it was needed."
                    raise BaseEnded(what, processes.pointer(service.log))
            if time.monotonic() > deadline:
                what = f"It was not ready after {limit:.0f} seconds: {lacking}."
                raise CannotStart(what, f"The logs in {self._settings.home / 'logs'} tell why.")
            tick(lacking)
            time.sleep(_POLL_S)

    def _care_for_base(self) -> None:
        """Start again what ended of the base, and the worker, which can't do without the cluster.

        The web server goes on: calls wait for the cluster, and those that have ended are
        settled when the database is back.
        """
        has_failed = False
        while ended := [service for service in self._parts.base if service.has_ended]:
            if self._parts.cluster in ended:
                services.end([self._parts.worker], self._patience(_SITE_STOPS_WITHIN_S))
            for service in ended:
                self._phases.say(service.bury())
            # With what they left running, which would keep their ports and memory.
            self._end_base(ended)
            time.sleep(max(0.0, *(service.start_again_at - time.monotonic() for service in ended)))
            with suppress(BaseEnded):
                self._start_base()
                self._start_site()
            has_failed = True
        if has_failed:
            self._phases.say(f"Algorium is ready again at {self._settings.url}")

    def _care_for_site(self) -> None:
        for service in self._parts.site:
            if service.has_ended:
                self._phases.say(service.bury())
                services.end([service], self._patience(0))
            if service.is_due:
                service.start()

    def _end_site(self) -> None:
        services.end(self._parts.site, self._patience(_SITE_STOPS_WITHIN_S))

    def _end_base(self, base: Sequence[Service]) -> None:
        for service in base:
            if service is self._parts.database:
                self._parts.stop_database()
            else:
                services.end([service], self._patience(_CLUSTER_STOPS_WITHIN_S))

    def _patience(self, seconds: float) -> Patience:
        left = processes.within(seconds)
        return lambda: 0.0 if self._stopping.hurried else left()

    def _greet(self) -> None:
        say = self._phases.say
        say(f"\nAlgorium is ready at {self._settings.url}  ({self._phases.elapsed:.0f} s)")
        if self._parts.has_development_sign_in:
            say("Open it, sign in as alice, bob or carol (the development sign-in, no password),")
            say("and try an algorithm. Ctrl-C stops everything.\n")
        else:
            say("Open it, sign in, and try an algorithm. Ctrl-C stops everything.\n")

    def _show_catalog(self) -> None:
        """Tell how far the starter catalog is, until it is complete."""
        now = time.monotonic()
        if now < self._ask_catalog_at:
            return
        self._ask_catalog_at = now + _CATALOG_EVERY_S
        found = readiness.ask(self._settings)
        if found is None or not found.total:
            return
        if found.catalog != self._catalog:
            self._catalog = found.catalog
            self._phases.progress(f"Starter catalog: {found.catalog}")
        if found.is_complete:
            self._phases.settle()
            self._ask_catalog_at = float("inf")
            if found.failed:
                log = self._settings.home / "logs" / "worker.log"
                self._phases.say(f"Why {found.failed} failed is told on their pages, and in {log}")
