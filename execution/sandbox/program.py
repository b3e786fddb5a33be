"""What a language tells the launcher: which command to run, and what it needs to see."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Program:
    """The process inside a sandbox that speaks the frames of `wire.py`.

    The launcher appends one argument to `argv`: JSON with `wire` (the number of the
    connected socket), `user` (the user id to become first, null to stay), `limits`, and
    `door` (null, or the port of a listening socket to send over the wire first).
    `files` and `folders` map places inside to absolute paths outside, all read-only;
    `links` map places inside to what they point at.
    """

    argv: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
