"""Profiles of hardware: what the operator's setting says, and what fits where."""

import pytest

from core.errors import BadSetting
from core.hardware import DEFAULT, PROFILES, Node, offered
from core.settings import Settings


def test_without_a_setting_all_are_offered_at_their_own_rate() -> None:
    assert offered(None) == offered(" ") == tuple(PROFILES.values())
    assert DEFAULT.rate == 1000


def test_the_operator_sets_what_is_offered_and_at_which_rate() -> None:
    found = Settings.from_environment({"ALGORIUM_HARDWARE": "cpu-2 = 1.8, gpu,cpu-1=0.5"}).hardware
    assert {one.name: one.rate for one in found} == {"cpu-1": 500, "cpu-2": 1800, "gpu": 12_000}


def test_the_default_is_always_on_offer() -> None:
    assert offered("gpu")[0] == DEFAULT


@pytest.mark.parametrize(
    "text", ["abacus", "gpu=", "gpu=-1", "gpu=0.0001", "gpu=nan", "gpu=inf", "gpu=1e99", ","]
)
def test_a_setting_that_cant_be_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadSetting, match="ALGORIUM_HARDWARE"):
        offered(text)


@pytest.mark.parametrize(
    ("name", "node", "words"),
    [
        ("cpu-1", Node(0.1, 1, 0), ""),
        ("cpu-4", Node(4, 16_384, 0), ""),
        ("cpu-4", Node(3, 99_999, 8), "no machine of the cluster has 4 CPUs, 16 GiB"),
        ("gpu", Node(99, 99_999, 0), "has a GPU"),
        ("gpu", Node(99, 99_999, 0.9), "has a GPU"),
        ("gpu-quarter", Node(1, 8192, 0.25), ""),
        ("gpu", Node(1, 99_999, 1), "has 1 GPU, 2 CPUs, 16 GiB"),
    ],
)
def test_what_no_machine_can_run_says_why(name: str, node: Node, words: str) -> None:
    lacking = PROFILES[name].lacking([Node(1, 1, 0), node])
    assert (words in lacking) if words else not lacking
