"""What is in the way of a start is told in a sentence with the way out."""

import os
import socket
from pathlib import Path

import pytest

from core.settings import Settings
from web.up import checks, instance, lock, sign_in
from web.up.errors import CannotStart


def settings_for(home: Path, **more: str) -> Settings:
    return Settings.from_environment({"ALGORIUM_HOME": str(home), **more})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OIDC_ISSUER", "GITHUB_CLIENT_ID", "GOOGLE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)


def test_a_home_is_made_for_its_owner_alone(home: Path) -> None:
    instance.prepare(home / "below")
    assert (home / "below").stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_homes_place_is_told(home: Path) -> None:
    home.write_text("")
    with pytest.raises(CannotStart, match="is not a folder") as refused:
        instance.prepare(home)
    assert "Set ALGORIUM_HOME" in refused.value.way_out


def test_a_home_below_a_file_is_told(home: Path) -> None:
    home.write_text("")
    with pytest.raises(CannotStart, match="cannot be written to"):
        instance.prepare(home / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_is_closed_to_us_is_told(home: Path) -> None:
    home.mkdir(mode=0o500)
    with pytest.raises(CannotStart, match="Permission denied"):
        instance.prepare(home)


def test_a_home_that_the_kernel_keeps_closed_is_told() -> None:
    with pytest.raises(CannotStart, match="cannot be written to"):
        instance.prepare(Path("/proc/algorium"))


def test_a_full_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    monkeypatch.setattr(checks, "_NEEDED_MIB", 2**40)
    with pytest.raises(CannotStart, match=r"is full: \d+ MiB are free"):
        checks.space(settings_for(home))


def test_a_port_in_use_is_told_with_its_user(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"using port {port} .*process {os.getpid()}") as told:
            checks.port(settings_for(home, ALGORIUM_PORT=str(port)))
    assert "ALGORIUM_PORT" in told.value.way_out


def test_an_address_of_another_machine_is_told(home: Path) -> None:
    with pytest.raises(CannotStart, match="not possible to listen") as told:
        checks.port(settings_for(home, ALGORIUM_HOST="192.0.2.77"))
    assert "ALGORIUM_HOST" in told.value.way_out


@pytest.mark.usefixtures("no_provider")
def test_the_development_sign_in_is_refused_beyond_this_machine(home: Path) -> None:
    public = settings_for(home, ALGORIUM_URL="https://market.example.org")
    with pytest.raises(CannotStart, match="lets anyone in as anyone") as told:
        checks.people(public)
    assert "OIDC_ISSUER" in told.value.way_out
    assert "development" in checks.people(settings_for(home))


@pytest.mark.usefixtures("no_provider")
def test_a_real_provider_takes_its_place(home: Path) -> None:
    real = settings_for(home, OIDC_ISSUER="https://id.example.org", OIDC_CLIENT_ID="us")
    assert not sign_in.is_needed(real)


def test_the_sign_in_keeps_its_port_unless_it_is_taken(home: Path) -> None:
    home.mkdir()
    first = sign_in.port_of(home)
    assert sign_in.port_of(home) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert sign_in.port_of(home) != first


def test_a_home_that_runs_is_not_started_again(home: Path) -> None:
    home.mkdir()
    with lock.held(home, lambda: None):
        assert lock.is_held(home)
        with pytest.raises(CannotStart, match=f"runs already .process {os.getpid()}."):
            lock.held(home, lambda: None).__enter__()
    assert not lock.is_held(home)


def test_a_home_that_stops_is_waited_for(home: Path) -> None:
    home.mkdir()
    first = lock.held(home, lambda: None)
    announce_stop = first.__enter__()
    announce_stop()
    waited = []

    def end_of_the_first() -> None:
        waited.append("once")
        first.__exit__(None, None, None)

    with lock.held(home, end_of_the_first):
        assert waited == ["once"]


def test_doctor_lists_everything_and_fails_when_something_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "sandbox", lambda _: "algorithms can be locked up")
    settings = settings_for(home, ALGORIUM_PORT=str(free_port()))
    assert checks.doctor(settings) == 0
    assert "NO" not in capsys.readouterr().out

    monkeypatch.setenv("PATH", "/nowhere")
    assert checks.doctor(settings) == 2
    said = capsys.readouterr().out
    assert "NO  git was not found. Install it" in said
    assert "1 of these" in said
