"""The environment is made from the lock by whatever Python is there, or a sentence says why not."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, pointed at an empty checkout with an environment that looks finished."""
    module = load()
    for name, path in (
        ("ROOT", ""),
        ("VENV", ".venv"),
        ("PYTHON", ".venv/bin/python"),
        ("LOCK", "requirements.lock"),
        ("DEV_LOCK", "requirements-dev.lock"),
        ("UNFINISHED", ".venv/algorium.unfinished"),
        ("STAMP", ".venv/algorium.json"),
    ):
        monkeypatch.setattr(module, name, str(tmp_path / path))
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text('#!/bin/sh\ntest "$2" != "import pytest"\n')
    python.chmod(0o755)
    (tmp_path / "requirements.lock").write_text("uv==1 \\\n    --hash=sha256:a\nother==2\n")
    (tmp_path / "requirements-dev.lock").write_text("dev\n")
    return module


@pytest.fixture
def steps(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed, by the name of its lock."""
    done: list[str] = []
    monkeypatch.setattr(bootstrap, "make_environment", lambda: None)
    monkeypatch.setattr(bootstrap, "install_uv", lambda: None)
    monkeypatch.setattr(bootstrap, "install", lambda lock: done.append(Path(lock).name))
    monkeypatch.setattr(bootstrap, "connect_checkout", lambda: None)
    monkeypatch.setattr(bootstrap, "require_space", lambda: None)
    return done


def test_it_can_be_read_by_old_pythons() -> None:
    ast.parse((ROOT / "bootstrap.py").read_text(), feature_version=(3, 6))


def test_an_old_python_alone_is_told_what_to_do(bootstrap: ModuleType) -> None:
    with pytest.raises(
        bootstrap.CannotGoOn, match=r"needs Python 3\.11 or newer; this is Python 3\.8"
    ):
        bootstrap.find_python((3, 8), [])


def test_an_old_python_finds_a_newer_one(bootstrap: ModuleType) -> None:
    assert bootstrap.find_python((3, 8), ["no-such-python", sys.executable]) == sys.executable
    assert bootstrap.find_python((3, 11), []) is None


def test_nothing_is_done_twice(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.bring_up_to_date(dev=False)
    bootstrap.bring_up_to_date(dev=False)
    assert steps == ["requirements.lock"]


def test_what_tests_need_stays_installed(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.bring_up_to_date(dev=True)
    bootstrap.bring_up_to_date(dev=False)
    bootstrap.bring_up_to_date(dev=True)
    assert steps == ["requirements-dev.lock"]


def test_an_environment_made_by_hand_keeps_what_tests_need(
    bootstrap: ModuleType, steps: list[str]
) -> None:
    Path(bootstrap.PYTHON).write_text("#!/bin/sh\n")
    bootstrap.bring_up_to_date(dev=False)
    assert steps == ["requirements-dev.lock"]


def test_a_changed_lock_is_installed(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.bring_up_to_date(dev=True)
    Path(bootstrap.LOCK).write_text("changed")
    bootstrap.bring_up_to_date(dev=False)
    assert steps == ["requirements-dev.lock", "requirements-dev.lock"]


def test_a_setup_that_was_cut_short_is_done_again(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.bring_up_to_date(dev=False)
    Path(bootstrap.UNFINISHED).touch()
    bootstrap.bring_up_to_date(dev=False)
    assert steps == ["requirements.lock"] * 2
    assert not Path(bootstrap.UNFINISHED).exists()


def test_a_full_disk_is_told(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(bootstrap.PYTHON).unlink()
    monkeypatch.setattr(bootstrap, "NEEDED_MIB", 2**40)
    with pytest.raises(bootstrap.CannotGoOn, match="Free some space"):
        bootstrap.require_space()


def test_a_step_that_fails_tells_what_it_said(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.CannotGoOn, match="while trying:\nno way"):
        bootstrap.run("trying", ["/bin/sh", "-c", "echo no way; exit 3"])


def test_programs_that_tests_miss_are_told(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    bootstrap.provide_tools()
    said = capsys.readouterr().out
    for package, _, tests in bootstrap.TOOLS:
        assert f"{tests} are left out (Debian: apt-get install {package})" in said


def test_the_command_works_from_a_path_with_spaces(tmp_path: Path) -> None:
    module = load()
    folder = tmp_path / "with spaces"
    folder.mkdir()
    (folder / "python").symlink_to("/bin/echo")
    script = folder / "algorium"
    script.write_text(module.LAUNCHER.format(python=folder / "python"))
    script.chmod(0o755)

    done = subprocess.run([script, "up"], capture_output=True, text=True, check=True)

    assert done.stdout == f"{script} up\n"


def test_make_lists_what_it_can_do() -> None:
    done = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True)
    for word in ("make up", "make test", "make check", "make doctor"):
        assert word in done.stdout


def test_make_tells_that_there_is_no_python() -> None:
    command = ["make", "-C", ROOT, "up", "PYTHON=/no/python"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Install Python 3.11 or newer" in done.stderr
