"""Asks the site whether it can serve, and says how far the starter catalog is."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.settings import Settings

_OK = 200


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` said: whether calls can be served, and the counts of the starter catalog."""

    ready: bool
    missing: tuple[str, ...] = ()
    live: int = 0
    building: int = 0
    failed: int = 0
    total: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the starter catalog is still to come."""
        return self.ready and self.live + self.failed >= self.total

    @property
    def catalog(self) -> str:
        """Tell the state of the starter catalog in one line."""
        line = f"{self.live} of {self.total} algorithms live"
        if self.failed:
            line += f", {self.failed} failed"
        return line + (f", building {self.building}" if self.building else "")


def ask(settings: Settings) -> Readiness | None:
    """Ask the site of `settings`; None where it does not answer, or not in its own words."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound
    host = wildcard.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": urlsplit(settings.url).netloc})
        answer = connection.getresponse()
        return _read(answer.status, json.loads(answer.read()))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _read(status: int, body: object) -> Readiness | None:
    if not isinstance(body, dict):
        return None
    parts = {"database": "the database", "cluster": "the cluster"}
    missing = tuple(title for name, title in parts.items() if not body.get(name, True))
    starter = body.get("starter")
    counts = starter if isinstance(starter, dict) else {}
    live, building, failed, total = (
        int(counts.get(name) or 0) for name in ("live", "building", "failed", "total")
    )
    return Readiness(status == _OK, missing, live, building, failed, total)
