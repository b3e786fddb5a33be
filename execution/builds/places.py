"""Where built things lie under the home of an installation."""

from pathlib import Path
from uuid import UUID


def versions(home: Path) -> Path:
    """The folder with one folder for each version's sources."""
    return home / "builds" / "versions"


def source_of(home: Path, version_id: UUID | str) -> Path:
    """The sources of one version: its project folder, read-only once it is live."""
    return versions(home) / str(version_id)


def environments(home: Path) -> Path:
    """The folder with one virtual environment for each set of requirements."""
    return home / "builds" / "environments"


def environment_of(home: Path, digest: str) -> Path:
    """The virtual environment of one set of requirements, shared by all that have the same."""
    return environments(home) / digest
