"""The time zone of a point on the globe, and its clock at a given moment."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from timezonefinder import TimezoneFinder

MAX_POINTS = 1_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> TimezoneFinder:
    """Open the borders' data once per process."""
    return TimezoneFinder()


def apply(input: Any, finder: TimezoneFinder) -> Any:
    """One point, or a list of them in one call."""
    if isinstance(input, list):
        if not input:
            raise InputError("The list of points is empty.")
        if len(input) > MAX_POINTS:
            raise InputError(f"At most {MAX_POINTS} points a call, got {len(input)}.")
        return [zone_of(point, finder) for point in input]
    return zone_of(input, finder)


def zone_of(point: Any, finder: TimezoneFinder) -> dict[str, Any]:
    """The zone's name and how its clocks stand."""
    if not isinstance(point, dict):
        raise InputError('A point must be an object with "latitude" and "longitude".')
    latitude = degrees_in(point, "latitude", 90)
    longitude = degrees_in(point, "longitude", 180)
    moment = moment_in(point)

    name = finder.timezone_at(lat=latitude, lng=longitude)
    if name is None:
        return {"zone": None, "local_time": None, "utc_offset_minutes": None, "dst": None}
    local = moment.astimezone(ZoneInfo(name))
    offset, saving = local.utcoffset(), local.dst()
    return {
        "zone": name,
        "local_time": local.isoformat(timespec="seconds"),
        "utc_offset_minutes": round(offset.total_seconds() / 60) if offset is not None else None,
        "dst": bool(saving),
    }


def degrees_in(point: dict[str, Any], name: str, most: int) -> float:
    """A coordinate in degrees."""
    if name not in point:
        raise InputError(f'The point has no "{name}".')
    degrees = point[name]
    if isinstance(degrees, bool) or not isinstance(degrees, int | float):
        raise InputError(f'"{name}" must be a number.')
    if not -most <= degrees <= most:
        raise InputError(f'"{name}" must be from -{most} to {most}.')
    return float(degrees)


def moment_in(point: dict[str, Any]) -> datetime:
    """The moment asked about, which is now unless the point says another."""
    told = point.get("at")
    if told is None:
        return datetime.now(UTC)
    if not isinstance(told, str):
        raise InputError('"at" must be a text such as 2026-07-01T12:00:00Z.')
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise InputError('"at" must be a moment such as 2026-07-01T12:00:00Z.') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
