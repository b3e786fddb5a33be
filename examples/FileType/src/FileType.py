"""What kind of file some bytes are, from their content alone."""

import base64
import binascii
from typing import Any

import onnxruntime
from magika import Magika

MAX_BYTES = 10_000_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


class SingleThreaded(Magika):
    """The network is tiny: a pool of threads for it would only get in others' way."""

    def _init_onnx_session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(
            self._model_path, options, providers=["CPUExecutionProvider"]
        )


def load() -> Magika:
    """Read the network once per process."""
    return SingleThreaded()


def apply(input: Any, magika: Magika) -> dict[str, Any]:
    """The type, its group, and how sure the network is."""
    content = content_in(input)
    result = magika.identify_bytes(content)
    found = result.output
    return {
        "type": str(found.label),
        "description": found.description,
        "mime_type": found.mime_type,
        "group": found.group,
        "extensions": list(found.extensions),
        "is_text": found.is_text,
        "confidence": round(float(result.score), 4),
        "bytes": len(content),
    }


def content_in(value: Any) -> bytes:
    """The bytes as such, a text's bytes, or base64 inside JSON."""
    if isinstance(value, dict):
        if "content" not in value:
            raise InputError('The input has no "content".')
        value = value["content"]
        if not isinstance(value, str):
            raise InputError('"content" must be base64 text.')
        try:
            value = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise InputError(f'"content" is not base64: {error}.') from None
    elif isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes | bytearray):
        raise InputError('Send the file\'s bytes, or JSON with them as base64 in "content".')
    if not value:
        raise InputError("The file is empty.")
    if len(value) > MAX_BYTES:
        raise InputError(f"The file is larger than {MAX_BYTES} bytes.")
    return bytes(value)
