"""A real browser, one for the run."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium, without its own sandbox, which root can't have."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program is not None, "Chromium was not found; on Debian: apt-get install chromium"
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        await opened.close()
