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


def apply(value, state):
    state["runs"] += 1
    act = value.get("do") if isinstance(value, dict) else None
    match act:
        case "count":
            return state["runs"]
        case "refuse":
            raise InputError("too small")
        case "fail":
            raise ValueError("out of luck")
        case "print":
            print("one")
            sys.stdout.flush()
            print("two", file=sys.stderr)
        case "write":
            os.write(1, b"straight")
        case "bytes":
            return b"\0\xff" * value["half"]
        case "scratch":
            found = sorted(os.listdir("/tmp"))
            Path("/tmp/left/deep").mkdir(parents=True)
            Path("/tmp/left/deep/file").touch()
            return found
        case "status":
            return Path("/proc/self/status").read_text()
        case "leave":
            subprocess.Popen(["sleep", "60"])
        case "call":
            return algorium.call(value["name"], value["with"], timeout=5)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(600)
        case "fill":
            held = [bytes([n % 256]) * 2**20 for n in range(2**12)]
            return len(held)
        case _:
            return value
