"""When somebody speaks in a recording."""

import base64
import binascii
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

MODEL = Path(__file__).parent.parent / "model" / "silero_vad_16k_op15.onnx"
MAX_BYTES = 30_000_000
MAX_SECONDS = 900
LOWEST_RATE = 8_000
HIGHEST_RATE = 192_000

RATE = 16_000
WINDOW = 512
CONTEXT = 64
# Speech has to fall this far below the threshold before it counts as over.
SLACK = 0.15
PAD_SECONDS = 0.03


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def load() -> onnxruntime.InferenceSession:
    """Read the network once per process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def apply(input: Any, network: onnxruntime.InferenceSession) -> dict[str, Any]:
    """The stretches of speech, and how much of the recording they are."""
    options = input if isinstance(input, dict) else {"audio": input}
    threshold = number_in(options, "threshold", 0.5, 0.05, 0.95)
    shortest = number_in(options, "min_speech_seconds", 0.25, 0, 10)
    pause = number_in(options, "min_pause_seconds", 0.2, 0, 10)
    samples = samples_in(wav_bytes_in(options))

    seconds = len(samples) / RATE
    speech = [
        {
            "start": round(max(0.0, start - PAD_SECONDS), 2),
            "end": round(min(seconds, end + PAD_SECONDS), 2),
        }
        for start, end in stretches(probabilities(samples, network), threshold, pause)
        if end - start >= shortest
    ]
    spoken = sum(stretch["end"] - stretch["start"] for stretch in speech)
    return {
        "speech": speech,
        "speech_seconds": round(spoken, 2),
        "total_seconds": round(seconds, 2),
        "speech_share": round(min(1.0, spoken / seconds), 4),
    }


def probabilities(samples: np.ndarray, network: onnxruntime.InferenceSession) -> list[float]:
    """For every window of 32 ms, how likely it is to be speech."""
    windows = -(-len(samples) // WINDOW)
    padded = np.zeros(CONTEXT + windows * WINDOW, np.float32)
    padded[CONTEXT : CONTEXT + len(samples)] = samples
    state = np.zeros((2, 1, 128), np.float32)
    rate = np.array(RATE, np.int64)
    found = []
    for window in range(windows):
        # Each window comes with the end of the one before.
        piece = padded[window * WINDOW : window * WINDOW + CONTEXT + WINDOW]
        output, state = network.run(None, {"input": piece[np.newaxis], "state": state, "sr": rate})
        found.append(float(output[0, 0]))
    return found


def stretches(probable: list[float], threshold: float, pause: float) -> list[tuple[float, float]]:
    """Start and end in seconds; pauses shorter than `pause` do not end a stretch."""
    step = WINDOW / RATE
    found: list[tuple[float, float]] = []
    start: float | None = None
    last = 0.0
    for window, probability in enumerate(probable):
        now = window * step
        if probability >= threshold and start is None:
            start = now
        if start is None:
            continue
        if probability >= threshold - SLACK:
            last = now + step
        elif now + step - last >= pause:
            found.append((start, last))
            start = None
    if start is not None:
        found.append((start, last))
    return found


def number_in(
    options: dict[str, Any], name: str, default: float, least: float, most: float
) -> float:
    """A number within its bounds."""
    number = options.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InputError(f'"{name}" must be a number.')
    if not least <= number <= most:
        raise InputError(f'"{name}" must be from {least} to {most}.')
    return float(number)


def wav_bytes_in(options: dict[str, Any]) -> bytes:
    """The file's bytes as such, or base64 inside JSON."""
    if "audio" not in options:
        raise InputError('The input has no "audio".')
    audio = options["audio"]
    if isinstance(audio, str):
        try:
            audio = base64.b64decode(audio, validate=True)
        except binascii.Error as error:
            raise InputError(f'"audio" is not base64: {error}.') from None
    if not isinstance(audio, bytes | bytearray):
        raise InputError('Send the WAV file\'s bytes, or JSON with them as base64 in "audio".')
    if not audio:
        raise InputError("The audio is empty.")
    if len(audio) > MAX_BYTES:
        raise InputError(f"The audio file is larger than {MAX_BYTES} bytes.")
    return bytes(audio)


def samples_in(content: bytes) -> np.ndarray:
    """One channel of samples from -1 to 1 at the rate worked with."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(f"The audio is not a plain (PCM) WAV file: {error}.") from None
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(f"The sampling rate must be from {LOWEST_RATE} to {HIGHEST_RATE} Hz.")
    frames = frames[: len(frames) - len(frames) % (width * channels)]
    samples = integers_in(frames, width)
    if channels > 1:
        samples = samples.reshape(-1, channels).mean(axis=1)
    if len(samples) == 0:
        raise InputError("The audio has no samples.")
    if len(samples) > rate * MAX_SECONDS:
        raise InputError(f"The audio is longer than {MAX_SECONDS} seconds.")
    return resampled(samples, rate)


def integers_in(frames: bytes, width: int) -> np.ndarray:
    """Samples of one to four bytes as numbers from -1 to 1."""
    if width == 1:
        samples = np.frombuffer(frames, np.uint8).astype(np.float32)
        samples -= 128
        samples /= 128
        return samples
    padded = np.zeros((len(frames) // width, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(frames, np.uint8).reshape(-1, width)
    return padded.view("<i4")[:, 0].astype(np.float32) / 2**31


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    """The same sound at the rate worked with; what is too high for that rate is filtered out."""
    if rate == RATE:
        return samples.astype(np.float32)
    if rate > RATE:
        reach = 16 * rate // RATE
        steps = np.arange(-reach, reach + 1)
        kernel = np.sinc(steps * 0.9 * RATE / rate) * np.hanning(len(steps))
        kernel = (kernel / kernel.sum()).astype(np.float32)
        samples = np.convolve(samples, kernel, mode="full")[reach : reach + len(samples)]
    times = np.arange(max(1, int(len(samples) * RATE / rate))) * (rate / RATE)
    before = times.astype(np.int64)
    after = np.minimum(before + 1, len(samples) - 1)
    share = (times - before).astype(np.float32)
    return samples[before] * (1 - share) + samples[after] * share
