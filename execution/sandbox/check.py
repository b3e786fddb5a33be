"""Whether a sandbox can start on this machine, and what to do where it can't."""

import os
import platform
import subprocess
from pathlib import Path

from execution.languages.python.program import program
from execution.outcome import Artefact
from execution.sandbox import launcher, protection
from execution.sandbox.launcher import Entrance
from execution.sandbox.limits import Limits

_WAIT_S = 20
_SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "user.max_user_namespaces=15000"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


def problems() -> list[str]:
    """Return what keeps sandboxes from starting here, each as a sentence with the way out."""
    if platform.system() != "Linux":
        return ["Sandboxes need Linux; run Algorium in a Linux virtual machine."]
    try:
        bubblewrap = launcher.bubblewrap()
    except launcher.NoBubblewrap:
        return ["There is no bubblewrap: install the package `bubblewrap` (0.8 or newer)."]
    if not Path("/proc/self/task", str(os.getpid()), "children").exists():
        return ["This kernel doesn't tell a process's children; use one with CONFIG_PROC_CHILDREN."]
    said = _try(bubblewrap)
    if said is None:
        return []
    return _switched_off() or [_explained(said)]


def remarks() -> list[str]:
    """Return what works here, but less strictly than elsewhere."""
    found = protection.missing()
    if os.geteuid() == 0 and launcher.entrance() is Entrance.NAMESPACE:
        found.append(
            "This is root without its privileges: inside a sandbox the machine's device files"
            " belong to the algorithm's user, who could change their modes; run as another user."
        )
    return found


def _try(bubblewrap: str) -> str | None:
    """Start the interpreter in a sandbox; return what was said if that failed."""
    own = program(Artefact("check", "check", str(Path(__file__).parent), ""))
    arguments = launcher.arguments(own, Limits(), way=launcher.entrance(), wire=0, seccomp=None)
    start = arguments.index("--")
    python = own.argv[0]
    command = [bubblewrap, *arguments[: start + 1], python, "-I", "-S", "-c", ""]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_WAIT_S, env={}, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def _switched_off() -> list[str]:
    if launcher.entrance() is Entrance.ROOT:
        return []
    found = []
    for file, (off, setting) in _SWITCHES.items():
        path = Path(file)
        if path.exists() and path.read_text().strip() == off:
            found.append(
                f"User namespaces are switched off for ordinary users: run `sysctl -w {setting}`"
                " as root, or run Algorium as root."
            )
    return found


def _explained(said: str) -> str:
    last = said.splitlines()[-1].removeprefix("bwrap: ")
    if "proc" in last or "namespace" in last or "not permitted" in last or "loopback" in last:
        return (
            f"This machine lets no sandbox start ({last}): in a container, run it with"
            " `--privileged`, or with `--cap-add SYS_ADMIN --cap-add NET_ADMIN"
            " --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
            " --security-opt systempaths=unconfined`."
        )
    return f"A sandbox does not start here: {last}"
