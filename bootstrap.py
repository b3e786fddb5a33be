#!/usr/bin/env python3
"""Makes the environment that everything runs in, from the committed lock.

    python3 bootstrap.py        what `make up` needs
    python3 bootstrap.py dev    with what checks need, too
    python3 bootstrap.py test   with what tests need, too: a browser, and languages

Any Python starts this file, so it is written for old ones too: a newer one is looked for,
and a clear sentence says what to do where there is none. When nothing changed since the last
time it is done in a moment.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCK = os.path.join(ROOT, "requirements.lock")
DEV_LOCK = os.path.join(ROOT, "requirements-dev.lock")
UNFINISHED = os.path.join(VENV, "algorium.unfinished")
STAMP = os.path.join(VENV, "algorium.json")
OLDEST = (3, 11)
NEEDED_MIB = 2500
NAMES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# What tests use of the system: Debian's package, any of its programs, and what tests need it.
TOOLS = [
    ("chromium", BROWSERS, "tests in a browser"),
    ("perl", ["perl"], "tests of Perl"),
    ("ruby", ["ruby"], "tests of Ruby"),
    ("default-jdk-headless", ["javac"], "tests of Java"),
    ("r-base-core", ["Rscript"], "tests of R"),
    ("golang-go", ["go", "/usr/local/go/bin/go"], "tests of Go"),
]
# What has no program of its own, and that a package of TOOLS is of no use without.
COMPANIONS = {"r-base-core": ["r-cran-jsonlite"]}
# pip's settings that uv does not read by itself, and the names it knows them by.
SHARED_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
LAUNCHER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from web.cli import main
sys.exit(main())
"""


class CannotGoOn(Exception):
    """One clear sentence, and the way out."""


def main(arguments):
    """Bring the environment up to date; gives the exit status, 2 where something is in the way."""
    if arguments not in ([], ["dev"], ["test"]):
        sys.stderr.write("usage: python3 bootstrap.py [dev|test]\n")
        return 2
    try:
        newer = find_python(sys.version_info[:2], NAMES)
        if newer:
            sys.stdout.flush()
            os.execv(newer, [newer, os.path.join(ROOT, "bootstrap.py"), *arguments])
        with one_at_a_time():
            bring_up_to_date(dev=bool(arguments))
            if arguments == ["test"]:
                provide_tools()
    except CannotGoOn as problem:
        sys.stderr.write("%s\n" % problem)
        return 2
    except OSError as error:
        sys.stderr.write("%s\n" % sentence_for(error))
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; the next run goes on from here.\n")
        return 130
    return 0


def find_python(running, names):
    """Give the path of a Python that is new enough, None where the running one is.

    Raises CannotGoOn where there is none.
    """
    if running >= OLDEST:
        return None
    for name in names:
        path = shutil.which(name)
        if path and answers(path, "import sys; sys.exit(sys.version_info < (3, 11))"):
            return path
    raise CannotGoOn(
        "Algorium needs Python 3.11 or newer; this is Python %d.%d, and no newer one was found. "
        "Install one (Debian: apt-get install python3 python3-venv), "
        "or name it: make up PYTHON=/path/to/python3.11" % running[:2]
    )


def bring_up_to_date(*, dev):
    """Install what the lock asks for, or nothing where that was done already."""
    have = read_json(STAMP)
    # An environment that somebody made by hand keeps what tests need, too.
    dev = dev or (not have and answers(PYTHON, "import pytest"))
    wanted = {"place": VENV, "main": digest(LOCK), "dev": digest(DEV_LOCK) if dev else None}
    if have.get("dev") and not dev:
        # What tests need stays, and is brought up to date only along with the rest.
        wanted["dev"] = have["dev"] if have["main"] == wanted["main"] else digest(DEV_LOCK)
    if have == wanted and not os.path.exists(UNFINISHED) and answers(PYTHON, "pass"):
        return
    started = time.time()
    say("Setting up the environment in %s (once; after that a start is quick)" % VENV)
    require_space()
    make_environment()
    # An environment that is left half done keeps this note, and is made anew.
    write(UNFINISHED, "")
    install_uv()
    install(DEV_LOCK if wanted["dev"] else LOCK)
    connect_checkout()
    write(STAMP, json.dumps(wanted))
    os.remove(UNFINISHED)
    say("  the environment is ready", started)


def make_environment():
    """Make the virtual environment, where there is none in this place that works."""
    is_whole = read_json(STAMP).get("place", VENV) == VENV and not os.path.exists(UNFINISHED)
    if is_whole and answers(PYTHON, "import sys, pip; sys.exit(sys.version_info < (3, 11))"):
        return
    command = [sys.executable, "-m", "venv", "--clear", VENV]
    if not answers(sys.executable, "import venv, ensurepip"):
        if not answers(sys.executable, "import venv, pip"):
            raise CannotGoOn(
                "%s cannot make virtual environments: its venv module is missing. "
                "Install it (Debian: apt-get install python3-venv)." % sys.executable
            )
        command.insert(-1, "--without-pip")
    run("making a virtual environment", command)


def install_uv():
    """Install uv, the lock's own version of it, which installs everything else."""
    with open(LOCK) as file:
        entries = file.read().split("\n")
    first = next(number for number, line in enumerate(entries) if line.startswith("uv=="))
    last = next(n for n in range(first, len(entries)) if not entries[n].endswith("\\"))
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as part:
        part.write("\n".join(entries[first : last + 1]) + "\n")
        part.flush()
        run("installing the installer", [*pip(), "-r", part.name])


def install(lock):
    """Install what `lock` lists and remove what it doesn't, checking every file's hash."""
    title = "installing packages"
    uv = [os.path.join(VENV, "bin", "uv"), "pip", "sync", "--python", PYTHON, "--require-hashes"]
    if sys.stderr.isatty():
        say("  %s" % title)
        done = subprocess.call([*uv, lock], env=uv_settings()) == 0
    else:
        done = attempt(title, [*uv, "--quiet", lock], uv_settings()) is None
    if not done:
        # uv is quicker; pip knows every proxy and mirror that this machine is set up for.
        run(title + " with pip instead", [*pip(), "-r", lock])


def pip():
    """Give the command that installs into the environment with pip."""
    inside = answers(PYTHON, "import pip")
    command = [PYTHON, "-m", "pip"] if inside else [sys.executable, "-m", "pip", "--python", PYTHON]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    return [*command, "install", "--require-hashes", *quiet]


def uv_settings():
    """Give the environment for uv, with what this machine's pip is told about mirrors."""
    settings = dict(os.environ)
    listed = output_of([PYTHON, "-m", "pip", "config", "list"])
    for line in listed.split("\n"):
        key, _, value = line.partition("=")
        name = SHARED_SETTINGS.get(key.strip(".:").split(".")[-1])
        if name:
            settings.setdefault(name, value.strip().strip("'\""))
    return settings


def connect_checkout():
    """Make the checkout importable, and `algorium` a command, without building anything."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = output_of([PYTHON, "-c", code]).strip()
    write(os.path.join(folder, "algorium.pth"), ROOT + "\n")
    script = os.path.join(VENV, "bin", "algorium")
    write(script, LAUNCHER.format(python=PYTHON))
    os.chmod(script, 0o755)


def provide_tools():
    """Install the system's programs that tests use where that can be done, else tell the rest."""
    missing = missing_tools()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        attempt("looking for packages", ["apt-get", "update"], quiet)
        # One by one: a machine that lacks one of them can have the others.
        for package, _, _ in missing:
            command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
            command += COMPANIONS.get(package, [])
            attempt("installing %s" % package, command, quiet)
        missing = missing_tools()
    for package, _, tests in missing:
        say(
            "%s was not found: %s are left out (Debian: apt-get install %s)."
            % (package, tests, package)
        )


def missing_tools():
    """List what tests use and isn't there."""
    return [tool for tool in TOOLS if not any(shutil.which(name) for name in tool[1])]


def require_space():
    """Raise CannotGoOn where the disk can't hold the environment."""
    free = shutil.disk_usage(ROOT).free // 2**20
    if free < NEEDED_MIB and not os.path.exists(PYTHON):
        raise CannotGoOn(
            "The disk of %s is full: %d MiB are free, and the environment needs %d. "
            "Free some space, and run it again." % (ROOT, free, NEEDED_MIB)
        )


@contextlib.contextmanager
def one_at_a_time():
    """Hold the checkout's folder, waiting for another setup of the same checkout."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Waiting for another setup of this checkout")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def run(title, command):
    """Run one step; raises CannotGoOn with what it said where it fails."""
    problem = attempt(title, command, os.environ)
    if problem is not None:
        raise CannotGoOn("Setting up failed while %s:\n%s" % (title, problem))


def attempt(title, command, environment):
    """Run one step, telling now and then that it goes on; gives what it said where it failed."""
    started = told = time.time()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if time.time() - told > 10:
                    told = time.time()
                    say("  %s, still at it" % title, started)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode == 0:
            say("  %s" % title, started)
            return None
        said.seek(0)
        return said.read().decode(errors="replace").strip()[-3000:]


def answers(python, code):
    """Whether a Python is there, starts, and ends `code` well."""
    try:
        with open(os.devnull, "w") as nowhere:
            return subprocess.call([python, "-c", code], stdout=nowhere, stderr=nowhere) == 0
    except OSError:
        return False


def output_of(command):
    """Give what a command printed, nothing where it failed."""
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=nowhere)
        return process.communicate()[0].decode(errors="replace")


def digest(path):
    """Give the hash of a file."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read_json(path):
    """Give what a file of ours says, nothing where it isn't there or is broken."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write(path, text):
    """Write a file whole or not at all."""
    with open(path + ".draft", "w") as file:
        file.write(text)
    os.replace(path + ".draft", path)


def say(line, since=None):
    """Tell how far it is."""
    print(line if since is None else "%-44s %6.1f s" % (line, time.time() - since), flush=True)


def sentence_for(error):
    """Put an error of the system into a sentence with the way out."""
    if error.errno == errno.ENOSPC:
        return "The disk of %s is full. Free some space, and run it again." % ROOT
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "%s cannot be written to. Make it yours, or copy the checkout." % error.filename
    return "The system said: %s (%s)." % (error.strerror, error.filename)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
