"""The melody of one voice or instrument: which notes sound when."""

import base64
import binascii
import io
import math
import wave
from typing import Any

import numpy as np

MAX_BYTES = 30_000_000
MAX_SECONDS = 300
LOWEST_RATE = 8_000
HIGHEST_RATE = 192_000

RATE = 16_000
FRAME = 1024
HOP = 160
LOWEST_PITCH = 60.0
HIGHEST_PITCH = 1500.0
PERIODIC = 0.15
QUIET = 0.01
SHORTEST_FRAMES = 5
BLOCK = 1000
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def apply(input: Any) -> dict[str, Any]:
    """The notes in order, and the range they cover."""
    options = input if isinstance(input, dict) else {"audio": input}
    tuning = options.get("a4_hertz", 440.0)
    if isinstance(tuning, bool) or not isinstance(tuning, int | float):
        raise InputError('"a4_hertz" must be a number.')
    if not 400 <= tuning <= 480:
        raise InputError('"a4_hertz" must be from 400 to 480.')
    samples = samples_in(wav_bytes_in(options))

    track = pitches(samples)
    voiced = track[track > 0]
    return {
        "notes": notes(track, float(tuning)),
        "median_hertz": round(float(np.median(voiced)), 1) if len(voiced) else None,
        "voiced_share": round(len(voiced) / len(track), 4),
        "total_seconds": round(len(samples) / RATE, 2),
    }


def pitches(samples: np.ndarray) -> np.ndarray:
    """The frequency every 10 ms, 0 where nothing has a pitch (method YIN)."""
    count = max(1, -(-len(samples) // HOP))
    padded = np.zeros(count * HOP + FRAME, np.float32)
    padded[FRAME // 2 : FRAME // 2 + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:count]
    blocks = [pitches_of(frames[at : at + BLOCK]) for at in range(0, count, BLOCK)]
    return np.concatenate(blocks)


def pitches_of(frames: np.ndarray) -> np.ndarray:
    """The frequency of each frame from the shift at which it resembles itself most."""
    frames = frames.astype(np.float64)
    shifts = int(RATE / LOWEST_PITCH) + 2
    window = FRAME - shifts

    # How much each frame differs from itself shifted, for all shifts at once.
    size = 2 * FRAME
    head = np.fft.rfft(frames[:, :window], size)
    products = np.fft.irfft(np.fft.rfft(frames, size) * head.conj(), size)[:, :shifts]
    squares = np.concatenate([np.zeros((len(frames), 1)), np.cumsum(frames**2, axis=1)], axis=1)
    energy = squares[:, window : window + shifts] - squares[:, :shifts]
    difference = np.maximum(energy[:, :1] + energy - 2 * products, 0)

    # Relative to the mean over the shorter shifts, so that one bound serves loud and soft.
    running = np.cumsum(difference[:, 1:], axis=1)
    relative = np.ones_like(difference)
    relative[:, 1:] = difference[:, 1:] * np.arange(1, shifts) / np.maximum(running, 1e-12)

    loud = np.sqrt(energy[:, 0] / window) >= QUIET
    found = np.zeros(len(frames))
    for index in np.flatnonzero(loud):
        found[index] = pitch_of(relative[index])
    return found


def pitch_of(relative: np.ndarray) -> float:
    """The first shift that is good enough, followed down to the bottom of its dip."""
    first, last = int(RATE / HIGHEST_PITCH), len(relative) - 1
    good = np.flatnonzero(relative[first:last] < PERIODIC)
    if len(good) == 0:
        return 0.0
    shift = first + int(good[0])
    while shift + 1 < last and relative[shift + 1] < relative[shift]:
        shift += 1
    before, at, after = relative[shift - 1 : shift + 2]
    bend = before - 2 * at + after
    offset = (before - after) / (2 * bend) if bend > 0 else 0.0
    return RATE / (shift + float(np.clip(offset, -1, 1)))


def notes(track: np.ndarray, tuning: float) -> list[dict[str, Any]]:
    """Frames in a row that are nearest to the same note, if they last long enough."""
    nearest = [round(69 + 12 * math.log2(pitch / tuning)) if pitch > 0 else None for pitch in track]
    found = []
    start = 0
    for end in range(1, len(nearest) + 1):
        if end < len(nearest) and nearest[end] == nearest[start]:
            continue
        midi = nearest[start]
        if midi is not None and end - start >= SHORTEST_FRAMES:
            hertz = float(np.median(track[start:end]))
            exact = 69 + 12 * math.log2(hertz / tuning)
            found.append(
                {
                    "note": f"{NAMES[midi % 12]}{midi // 12 - 1}",
                    "midi": midi,
                    "start": round(start * HOP / RATE, 2),
                    "end": round(end * HOP / RATE, 2),
                    "hertz": round(hertz, 1),
                    "cents_off": round(100 * (exact - midi)),
                }
            )
        start = end
    return found


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
