"""The GPUs that Ray assigned to a replica, as files that its sandboxes are shown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.hardware import Profile
from execution.sandbox.limits import Limits

# What any program on a GPU talks to beside the GPU itself.
_CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")


@dataclass(frozen=True, slots=True)
class Gpus:
    """Device files, and what the variable CUDA_VISIBLE_DEVICES says inside."""

    devices: tuple[str, ...] = ()
    visible: str = ""


@dataclass(frozen=True, slots=True)
class _Card:
    index: str
    minor: str
    uuid: str


def assigned(visible: str, root: Path = Path("/")) -> Gpus:
    """Find the files of the GPUs that `visible` names, by number or UUID, among those there are.

    Inside, they are named by UUID where the driver tells it: a number counts only the GPUs that
    can be seen, and there that is fewer.
    """
    cards = _cards(root)
    names: list[str] = []
    words: list[str] = []
    for word in filter(None, (part.strip() for part in visible.split(","))):
        card = next((one for one in cards if word in {one.index, one.uuid}), None)
        if card is not None:
            names.append(f"nvidia{card.minor}")
            words.append(card.uuid)
        elif word.isdigit():
            names.append(f"nvidia{word}")
            words.append(word)
    if not names:
        return Gpus()
    return Gpus(tuple(_existing((*names, *_CONTROL), root)), ",".join(words))


def all_here(root: Path = Path("/")) -> Gpus:
    """Find all GPUs of this machine."""
    found = (re.fullmatch(r"nvidia(\d+)", file.name) for file in (root / "dev").glob("nvidia*"))
    indices = {one.index for one in _cards(root)} or {one[1] for one in found if one}
    return assigned(",".join(sorted(indices, key=int)), root)


def limits_here(profile: Profile, memory_mib: int) -> Limits:
    """Give the limits of a sandbox that is started on this very machine, without Ray."""
    gpus = all_here() if profile.gpus else Gpus()
    return Limits(
        memory_mib=memory_mib,
        cpus=float(profile.cpus),
        devices=gpus.devices,
        visible=gpus.visible,
    )


def _existing(names: Iterable[str], root: Path) -> list[str]:
    return [f"/dev/{name}" for name in names if (root / "dev" / name).exists()]


def _cards(root: Path) -> list[_Card]:
    """Read what the driver tells of its cards, in the order of their places on the bus."""
    cards = []
    for index, folder in enumerate(sorted((root / "proc/driver/nvidia/gpus").glob("*"))):
        try:
            told = (folder / "information").read_text()
        except OSError:
            continue
        minor = re.search(r"^Device Minor:\s*(\d+)", told, re.MULTILINE)
        uuid = re.search(r"^GPU UUID:\s*(GPU-[\w-]+)", told, re.MULTILINE)
        if minor and uuid:
            cards.append(_Card(str(index), minor[1], uuid[1]))
    return cards
