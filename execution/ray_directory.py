"""What replicas say of themselves, in the key-value store of Ray's head.

Read and written with Ray's own client of its head, which is a private part of Ray, as the
exact pin allows. Reading takes no joining: a gateway is no Ray process, so that it neither
costs what one does nor ends with the head.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import msgpack

from execution.channel.links import Entry

_NAMESPACE = b"algorium"
_PREFIX = b"replica:"
_TIMEOUT_S = 2
_ONE = False  # not all names that begin so
_OVER = True


class RayDirectory:
    """The `Directory` of one Ray cluster; `address` gives where its head is, or raises OSError."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._client: Any = None
        self._client_of = ""

    async def replicas(self) -> Mapping[str, Entry]:
        """Give what all replicas say of themselves, by name. Raises OSError."""
        return await asyncio.to_thread(self._read)

    async def forget(self, name: str) -> None:
        """Strike a replica off. Raises OSError."""
        await asyncio.to_thread(self._call, "internal_kv_del", _PREFIX + name.encode(), _ONE)

    async def enter(self, name: str, entry: Entry) -> None:
        """Write what a replica says of itself, over what was there. Raises OSError."""
        key, value = _PREFIX + name.encode(), msgpack.packb(asdict(entry))
        await asyncio.to_thread(self._call, "internal_kv_put", key, value, _OVER)

    def _read(self) -> dict[str, Entry]:
        names = self._call("internal_kv_keys", _PREFIX)
        found = self._call("internal_kv_multi_get", names) if names else {}
        return {
            name.removeprefix(_PREFIX).decode(): _entry(msgpack.unpackb(value))
            for name, value in found.items()
        }

    def _call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - Ray is untyped
        from ray._raylet import GcsClient  # type: ignore[attr-defined] # noqa: PLC0415
        from ray.exceptions import RayError  # noqa: PLC0415

        address = self._address()
        try:
            if self._client is None or self._client_of != address:
                self._client, self._client_of = GcsClient(address=address), address
            return getattr(self._client, method)(*arguments, _NAMESPACE, timeout=_TIMEOUT_S)
        except (RayError, RuntimeError) as error:
            self._client = None
            raise ConnectionError(f"Ray at {address} does not answer: {error}") from error


def _entry(said: dict[str, Any]) -> Entry:
    """Read what a replica said, which may be of another version than this code."""
    known = {one.name for one in fields(Entry)}
    return Entry(**{name: value for name, value in said.items() if name in known})
