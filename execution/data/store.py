"""The data store: a folder, or a bucket of any object store that fsspec speaks to."""

import asyncio
import secrets
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import BadSetting

# What a scheme takes that isn't always installed.
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}


class StoreFailed(Exception):
    """The data store doesn't do what was asked of it; the message says which, and what it said."""


class Store:
    """Whole files by their names. Its methods work in threads, so that they hold nobody up."""

    def __init__(self, url: str) -> None:
        """`url` is what DATA_URL says. Raises BadSetting where its package isn't installed."""
        scheme = url.partition("://")[0] if "://" in url else "file"
        package = _PACKAGES.get(scheme)
        if package is not None:
            try:
                import_module(package)
            except ImportError as error:
                raise BadSetting(
                    "DATA_URL",
                    f"{scheme}:// needs the package {package}: pip install 'algorium[cluster]'",
                ) from error
        self.url = url
        self._is_folder = scheme == "file"
        self._made: tuple[Any, str] | None = None

    async def put(self, name: str, file: Path) -> None:
        """Keep a file under a name, whole or not at all. Raises StoreFailed."""
        await self._try(self._put, name, file)

    async def get(self, name: str, into: Path) -> None:
        """Copy a file to `into`. Raises StoreFailed, also where there is none."""
        await self._try(self._get, name, into)

    async def has(self, name: str) -> bool:
        """Whether there is a file of that name. Raises StoreFailed."""
        return bool(await self._try(self._has, name))

    async def _try(self, method: Any, *arguments: object) -> object:  # noqa: ANN401
        try:
            return await asyncio.to_thread(partial(method, *arguments))
        except Exception as error:
            # Each object store has exceptions of its own, and botocore's are no OSErrors.
            said = str(error)[:300] or type(error).__name__
            raise StoreFailed(f"The data store {self.url} failed: {said}") from error

    def _put(self, name: str, file: Path) -> None:
        files, root = self._open()
        place = f"{root}/{name}"
        if not self._is_folder:
            files.put_file(str(file), place)  # seen by nobody before it is whole
            return
        files.makedirs(place.rpartition("/")[0], exist_ok=True)
        part = f"{place}.{secrets.token_hex(4)}.part"
        try:
            files.put_file(str(file), part)
            Path(part).replace(place)
        finally:
            Path(part).unlink(missing_ok=True)

    def _get(self, name: str, into: Path) -> None:
        files, root = self._open()
        files.get_file(f"{root}/{name}", str(into))

    def _has(self, name: str) -> bool:
        files, root = self._open()
        files.invalidate_cache()
        return bool(files.exists(f"{root}/{name}"))

    def _open(self) -> tuple[Any, str]:
        if self._made is None:
            import fsspec  # noqa: PLC0415 - takes a moment, which most processes needn't spend

            files, root = fsspec.url_to_fs(self.url)
            self._made = files, root.rstrip("/")
        return self._made
