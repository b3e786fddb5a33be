"""Protection levels: what a machine gives, and the least that is demanded."""

from pathlib import Path

import pytest

from core.errors import BadSetting
from core.settings import PROTECTIONS, Settings
from execution.sandbox import cgroups, check, protection, seccomp
from execution.sandbox.cgroups import Parents
from execution.sandbox.limits import Limits
from execution.sandbox.protection import Protection, TooLittleProtection
from tests.sandbox.authors import Author
from web.up import checks
from web.up.errors import CannotStart


def groups(*, pids: bool = True) -> Parents:
    return Parents(Path("/m"), Path("/p") if pids else None, None, unified=False)


@pytest.mark.parametrize(
    ("filters", "found", "level"),
    [
        (False, groups(), Protection.NAMESPACES),
        (True, None, Protection.FILTER),
        (True, groups(pids=False), Protection.FILTER),
        (True, groups(), Protection.GROUPS),
    ],
)
def test_the_level_is_what_the_machine_gives(
    monkeypatch: pytest.MonkeyPatch, filters: bool, found: Parents | None, level: Protection
) -> None:
    monkeypatch.setattr(seccomp, "supported", lambda: filters)
    monkeypatch.setattr(cgroups, "parents", lambda: found)

    assert protection.given() is level
    assert (protection.missing() == []) is (level is Protection.GROUPS)
    protection.require(level)
    for more in list(Protection)[list(Protection).index(level) + 1 :]:
        with pytest.raises(TooLittleProtection, match=f"level {level} .* demands {more}"):
            protection.require(more)


def test_the_setting_and_the_levels_are_the_same_words() -> None:
    assert list(PROTECTIONS) == [str(level) for level in Protection]
    read = Settings.from_environment({"ALGORIUM_MIN_PROTECTION": "Groups"})
    assert read.min_protection == "groups"
    with pytest.raises(BadSetting, match="ALGORIUM_MIN_PROTECTION"):
        Settings.from_environment({"ALGORIUM_MIN_PROTECTION": "most"})


def test_a_start_below_the_demanded_level_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroups, "parents", lambda: None)
    settings = Settings(home=tmp_path, min_protection="groups")

    with pytest.raises(CannotStart, match="Delegate=yes"):
        checks.sandbox(settings)
    assert "protection level" in checks.sandbox(Settings(home=tmp_path))


async def test_no_sandbox_starts_without_the_group_that_is_demanded(
    writer: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "create", lambda _: None)
    writer.limits = Limits(protection=Protection.GROUPS)

    worker, failure = await writer.load(writer.write("def apply(x): return x"))

    assert failure is not None
    assert failure.type == "SystemError"
    assert not worker.usable


def test_a_kernel_that_hides_children_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 2**30)

    assert "CONFIG_PROC_CHILDREN" in check.problems()[0]
