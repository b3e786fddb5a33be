"""The development sign-in: an OpenID provider on this machine that asks for no password.

Run as a module. Whoever can reach it can sign in as anyone, so it listens on the loopback
address alone, and sends people back to its own site alone.
"""

import argparse
import os
from pathlib import Path
from urllib.parse import urlsplit

import flask
import jinja2
import oidc_provider_mock
import werkzeug.serving

from core.settings import is_loopback

PEOPLE = ("alice", "bob", "carol")
_HOST = "127.0.0.1"
_TEMPLATES = Path(__file__).with_name("up") / "templates"


def make_app(port: int, site: str) -> flask.Flask:
    """Make the provider for the one site at `site`, with the people that it knows."""
    app: flask.Flask = oidc_provider_mock.app(user_claims=[_user(name) for name in PEOPLE])
    app.debug = False
    # A browser sends cookies to every port of a host: the site's own must not be overwritten.
    app.config["SESSION_COOKIE_NAME"] = "development-sign-in"
    # Our page comes before the package's: it says what this is, and loads nothing from outside.
    own = jinja2.FileSystemLoader(_TEMPLATES)
    theirs = app.jinja_loader
    app.jinja_loader = own if theirs is None else jinja2.ChoiceLoader([own, theirs])

    @app.before_request
    def refuse_strangers() -> flask.Response | None:
        """A foreign page must neither reach us under a name of its own nor be our site."""
        if flask.request.host not in {f"{_HOST}:{port}", f"localhost:{port}"}:
            return flask.Response("This is not the address of the sign-in.\n", 421)
        target = flask.request.args.get("redirect_uri")
        if target is not None and not _is_site(target, site):
            return flask.Response(f"This sign-in is only for {site}.\n", 400)
        return None

    return app


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m web.dev_provider")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--site", required=True, help="the address of the site it signs in to")
    arguments = parser.parse_args()
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    app = make_app(arguments.port, arguments.site)
    server = werkzeug.serving.make_server(_HOST, arguments.port, app, threaded=True)
    server.serve_forever()


def _user(name: str) -> oidc_provider_mock.User:
    claims = {
        "name": name.capitalize(),
        "preferred_username": name,
        "email": f"{name}@example.org",
        "email_verified": True,
    }
    return oidc_provider_mock.User(sub=name, claims=claims)


def _is_site(target: str, site: str) -> bool:
    """Whether `target` lies on the site, by whichever name of this machine it is called."""
    asked, own = urlsplit(target), urlsplit(site)
    by_name = asked.hostname == own.hostname or is_loopback(asked.hostname or "")
    return by_name and (asked.scheme, asked.port) == (own.scheme, own.port)


if __name__ == "__main__":
    main()
