"""How the sandbox is set up, and what stands in its way on a machine."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from execution.languages.confined import interpreter_folders
from execution.languages.python.interpreters import own
from execution.languages.python.program import program
from execution.outcome import Artefact
from execution.sandbox import cgroups, check, launcher, wire
from execution.sandbox.launcher import Entrance
from execution.sandbox.limits import Limits
from execution.sandbox.program import Program
from tests.sandbox.authors import Author, again, value_of

MIB = 1024 * 1024


def test_nothing_stands_in_the_way_here() -> None:
    assert check.problems() == []
    assert all(remark.endswith((".", "that.")) for remark in check.remarks())


def test_without_bubblewrap_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise launcher.NoBubblewrap

    monkeypatch.setattr(launcher, "bubblewrap", none)

    assert "install" in check.problems()[0]


def test_a_machine_that_refuses_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
    )
    refusing.chmod(0o755)
    monkeypatch.setattr(launcher, "bubblewrap", lambda: str(refusing))
    monkeypatch.setattr(launcher, "entrance", lambda: Entrance.NAMESPACE)

    assert "No permissions to create new namespace" in check.problems()[0]


def test_switches_that_are_off_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    switch.write_text("0\n")
    monkeypatch.setattr(check, "_SWITCHES", {str(switch): ("0", "kernel.some=1")})
    monkeypatch.setattr(check, "_try", lambda _: "bwrap: no")
    monkeypatch.setattr(launcher, "entrance", lambda: Entrance.NAMESPACE)

    assert "sysctl -w kernel.some=1" in check.problems()[0]


def test_every_sandbox_of_root_has_a_user_of_its_own() -> None:
    users = {launcher.new_user(Entrance.ROOT) for _ in range(100)}

    assert len(users) == 100
    assert 0 not in users
    assert launcher.new_user(Entrance.NAMESPACE) is None


async def test_our_state_is_hidden_where_it_lies_in_what_is_shown(
    author: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = author.write(
        "import os\ndef apply(x): return [os.listdir('/algorithm'), os.listdir('/algorithm/home')]",
        files={"home/token": "swordfish"},
    )
    monkeypatch.setenv("ALGORIUM_HOME", f"{artefact.source}/home")
    worker, failure = await author.load(artefact)

    assert failure is None
    assert value_of(await again(worker)) == [["home", "src"], []] or value_of(
        await again(worker)
    ) == [["src", "home"], []]


async def test_places_that_only_root_may_enter_can_be_shown(author: Author, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    author.folder = closed

    assert value_of(await author.run("def apply(x): return x", 1)) == 1


def test_a_path_is_no_option(tmp_path: Path) -> None:
    odd = tmp_path / "--bind"
    arguments = launcher.arguments(
        Program(argv=("/bin/true",), folders={"/algorithm": str(odd)}),
        Limits(),
        way=Entrance.NAMESPACE,
        wire=3,
        seccomp=None,
    )

    at = arguments.index(str(odd))
    assert arguments[at - 1 : at + 2] == ["--ro-bind", str(odd), "/algorithm"]


def test_a_sandbox_is_shown_the_devices_of_its_gpu_and_no_others() -> None:
    def devices(limits: Limits) -> list[tuple[str, str]]:
        arguments = launcher.arguments(
            Program(argv=("/bin/true",)), limits, way=Entrance.NAMESPACE, wire=3, seccomp=None
        )
        return [
            (arguments[n + 1], arguments[n + 2])
            for n, word in enumerate(arguments)
            if word == "--dev-bind-try"
        ]

    assert devices(Limits()) == []
    both = ("/dev/nvidia3", "/dev/nvidiactl")
    assert devices(Limits(devices=both, visible="GPU-3")) == [(one, one) for one in both]


SEES = """
import os, stat
def apply(x):
    def kind(path):
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return None
        return stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev), os.minor(found.st_rdev)
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    return [*map(kind, x), *map(os.environ.get, names)]
"""


async def test_a_device_is_seen_inside_only_by_those_that_have_it(author: Author) -> None:
    usual = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    other = next(
        (one for one in sorted(Path("/dev").iterdir())
         if one.is_char_device() and not one.is_symlink() and one.name not in usual), None,
    )  # fmt: skip
    if other is None:
        pytest.skip("This machine has no device beside those of every sandbox.")
    asked = [str(other), "/dev/nvidia99"]
    assert value_of(await author.run(SEES, asked)) == [None, None, None, "1"]
    number = other.stat().st_rdev
    author.limits = replace(author.limits, devices=tuple(asked), visible="GPU-1", cpus=2.0)
    assert value_of(await author.run(SEES, asked)) == [
        [os.major(number), os.minor(number)], None, "GPU-1", "2",
    ]  # fmt: skip


def test_the_interpreter_is_never_the_environments_own(tmp_path: Path) -> None:
    own = tmp_path / "env" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\n")

    made = program(Artefact("v", "Probe", str(tmp_path), str(tmp_path / "env")))

    assert not made.argv[0].startswith(str(tmp_path))


def test_an_environment_is_found_at_the_path_it_was_made_at() -> None:
    made = program(Artefact("v", "Probe", "/srv/source", "/srv/environments/e1"))
    inside = program(Artefact("v", "Probe", "/srv/source", f"{sys.base_prefix}/lib/e1"))

    assert made.links == {"/srv/environments/e1": "/env"}
    assert inside.links == {}


def test_an_environment_cant_have_other_folders_shown(tmp_path: Path) -> None:
    state = tmp_path / "state" / "bin"
    state.mkdir(parents=True)
    (state / "python").touch()
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(state / "python")

    made = program(Artefact("v", "Probe", str(tmp_path / "src"), str(tmp_path / "env")))

    assert str(tmp_path / "state") not in made.folders.values()


def test_of_an_interpreter_in_somebodys_home_only_its_own_folders_are_shown(
    tmp_path: Path,
) -> None:
    for folder in ("bin", "lib", "Documents"):
        (tmp_path / folder).mkdir()
    shown = interpreter_folders(replace(own(), program=f"{tmp_path}/bin/python3"))
    assert set(shown.values()) == {f"{tmp_path}/bin", f"{tmp_path}/lib"}


def test_groups_of_version_2_are_made_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slice_ = tmp_path / "system.slice"
    (slice_ / "algorium.service").mkdir(parents=True)
    (slice_ / "cgroup.subtree_control").write_text("cpu memory pids\n")
    monkeypatch.setattr(cgroups, "_ROOT", tmp_path)

    found = cgroups._unified("/system.slice/algorium.service")

    assert found is not None
    assert found.memory == slice_
    monkeypatch.setattr(cgroups, "_may_create", lambda _: False)
    assert cgroups._unified("/system.slice/algorium.service") is None


def test_a_group_of_version_2_holds_what_is_asked(tmp_path: Path) -> None:
    places = cgroups.Parents(tmp_path, tmp_path, tmp_path, unified=True)
    (tmp_path / "algorium-1").mkdir()
    (tmp_path / "algorium-1" / "memory.events").write_text("oom 1\noom_kill 2\n")
    (tmp_path / "algorium-1").rename(tmp_path / "made")

    with pytest.raises(FileNotFoundError):
        cgroups._create_unified(places, "algorium-2", Limits(memory_mib=64))
    folder = tmp_path / "algorium-2"
    assert (folder / "memory.max").read_text() == str(64 * MIB)
    assert (folder / "pids.max").read_text() == "68"
    group = cgroups.Cgroup((folder,), cgroups._open(tmp_path / "made" / "memory.events"))
    assert group.oom_kills() == 2


def test_frames_survive_being_cut_anywhere() -> None:
    frames = [({"kind": "run", "id": n}, bytes(n * 100)) for n in range(5)]
    stream = b"".join(wire.encode(*frame) for frame in frames)
    decoder = wire.Decoder()

    got = []
    for at in range(0, len(stream), 7):
        decoder.feed(stream[at : at + 7])
        while (frame := decoder.next()) is not None:
            got.append(frame)
    assert got == frames


def test_a_frame_beyond_the_limit_is_neither_made_nor_read() -> None:
    with pytest.raises(wire.WireError):
        wire.encode({}, bytes(wire.BODY_LIMIT + 1))
    decoder = wire.Decoder()
    decoder.feed(b"\xff\xff\xff\xff\x00\x02{}")
    with pytest.raises(wire.WireError):
        decoder.next()
