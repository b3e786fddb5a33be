"""Which digit a small handwritten picture shows."""

import base64
import binascii
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, UnidentifiedImageError

MODEL = Path(__file__).parent.parent / "model" / "digits.onnx"
SIDE = 8
DEPTH = 16.0
MAX_BYTES = 2_000_000
MAX_PIXELS = 4_000_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> onnxruntime.InferenceSession:
    """Read the network once per process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def apply(input: Any, network: onnxruntime.InferenceSession) -> dict[str, Any]:
    """The likeliest digit, and how likely each of the ten is."""
    options = input if isinstance(input, dict) else {"image": input}
    pixels = pixels_in(options)
    _, probabilities = network.run(None, {network.get_inputs()[0].name: pixels.reshape(1, -1)})
    digit = int(probabilities[0].argmax())
    return {
        "digit": digit,
        "confidence": round(float(probabilities[0][digit]), 4),
        "probabilities": [round(float(probability), 4) for probability in probabilities[0]],
    }


def pixels_in(options: dict[str, Any]) -> np.ndarray:
    """Eight by eight values of ink from 0 to 16, as the network was trained on."""
    if "pixels" in options:
        try:
            pixels = np.asarray(options["pixels"], dtype=np.float32)
        except (TypeError, ValueError):
            raise InputError('"pixels" must be eight rows of eight numbers.') from None
        if pixels.shape != (SIDE, SIDE):
            raise InputError('"pixels" must be eight rows of eight numbers.')
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > DEPTH:
            raise InputError('"pixels" must be numbers from 0 (paper) to 16 (ink).')
        return pixels
    return ink_in(picture_in(options))


def picture_in(options: dict[str, Any]) -> Image.Image:
    """The picture in shades of grey on white."""
    content = image_bytes_in(options)
    try:
        picture = Image.open(io.BytesIO(content))
        if picture.width * picture.height > MAX_PIXELS:
            raise InputError(f"The image has more than {MAX_PIXELS} pixels.")
        coloured = ImageOps.exif_transpose(picture).convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise InputError(f"The image cannot be read: {error}.") from None
    paper = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(paper, coloured).convert("L")


def ink_in(picture: Image.Image) -> np.ndarray:
    """Cut the digit out, make it square and shrink it; dark paper is turned over first."""
    grey = np.asarray(picture, dtype=np.float32)
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(edge))
    if ink.max() < 32:
        raise InputError("The image shows nothing: a digit must stand out from its background.")
    rows, columns = np.nonzero(ink > ink.max() / 4)
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(ink.shape)
    square = np.zeros((side, side), np.float32)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    small = Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float32)
    return pixels * (DEPTH / pixels.max())


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
