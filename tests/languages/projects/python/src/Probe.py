import os
import subprocess
import sys
import time
from pathlib import Path

import algorium


class InputError(Exception):
    pass


def load():
    Path("/tmp/kept").touch()
    return {"runs": 0}


def scratch():
    found = sorted(os.listdir("/tmp"))
    Path("/tmp/left/deep").mkdir(parents=True)
    Path("/tmp/left/deep/file").touch()
    return found


def printed():
    print("one", flush=True)
    print("two", file=sys.stderr)


def refuse():
    raise InputError("too small")


def fail():
    raise ValueError("out of luck")


def leave():
    subprocess.Popen(["sleep", "60"])


def write():
    os.write(1, b"straight")


ACTS = {
    "refuse": refuse,
    "fail": fail,
    "print": printed,
    "write": write,
    "scratch": scratch,
    "status": Path("/proc/self/status").read_text,
    "leave": leave,
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(600),
    "fill": lambda: len([bytes([n % 256]) * 2**20 for n in range(2**12)]),
}


def apply(value, state):
    state["runs"] += 1
    act = value.get("do") if isinstance(value, dict) else None
    if act == "count":
        return state["runs"]
    if act == "bytes":
        return b"\0\xff" * value["half"]
    if act == "call":
        return algorium.call(value["name"], value["with"], timeout=5)
    return ACTS[act]() if act in ACTS else value
