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
    """The folder with what builds made beside sources: one folder for each content."""
    return home / "builds" / "environments"


def environment_of(home: Path, digest: str) -> Path:
    """What was built for one set of needs, shared by all versions that have the same."""
    return environments(home) / digest


def environment_path(home: Path, digest: str) -> str:
    """The same as an artefact says it: nothing where nothing had to be made."""
    return str(environment_of(home, digest)) if digest else ""
