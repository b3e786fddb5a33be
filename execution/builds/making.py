"""What every build tool needs: to be run with little around it, and to make a thing once."""

import asyncio
import fcntl
import hashlib
import os
import resource
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from core.errors import BuildFailed

Log = Callable[[str], None]

LIMIT_S = 600.0
LARGEST_FILE = 8 * 2**30  # well above the largest library that anybody publishes
COMPLETE = ".complete"


def digest_of(*parts: str) -> str:
    """Name what is made from `parts`."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


async def made_once(place: Path, make: Callable[[Path], Awaitable[None]], log: Log) -> None:
    """Make the folder `place`, or take the one that is there.

    A build that dies leaves nothing that another could take for whole.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    # Alone only to make it: what is there may be in somebody's use for long.
    for how in (fcntl.LOCK_SH, fcntl.LOCK_EX):
        async with _locked(place.with_suffix(".lock"), how):
            if (place / COMPLETE).exists():
                log("Taking what an earlier build made of the same")
                return
            if how == fcntl.LOCK_EX:
                shutil.rmtree(place, ignore_errors=True)
                await make(place)
                (place / COMPLETE).touch()


async def tool(
    command: list[str],
    home: Path,
    log: Log,
    *,
    failed: str,
    given: str = "",
    cwd: Path | None = None,
    settings: Mapping[str, str] | None = None,
    kept: Iterable[str] = (),
) -> str:
    """Run a build tool, log what it says, and give what it printed.

    Of the operator's own environment it sees proxies, certificates, and the variables whose
    names begin with `kept`. Raises BuildFailed, with `failed` before the reason.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, cwd=str(cwd or home),
        env=_environment(os.environ, home, tuple(kept)) | dict(settings or {}),
    )  # fmt: skip
    with suppress(ProcessLookupError):
        # A package of a few kilobytes can hold a file that fills the disk.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    try:
        out, err = await asyncio.wait_for(process.communicate(given.encode()), LIMIT_S)
    except TimeoutError as error:
        raise BuildFailed(f"{failed}: it took more than {LIMIT_S / 60:.0f} minutes.") from error
    finally:
        if process.returncode is None:
            process.kill()
    said = err.decode("utf-8", "replace").strip()
    for line in said.splitlines():
        log(line.rstrip())
    if process.returncode:
        raise BuildFailed(f"{failed}: {_reason(said)}")
    return out.decode("utf-8", "replace")


def _reason(said: str) -> str:
    """Cut what a tool says to one sentence: what follows its arrows or error marks."""
    lines = [line.strip(" \u2502\u251c\u2570\u2500\u25b6\u00d7") for line in said.splitlines()]
    told = " ".join(line for line in lines if line)
    return told.removeprefix("error: ")[:600] or "no reason was given."


@asynccontextmanager
async def _locked(place: Path, how: int) -> AsyncIterator[None]:
    """Wait for a lock, which may be another process's."""
    handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, handle, how)
        yield
    finally:
        os.close(handle)


def _environment(outer: Mapping[str, str], home: Path, names: tuple[str, ...]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in outer.items()
        if name.startswith((*names, "SSL_CERT_")) or name.upper().endswith("_PROXY")
    }
    return kept | {"PATH": os.defpath, "HOME": str(home), "NO_COLOR": "1"}
