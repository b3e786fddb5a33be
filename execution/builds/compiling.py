"""Compiling an author's code, which happens in a sandbox: a compiler is no safe reader of it.

What comes back are files over the wire, taken as anything from a sandbox is: with suspicion.
"""

import asyncio
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import BuildFailed
from execution.builds.making import Log
from execution.languages.confined import making
from execution.sandbox.conversation import Conversation, Output
from execution.sandbox.launcher import NoBubblewrap
from execution.sandbox.limits import Limits
from execution.sandbox.process import spawn
from execution.sandbox.wire import MIB

LIMIT_S = 300.0
LARGEST_MIB = 128
MOST_FILES = 5_000
_LIMITS = Limits(memory_mib=2048, processes=256, tmp_mib=1024, open_files=1024, cpus=2.0)
_LINES = 60


async def compile_into(
    place: Path, command: tuple[str, ...], folders: dict[str, str], log: Log,
    environment: dict[str, str] | None = None,
) -> None:  # fmt: skip
    """Run a compiler that writes below `confined.MADE`, and put what it made into `place`.

    `folders` map places inside the sandbox to places outside. Raises BuildFailed with what
    the compiler said.
    """
    try:
        process = await spawn(making(command, folders, environment or {}), _LIMITS)
    except (OSError, NoBubblewrap) as error:
        raise BuildFailed("The sandbox for the compiler could not be started.") from error
    output = Output(process.output, 64 * 1024)
    taking = _Taking(place)
    conversation = Conversation(taking.take, taking.end)
    try:
        await conversation.connect(process.wire)
        async with asyncio.timeout(LIMIT_S):
            code = await taking.ended
    except TimeoutError as error:
        raise BuildFailed(f"Compiling took more than {LIMIT_S / 60:.0f} minutes.") from error
    finally:
        said = output.text()
        taking.ended.cancel()
        conversation.close()  # before its socket is, whose number others may get
        output.close()
        await process.dispose()
    for line in said.splitlines()[:_LINES]:
        log(f"  {line}".replace("/algorithm/", ""))
    if code != 0:
        lines = [line for line in said.splitlines() if not line.startswith("#")]
        first = next((line for line in lines if "error" in line), lines[0] if lines else "")
        raise BuildFailed(
            f"It can't be compiled: {first.replace('/algorithm/', '')[:600] or 'see the log'}"
        )


class _Taking:
    """Writes the files that a sandbox hands over, as far as they are in order."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._files: set[Path] = set()
        self._bytes = 0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def take(self, header: dict[str, Any], body: bytes) -> None:
        """Write a piece of a file, or note the end."""
        if self.ended.done():
            return
        if header.get("kind") == "done":
            self.ended.set_result(int(header.get("code") == 0) - 1)
        else:
            self._write(PurePosixPath(str(header.get("path"))), body, runs=bool(header.get("runs")))

    def end(self, reason: str) -> None:
        """Note that nothing more comes."""
        if not self.ended.done():
            self._refuse(f"The compiler ended early. {reason}")

    def _write(self, path: PurePosixPath, body: bytes, *, runs: bool) -> None:
        if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in str(path):
            self._refuse("The compiler made a file of an odd name.")
            return
        place = self._place / path
        self._files.add(place)
        self._bytes += len(body)
        if len(self._files) > MOST_FILES or self._bytes > LARGEST_MIB * MIB:
            self._refuse(f"What was compiled has more than {LARGEST_MIB} MiB.")
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("ab") as file:
                file.write(body)
            place.chmod(0o755 if runs else 0o644)
        except OSError as error:
            self._refuse(f"What was compiled can't be kept: {error.strerror}.")

    def _refuse(self, message: str) -> None:
        self.ended.set_exception(BuildFailed(message))
