"""Where the faces in a picture are."""

import base64
import binascii
from pathlib import Path
from typing import Any

import cv2
import numpy as np

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000
WORKING_SIDE = 1280
CASCADE = "haarcascade_frontalface_default.xml"


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> cv2.CascadeClassifier:
    """Read the trained cascade once per process."""
    cv2.setNumThreads(1)
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / CASCADE))
    if cascade.empty():
        raise RuntimeError("The cascade is missing from the package.")
    return cascade


def apply(input: Any, cascade: cv2.CascadeClassifier) -> dict[str, Any]:
    """Boxes around upright faces that look towards the camera, the largest first."""
    options = input if isinstance(input, dict) else {"image": input}
    picture = picture_in(options)
    strictness = strictness_in(options)
    height, width = picture.shape

    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, _, weights = cascade.detectMultiScale3(
        cv2.equalizeHist(small),
        scaleFactor=1.1,
        minNeighbors=strictness,
        minSize=(24, 24),
        outputRejectLevels=True,
    )
    faces = [
        {
            "x": round(int(x) / scale),
            "y": round(int(y) / scale),
            "width": round(int(w) / scale),
            "height": round(int(h) / scale),
            "weight": round(float(weight), 3),
        }
        for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True)
    ]
    faces.sort(key=lambda face: (-face["width"], face["x"], face["y"]))
    return {"faces": faces, "count": len(faces), "image": {"width": width, "height": height}}


def strictness_in(options: dict[str, Any]) -> int:
    """How many overlapping finds make a face."""
    strictness = options.get("strictness", 6)
    if isinstance(strictness, bool) or not isinstance(strictness, int):
        raise InputError('"strictness" must be a whole number.')
    if not 1 <= strictness <= 20:
        raise InputError('"strictness" must be from 1 to 20.')
    return strictness


def picture_in(options: dict[str, Any]) -> np.ndarray:
    """The picture in shades of grey, turned upright as its camera says."""
    content = image_bytes_in(options)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise InputError("The image cannot be read: send a JPEG, PNG, WebP, BMP or TIFF file.")
    if picture.size > MAX_PIXELS:
        raise InputError(f"The image has more than {MAX_PIXELS} pixels.")
    return picture


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
