"""Settings, read once from the environment by the three composition roots."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import BadSetting
from core.hardware import PROFILES, Profile, offered

DEFAULT_PORT = 8000
# Of sandboxes, from the least to the most; `execution.sandbox.protection` says what they mean.
PROTECTIONS = ("namespaces", "filter", "groups")
DATA_SCHEMES = ("s3", "gs", "az", "file")
SHORTEST_SECRET = 32


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OpenID Connect provider that people may sign in with."""

    address: str
    client_id: str
    client_secret: str
    label: str
    development: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How this installation runs. Every member is described in docs/operating.md."""

    home: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    database_url: str | None = None
    ray_address: str | None = None
    # Where builds go so that other machines find them; None where all is on this one.
    data_url: str | None = None
    # What one machine may keep of them.
    builds_mib: int = 20_480
    secret: str | None = None
    issuer: Issuer | None = None
    starter: bool = True
    # How many calls one account, and one version, may have under way at a gateway.
    concurrency: int = 80
    queue: int = 200
    min_protection: str = PROTECTIONS[0]
    # What versions may be published for, at which rates; all that there is, unless it is said.
    hardware: tuple[Profile, ...] = tuple(PROFILES.values())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment.

        Raises BadSetting with the variable's name where a value can't be used.
        """
        host = environment.get("ALGORIUM_HOST") or "127.0.0.1"
        port = _port(environment.get("ALGORIUM_PORT") or str(DEFAULT_PORT))
        url = (environment.get("ALGORIUM_URL") or _address(host, port)).rstrip("/")
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise BadSetting("ALGORIUM_URL", f"{url!r} is no http or https address")
        return cls(
            home=home_of(environment),
            host=host,
            port=port,
            url=url,
            database_url=environment.get("DATABASE_URL") or None,
            ray_address=_ray_address(environment.get("RAY_ADDRESS")),
            data_url=_data_url(environment.get("DATA_URL")),
            builds_mib=_count(environment, "ALGORIUM_BUILDS_MIB", default=20_480),
            secret=_secret(environment.get("ALGORIUM_SECRET")),
            issuer=_issuer(environment),
            starter=_flag(environment, "ALGORIUM_STARTER", default=True),
            concurrency=_count(environment, "ALGORIUM_CONCURRENCY", default=80),
            queue=_count(environment, "ALGORIUM_QUEUE", default=200),
            min_protection=_protection(environment.get("ALGORIUM_MIN_PROTECTION")),
            hardware=offered(environment.get("ALGORIUM_HARDWARE")),
        )

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is one that only this machine can reach."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def is_secure(self) -> bool:
        """Whether people reach the site by https, so that cookies may say so."""
        return self.url.startswith("https://")


def home_of(environment: Mapping[str, str]) -> Path:
    """Return where this machine keeps what is an installation's."""
    return Path(environment.get("ALGORIUM_HOME") or "~/.algorium").expanduser().absolute()


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port < 2**16:
        raise BadSetting("ALGORIUM_PORT", f"{text!r} is no port; give a number from 1 to 65535")
    return port


def _ray_address(text: str | None) -> str | None:
    """Check an address that gateways, which are no Ray processes, can read replicas at."""
    host, _, port = (text or "").rpartition(":")
    if text and not (host and "/" not in host and port.isascii() and port.isdigit()):
        raise BadSetting("RAY_ADDRESS", f"{text!r} is no HOST:PORT of a Ray head, such as ray:6379")
    return text or None


def _data_url(text: str | None) -> str | None:
    """Check that it is a folder's absolute path, or an address that names a store."""
    if not text:
        return None
    scheme, divider, rest = text.partition("://")
    if divider and scheme in DATA_SCHEMES and rest.strip("/"):
        return text.rstrip("/")
    if not divider and Path(text).is_absolute():
        return text
    known = ", ".join(f"{one}://" for one in DATA_SCHEMES)
    raise BadSetting("DATA_URL", f"{text!r} is no absolute path, and begins with none of {known}")


def _secret(text: str | None) -> str | None:
    if text and len(text) < SHORTEST_SECRET:
        raise BadSetting(
            "ALGORIUM_SECRET",
            f"it has {len(text)} characters; give {SHORTEST_SECRET} or more, by chance",
        )
    return text or None


def _protection(text: str | None) -> str:
    level = (text or PROTECTIONS[0]).lower()
    if level not in PROTECTIONS:
        words = ", ".join(PROTECTIONS)
        raise BadSetting("ALGORIUM_MIN_PROTECTION", f"{text!r} is no level; give one of {words}")
    return level


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name, "").lower()
    if not text:
        return default
    if text not in {"0", "1", "true", "false"}:
        raise BadSetting(name, f"{text!r} is neither 1 nor 0")
    return text in {"1", "true"}


def _count(environment: Mapping[str, str], name: str, *, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) == int(text):
        raise BadSetting(name, f"{text[:40]!r} is no count; give a number from 1 up")
    return int(text)


def _issuer(environment: Mapping[str, str]) -> Issuer | None:
    address = environment.get("OIDC_ISSUER")
    if not address:
        return None
    if not environment.get("OIDC_CLIENT_ID"):
        raise BadSetting("OIDC_CLIENT_ID", "it is needed where OIDC_ISSUER is set")
    return Issuer(
        address=address.rstrip("/"),
        client_id=environment["OIDC_CLIENT_ID"],
        client_secret=environment.get("OIDC_CLIENT_SECRET", ""),
        label=environment.get("OIDC_LABEL") or urlsplit(address).hostname or address,
        development=_flag(environment, "OIDC_DEVELOPMENT", default=False),
    )
