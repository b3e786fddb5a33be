"""The development sign-in says what it is, and serves its own site alone."""

from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from web.dev_provider import PEOPLE, make_app

SITE = "http://127.0.0.1:8000"
BASE = "http://127.0.0.1:21000"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    return make_app(21000, SITE).test_client()


def authorize(target: str) -> str:
    words = {"client_id": "us", "response_type": "code", "scope": "openid", "redirect_uri": target}
    return "/oauth2/authorize?" + urlencode(words)


def test_the_page_names_the_people_and_loads_nothing_from_outside(client: FlaskClient) -> None:
    page = client.get(authorize(f"{SITE}/back"), base_url=BASE).text
    assert "no passwords" in page
    assert all(f"Sign in as {name}" in page for name in PEOPLE)
    assert "http" not in page.replace(SITE, "")


@pytest.mark.parametrize("site", [SITE, "http://localhost:8000"])
def test_it_sends_people_back_to_the_site(client: FlaskClient, site: str) -> None:
    answer = client.post(authorize(f"{site}/back"), base_url=BASE, data={"sub": "alice"})
    assert answer.status_code == 302
    assert answer.location.startswith(f"{site}/back?code=")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("target", ["https://evil.example/back", "http://127.0.0.1:9/back"])
def test_it_sends_nobody_elsewhere(client: FlaskClient, target: str) -> None:
    answer = client.post(authorize(target), base_url=BASE, data={"sub": "alice"})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_foreign_name_for_this_machine_is_refused(client: FlaskClient) -> None:
    answer = client.get(authorize(f"{SITE}/back"), base_url="http://evil.example:21000")
    assert answer.status_code == 421
