"""A whole installation, started as a person starts it: real Ray, real database, real sign-in."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from bench.installation import ROOT, Installation, free_port, start


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation with its starter catalog, for every journey that leaves it whole."""
    home = tmp_path_factory.mktemp("journeys") / "home"
    home.mkdir()
    installation = start(home, free_port())
    try:
        wait_for_catalog(installation)
        yield installation
    finally:
        installation.stop()


def wait_for_catalog(installation: Installation) -> None:
    """Wait until every starter algorithm is live; one that fails fails the test."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        counts = installation.starter()
        if counts["live"] == counts["total"] > 0:
            return
        assert counts["failed"] == 0, installation.home / "logs"
        time.sleep(0.5)
    raise AssertionError(f"the starter catalog is not live: {counts}")


def algorium(installation: Installation, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command `algorium` as an operator would; never raises for its status."""
    return subprocess.run(
        [sys.executable, "-m", "web.cli", *words],
        cwd=ROOT,
        env=installation.environment,
        check=False,
        capture_output=True,
        text=True,
    )


def new_key(installation: Installation, name: str) -> str:
    """Make an account with the sign-up grant, and give a key of it."""
    installation.command("users", "add", name)
    return installation.command("keys", "add", name)


def call(
    installation: Installation, key: str, path: str, value: object = 1, **more: object
) -> httpx.Response:
    """Call with JSON over real HTTP."""
    return httpx.post(
        f"{installation.url}/v1/algo/{path}",
        json=value,
        headers={"Authorization": key},
        timeout=60,
        **more,  # type: ignore[arg-type]
    )


class Person:
    """Somebody with a browser that has no script, signed in at the development provider."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.url = installation.url
        self.client = httpx.Client(base_url=self.url, follow_redirects=True, timeout=60)
        page = self.client.get("/sign_in")
        page = self.submit(page, "/sign_in")
        # The provider's own page asks who it is.
        action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        target = str(page.url) if action is None or not action[1] else action[1]
        page = self.client.post(str(page.url.join(target)), data={"sub": name})
        assert page.url.host == "127.0.0.1", page.url
        assert str(page.url).startswith(self.url), page.url

    def submit(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Send the form of a page that leads to `action`, with its hidden fields."""
        form = re.search(
            rf'<form[^>]*action="[^"]*{re.escape(action)}"[^>]*>(.*?)</form>', page.text, re.DOTALL
        )
        assert form is not None, f"no form leads to {action} on {page.url}"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1]))
        return self.client.post(
            action, data=hidden | fields, headers={"Origin": self.url, "Referer": self.url + "/"}
        )
