"""Bar codes and QR codes in a picture, and what they say."""

import base64
import binascii
import io
from typing import Any

import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def apply(input: Any) -> dict[str, Any]:
    """All codes that can be read, from the top of the picture down."""
    options = input if isinstance(input, dict) else {"image": input}
    picture = picture_in(options)
    codes = []
    for found in zxingcpp.read_barcodes(picture):
        position = found.position
        corners = (
            position.top_left,
            position.top_right,
            position.bottom_right,
            position.bottom_left,
        )
        codes.append(
            {
                "text": found.text,
                "format": str(found.format),
                "bytes": base64.b64encode(found.bytes).decode(),
                "corners": [{"x": corner.x, "y": corner.y} for corner in corners],
            }
        )
    codes.sort(key=lambda code: (code["corners"][0]["y"], code["corners"][0]["x"]))
    return {"codes": codes, "count": len(codes)}


def picture_in(options: dict[str, Any]) -> Image.Image:
    """The picture in shades of grey, turned upright as its camera says."""
    content = image_bytes_in(options)
    try:
        picture = Image.open(io.BytesIO(content))
        if picture.width * picture.height > MAX_PIXELS:
            raise InputError(f"The image has more than {MAX_PIXELS} pixels.")
        return ImageOps.exif_transpose(picture).convert("L")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise InputError(f"The image cannot be read: {error}.") from None


def image_bytes_in(options: dict[str, Any]) -> bytes:
    """The file's bytes as such, or base64 inside JSON."""
    if "image" not in options:
        raise InputError('The input has no "image".')
    image = options["image"]
    if isinstance(image, str):
        try:
            image = base64.b64decode(image, validate=True)
        except binascii.Error as error:
            raise InputError(f'"image" is not base64: {error}.') from None
    if not isinstance(image, bytes | bytearray):
        raise InputError('Send the image file\'s bytes, or JSON with them as base64 in "image".')
    if not image:
        raise InputError("The image is empty.")
    if len(image) > MAX_BYTES:
        raise InputError(f"The image file is larger than {MAX_BYTES} bytes.")
    return bytes(image)
