"""The stored sample of a version: what its input and output are, shown or given as a file."""

from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from catalog import queries
from catalog.models import Version
from catalog.names import Selector
from core.errors import NotFound
from web.auth.identify import identify
from web.state import State

# How bytes begin, and what a browser may show them as. Nothing that can hold a script.
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png", "png"),
    (b"\xff\xd8\xff", 0, "image/jpeg", "jpg"),
    (b"GIF8", 0, "image/gif", "gif"),
    (b"WEBP", 8, "image/webp", "webp"),
    (b"WAVE", 8, "audio/wav", "wav"),
    (b"ID3", 0, "audio/mpeg", "mp3"),
    (b"OggS", 0, "audio/ogg", "ogg"),
)
_PLAIN = ("application/octet-stream", "bin")
# More of a text than this is given as a file.
SHOWN = 20_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A payload as a page shows it: as text, as a picture, as a sound, or by its size alone."""

    kind: str
    data: bytes

    @property
    def media(self) -> str:
        """What a browser may take the bytes for."""
        return _media(self.data)[0]

    @property
    def ending(self) -> str:
        """How the name of a file of it ends."""
        return {"json": "json", "text": "txt"}.get(self.kind) or _media(self.data)[1]

    @property
    def is_text(self) -> bool:
        """Whether it can be read."""
        return self.kind in {"json", "text"}

    @property
    def is_image(self) -> bool:
        """Whether it is a picture."""
        return not self.is_text and self.media.startswith("image/")

    @property
    def is_audio(self) -> bool:
        """Whether it is a sound."""
        return not self.is_text and self.media.startswith("audio/")

    @property
    def text(self) -> str:
        """The text, JSON laid out in lines."""
        text = self.data.decode("utf-8", "replace")
        if self.kind != "json":
            return text
        try:
            return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            # The second for what is nested deeper than can be laid out.
            return text

    @property
    def is_cut(self) -> bool:
        """Whether `text` is too long to be shown whole."""
        return len(self.data) > SHOWN

    @property
    def size(self) -> str:
        """How large it is, in words."""
        size = len(self.data)
        if size < 1000:  # noqa: PLR2004
            return f"{size} bytes"
        return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"  # noqa: PLR2004


def sample_input(version: Version) -> Shown | None:
    """Give the stored input, where the version has one."""
    if version.sample_input is None or version.sample_type is None:
        return None
    return Shown(version.sample_type, version.sample_input)


def sample_output(version: Version) -> Shown | None:
    """Give what the version answered to it when it was built."""
    if version.sample_output is None or version.sample_output_type is None:
        return None
    return Shown(version.sample_output_type, version.sample_output)


async def sample(request: Request[State]) -> Response:
    """Give a version's `sample` or `sample-output` as a file."""
    actor = await identify(request)
    parts = request.path_params
    makers = {"sample": sample_input, "sample-output": sample_output}
    if parts["which"] not in makers:
        raise NotFound("There is no page at this address.")
    async with request.state["sessions"]() as session:
        listing = await queries.listing(
            session, actor, parts["owner"], parts["name"], Selector.parse(parts["version"])
        )
    found = makers[parts["which"]](listing.version) if listing.version is not None else None
    if found is None:
        raise NotFound("This version has no such sample.")
    kept = "public" if actor.is_visitor else "private"
    headers = {
        "Content-Disposition": f'inline; filename="{parts["which"]}.{found.ending}"',
        "Cache-Control": f"{kept}, max-age=3600",
        # Opened by itself it may do nothing at all.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    media = "text/plain; charset=utf-8" if found.is_text else found.media
    return Response(found.data, media_type=media, headers=headers)


def _media(data: bytes) -> tuple[str, str]:
    for mark, at, media, ending in _KINDS:
        if data[at : at + len(mark)] == mark:
            return media, ending
    return _PLAIN
