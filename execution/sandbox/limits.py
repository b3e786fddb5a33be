"""What one sandbox may use; everything beyond it fails inside, and harms nobody outside."""

from dataclasses import dataclass

from execution.sandbox.protection import Protection
from execution.sandbox.wire import MIB

RESULT_LIMIT = 15 * MIB
INPUT_LIMIT = 16 * MIB
NESTED_CALLS_LIMIT = 24


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker and of each run in it.

    `memory_mib` holds for all its processes together. `tmp_mib` bounds /tmp and /dev/shm,
    each; what lies there counts as memory too where control groups are at hand.
    `cpus` is how many cores' worth of time it may take, where control groups are at hand.
    `devices` are device files that it is shown, those of its GPU, which `visible` names.
    `protection` is the least that must hold it: with less it doesn't start.
    """

    memory_mib: int = 1024
    processes: int = 64
    tmp_mib: int = 512
    file_mib: int = 512
    open_files: int = 256
    result_bytes: int = RESULT_LIMIT
    stdout_bytes: int = 256 * 1024
    cpus: float = 1.0
    start_s: float = 20.0
    load_s: float = 300.0
    devices: tuple[str, ...] = ()
    visible: str = ""
    protection: Protection = Protection.NAMESPACES
