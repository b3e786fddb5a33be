"""From what Ray assigns to device files, on a machine made of files."""

from pathlib import Path

import pytest

from execution.sandbox.gpus import Gpus, all_here, assigned

CONTROL = ("/dev/nvidiactl", "/dev/nvidia-uvm")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two GPUs, whose numbers run against their places on the bus."""
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).touch()
    for place, minor in (("0000:0a:00.0", 1), ("0000:1b:00.0", 0)):
        folder = tmp_path / "proc/driver/nvidia/gpus" / place
        folder.mkdir(parents=True)
        (folder / "information").write_text(
            f"Model: \t\t Some\nGPU UUID: \t GPU-aa{minor}\nDevice Minor: \t {minor}\n"
        )
    return tmp_path


@pytest.mark.parametrize("named", ["0", "GPU-aa1", " 0 "])
def test_one_is_its_file_the_control_files_and_its_uuid(machine: Path, named: str) -> None:
    assert assigned(named, machine) == Gpus(("/dev/nvidia1", *CONTROL), "GPU-aa1")


def test_several_and_all(machine: Path) -> None:
    both = Gpus(("/dev/nvidia1", "/dev/nvidia0", *CONTROL), "GPU-aa1,GPU-aa0")
    assert assigned("0,1", machine) == all_here(machine) == both


@pytest.mark.parametrize("named", ["", "-1", "MIG-x", "GPU-other"])
def test_what_is_no_gpu_of_this_machine_shows_nothing(machine: Path, named: str) -> None:
    assert assigned(named, machine) == Gpus()


def test_declared_gpus_that_arent_there_show_no_file(tmp_path: Path) -> None:
    assert assigned("0", tmp_path) == Gpus((), "0")
    assert all_here(tmp_path) == Gpus()


def test_without_the_drivers_word_the_number_is_the_files(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia2").touch()
    assert assigned("2", tmp_path) == all_here(tmp_path) == Gpus(("/dev/nvidia2",), "2")
