"""A whole installation whose cluster, worker and site are stand-ins; the rest is real.

Run as a program by the supervisor's tests, with the settings in its environment.
"""

import sys
from subprocess import Popen

from core.settings import Settings
from web.up import checks, parts, supervisor

SITE = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        counts = {"live": 2, "building": 0, "failed": 1, "total": 3}
        body = json.dumps({"database": True, "cluster": True, "starter": counts}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WORK = "sleep 1000 & echo working; sleep 1001"


class StandIns(parts.Parts):
    """Parts of which only the database and the sign-in are the real ones."""

    def _launch_cluster(self) -> Popen[bytes]:
        return self._spawn("ray", ["/bin/sh", "-c", WORK])

    def _launch_worker(self) -> Popen[bytes]:
        return self._spawn("worker", ["/bin/sh", "-c", WORK])

    def _launch_web(self) -> Popen[bytes]:
        return self._spawn("web", [sys.executable, "-c", SITE, str(self._settings.port)])


if __name__ == "__main__":
    supervisor.Parts = StandIns  # type: ignore[misc]
    checks.sandbox = lambda _: ""
    sys.exit(supervisor.main(Settings.from_environment()))
