"""Sign-in through an OpenID Connect issuer: the code flow with PKCE, state and nonce.

What is promised: the issuer's own address is what it says of itself, its ID token is signed
with a public key of its own, made for us and for this very trip. An issuer that is away, slow
or broken is a refusal in words, never a fault of ours.
"""

from functools import lru_cache
from typing import Any

from authlib.common.errors import AuthlibBaseError

# Whichever of the two clients Authlib has found: its errors are what we may meet.
from authlib.integrations.httpx_client._compat import httpx2
from authlib.integrations.starlette_client import (
    OAuth,
    StarletteOAuth2App,
)
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse

from core.accounts.service import DEVELOPMENT, Claims
from core.errors import MarketError, NotAllowed, NotReady
from core.settings import Issuer, Settings

CALLBACK = "/sign_in/callback"

_PATIENCE_S = 5.0
_LONGEST = 255
# Signed with a key that only the issuer has; never `none`, never our own secret.
_SIGNATURES = frozenset(
    f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA", "Ed25519"}
_BROKEN = (
    httpx2.HTTPError, httpx2.InvalidURL,
    ValueError, KeyError, TypeError, AttributeError, RuntimeError,
)  # fmt: skip


class SignInRefused(NotAllowed):
    """The issuer, or what it sent, does not let this person in."""

    code = "sign_in_refused"


def usable(settings: Settings) -> Issuer | None:
    """Give the issuer that people may sign in with.

    The development one lets anyone in as anyone: it counts only where nobody but this machine
    can reach the site.
    """
    issuer = settings.issuer
    if issuer is not None and issuer.development and not settings.is_loopback:
        return None
    return issuer


async def leave(request: Request[Any], settings: Settings, issuer: Issuer) -> RedirectResponse:
    """Send the browser to the issuer; what must come back with it is kept in its cookie.

    Raises NotReady where the issuer doesn't answer.
    """
    client = _client(issuer)
    try:
        await _metadata(client, issuer)
        answer: RedirectResponse = await client.authorize_redirect(request, settings.url + CALLBACK)
    except _BROKEN as error:
        raise _away(issuer) from error
    return answer


async def arrive(request: Request[Any], issuer: Issuer) -> Claims:
    """Tell who came back from the issuer. Raises SignInRefused or NotReady.

    State is used up by it, whatever comes out: a callback works once.
    """
    client = _client(issuer)
    try:
        metadata = await _metadata(client, issuer)
        token = await client.authorize_access_token(
            request,
            claims_options={
                "iss": {"essential": True, "values": [metadata["issuer"]]},
                "aud": {"essential": True, "values": [issuer.client_id]},
            },
        )
        person = token.get("userinfo")
        if not person:
            raise SignInRefused(f"{issuer.label} said nothing of who you are.")
        known = await _more(client, token, dict(person))
    except AuthlibBaseError as error:
        raise _refused(issuer, error) from error
    except JoseError as error:
        raise SignInRefused(
            f"What {issuer.label} sent can't be trusted: {_word(error)}."
        ) from error
    except MarketError:
        raise
    except _BROKEN as error:
        raise _away(issuer) from error
    return _claims(issuer, known)


@lru_cache(maxsize=8)
def _client(issuer: Issuer) -> StarletteOAuth2App:
    """Make the client of an issuer; what it learns of the issuer is kept with it."""
    return OAuth().register(
        "issuer",
        client_id=issuer.client_id,
        client_secret=issuer.client_secret or None,
        server_metadata_url=f"{issuer.address}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "timeout": _PATIENCE_S,
        },
    )


async def _metadata(client: StarletteOAuth2App, issuer: Issuer) -> dict[str, Any]:
    """Learn of the issuer, once; nothing is kept of an answer that can't be right."""
    known = "_loaded_at" in client.server_metadata
    metadata: dict[str, Any] = await client.load_server_metadata()
    if known:
        return metadata
    if str(metadata.get("issuer", "")).rstrip("/") != issuer.address:
        client.server_metadata = {}
        raise NotReady(
            f"{issuer.label} calls itself {str(metadata.get('issuer'))[:200]!r}, and the setting "
            f"OIDC_ISSUER says {issuer.address!r}. Whoever runs this site must make them agree."
        )
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = sorted(_SIGNATURES & set(offered))
    client.client_kwargs["token_endpoint_auth_method"] = _how_to_authenticate(issuer, metadata)
    return metadata


def _how_to_authenticate(issuer: Issuer, metadata: dict[str, Any]) -> str:
    basic, post = "client_secret_basic", "client_secret_post"
    if not issuer.client_secret:
        return "none"
    offered = metadata.get("token_endpoint_auth_methods_supported") or [basic]
    return basic if basic in offered or post not in offered else post


async def _more(
    client: StarletteOAuth2App, token: dict[str, Any], person: dict[str, Any]
) -> dict[str, Any]:
    """Ask for the name where the ID token has none. Only the token says who it is."""
    if person.get("preferred_username") or person.get("name"):
        return person
    if not client.server_metadata.get("userinfo_endpoint") or not token.get("access_token"):
        return person
    said = dict(await client.userinfo(token=token))
    return {**said, **person} if said.get("sub") == person.get("sub") else person


def _claims(issuer: Issuer, person: dict[str, Any]) -> Claims:
    subject = person.get("sub")
    # Not by its address: the port may be another one tomorrow.
    by = DEVELOPMENT if issuer.development else str(person["iss"])
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST or len(by) > _LONGEST:
        raise SignInRefused(f"{issuer.label} gives you no name that can be kept.")
    words = (person.get(name) for name in ("preferred_username", "nickname", "email", "name"))
    wish = next((word for word in words if isinstance(word, str) and word.strip()), "")
    email = person.get("email") if person.get("email_verified") is True else ""
    return Claims(
        issuer=by,
        subject=subject,
        wish=wish or (subject if issuer.development else ""),
        email=email if isinstance(email, str) and len(email) < _LONGEST else "",
    )


def _away(issuer: Issuer) -> NotReady:
    return NotReady(
        f"{issuer.label} doesn't answer right now, so nobody can sign in through it. "
        "Try again in a minute."
    )


def _refused(issuer: Issuer, error: AuthlibBaseError) -> SignInRefused:
    if error.error == "access_denied":
        return SignInRefused(f"You were not signed in: {issuer.label} says it was declined.")
    if error.error == "mismatching_state":
        return SignInRefused(
            "This sign-in is over: it was used already, took too long, or was begun in another "
            "window. Begin again."
        )
    return SignInRefused(f"{issuer.label} refused this sign-in. Begin again.")


def _word(error: JoseError) -> str:
    return str(error.error).replace("_", " ")
