"""The settings of an installation on several machines."""

from pathlib import Path

import pytest

from core.errors import BadSetting
from core.settings import Settings
from web.auth.secret import channel_secret, site_secret

LONG = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RAY_ADDRESS", "auto", "HOST:PORT"),
        ("RAY_ADDRESS", "ray://head:10001", "HOST:PORT"),
        ("RAY_ADDRESS", "head", "HOST:PORT"),
        ("DATA_URL", "builds", "no absolute path"),
        ("DATA_URL", "ftp://somewhere/x", "s3://"),
        ("DATA_URL", "s3://", "s3://"),
        ("ALGORIUM_SECRET", "short", "32"),
        ("ALGORIUM_BUILDS_MIB", "some", "no count"),
    ],
)
def test_what_cant_be_used_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(BadSetting, match=words) as refusal:
        Settings.from_environment({name: value})
    assert name in refusal.value.message


def test_what_can_be_used_is_taken() -> None:
    settings = Settings.from_environment(
        {"RAY_ADDRESS": "head.example:6379", "DATA_URL": "s3://bucket/folder/"}
    )
    assert (settings.ray_address, settings.data_url) == ("head.example:6379", "s3://bucket/folder")
    assert Settings.from_environment({"DATA_URL": "/shared"}).data_url == "/shared"


def test_machines_that_are_told_one_secret_know_each_other(tmp_path: Path) -> None:
    one, other = (
        Settings(home=tmp_path / name, secret=LONG, data_url=None) for name in ("one", "other")
    )
    assert channel_secret(one) == channel_secret(other) != site_secret(one)
    assert not (tmp_path / "one" / "secret").exists()
    alone = Settings(home=tmp_path / "one")
    assert channel_secret(alone) == channel_secret(alone) != channel_secret(one)
