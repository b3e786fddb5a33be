"""Trains the network in model/digits.onnx: run it in this folder.

It needs requirements.txt, scikit-learn==1.9.1 and skl2onnx==1.20.0. The data are the 1,797
handwritten digits that scikit-learn ships (test part of "Optical Recognition of Handwritten
Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0).
"""

import numpy as np
from PIL import Image
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from src.DigitRecognition import DEPTH, MODEL, SIDE, ink_in


def shifted(images: np.ndarray) -> list[np.ndarray]:
    """Copies moved by a pixel, since callers' digits are not always centred."""
    copies = []
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        copy = np.roll(images, step, axis=axis)
        edge = [slice(None)] * 3
        edge[axis] = slice(0, 1) if step > 0 else slice(-1, None)
        copy[tuple(edge)] = 0
        copies.append(copy)
    return copies


def as_pictures(images: np.ndarray, turn: float = 0) -> np.ndarray:
    """The images as they come out when a caller sends them as pictures."""
    seen = []
    for image in images:
        grey = Image.fromarray((255 - image * 255 / DEPTH).astype(np.uint8))
        large = grey.resize((96, 96), Image.Resampling.BICUBIC)
        page = Image.new("L", (144, 144), 255)
        page.paste(large, (24, 24))
        seen.append(ink_in(page.rotate(turn, Image.Resampling.BICUBIC, fillcolor=255)))
    return np.array(seen, np.float32)


def main() -> None:
    """Train on three quarters, tell the accuracy on the rest, save the network."""
    digits = load_digits()
    images = digits.images.astype(np.float32)
    train, test, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=0.25, random_state=7, stratify=digits.target
    )
    variants = [train, *shifted(train), *(as_pictures(train, turn) for turn in (0, -8, 8))]
    network = make_pipeline(
        StandardScaler(),
        MLPClassifier(hidden_layer_sizes=(128, 64), alpha=1e-3, max_iter=300, random_state=7),
    )
    network.fit(
        np.concatenate(variants).reshape(-1, SIDE * SIDE), np.tile(train_labels, len(variants))
    )
    for name, unseen in (("pixels", test), ("pictures", as_pictures(test))):
        accuracy = network.score(unseen.reshape(-1, SIDE * SIDE), test_labels)
        print(f"accuracy on {len(unseen)} unseen digits as {name}: {accuracy:.3f}")

    saved = to_onnx(
        network,
        np.zeros((1, SIDE * SIDE), np.float32),
        options={MLPClassifier: {"zipmap": False}},
        target_opset=17,
    )
    MODEL.parent.mkdir(exist_ok=True)
    MODEL.write_bytes(saved.SerializeToString())


if __name__ == "__main__":
    main()
