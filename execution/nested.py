"""Calls that a running algorithm makes: posted to the gateway, as the person who called it."""

from base64 import b64decode
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from catalog.names import Reference
from core.errors import NotFound
from execution.outcome import ContentType, Failure, Payload

_TYPES = {
    ContentType.TEXT: "text/plain; charset=utf-8",
    ContentType.JSON: "application/json",
    ContentType.VOID: "application/json",
    ContentType.BINARY: "application/octet-stream",
}
# The gateway answers when the call ends, and knows best when that has to be.
_TIMEOUT = httpx.Timeout(connect=5.0, write=30.0, read=None, pool=None)


class Gateway:
    """Where algorithms are called at; one for all runs of a process."""

    def __init__(self, address: str) -> None:
        """Connect at the first call; `address` is like "http://127.0.0.1:8000"."""
        self._address = address.rstrip("/")
        self._client: httpx.AsyncClient | None = None

    async def call(self, reference: str, payload: Payload, token: str) -> Payload | Failure:
        """Call "owner/name" or "owner/name/version"; never raises for what comes of it."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
        try:
            # No dots that would lead to another address of the gateway.
            Reference.parse(reference)
        except NotFound as refusal:
            return Failure(refusal.error_type, refusal.message)
        path = "/".join(quote(part, safe="@.*") for part in reference.strip("/").split("/"))
        data = b"null" if payload.content_type is ContentType.VOID else payload.data
        try:
            answer = await self._client.post(
                f"{self._address}/v1/algo/{path}",
                content=data,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": _TYPES[payload.content_type],
                },
            )
            return _read(orjson.loads(answer.content))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return Failure("SystemError", f"{reference} could not be reached.")

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()


def _read(envelope: Any) -> Payload | Failure:  # noqa: ANN401 - what JSON holds
    if not isinstance(envelope, dict):
        return Failure("SystemError", "The answer could not be read.")
    error = envelope.get("error")
    if isinstance(error, dict):
        kind = str(error.get("error_type") or "AlgorithmError")
        return Failure(kind, str(error.get("message", "")), str(error.get("stacktrace") or ""))
    if "result" not in envelope:
        return Failure("SystemError", "The answer could not be read.")
    metadata, result = envelope.get("metadata") or {}, envelope["result"]
    match metadata.get("content_type") if isinstance(metadata, dict) else None, result:
        case "binary", str():
            return Payload(ContentType.BINARY, b64decode(result, validate=True))
        case "text", str():
            return Payload(ContentType.TEXT, result.encode())
        case _:
            return Payload(ContentType.JSON, orjson.dumps(result))
