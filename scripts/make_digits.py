"""Write src/striate/data/digits.npz from the scans that scikit-learn distributes.

Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI repository (1998); CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).resolve().parents[1] / "src" / "striate" / "data" / "digits.npz"
TEST_IMAGES = 360


def main() -> None:
    """Scale the values 0..16 to 0..255, set the last 360 images apart, and write the file."""
    scans = load_digits()
    images = np.rint(scans.images * (255 / 16)).astype(np.uint8)
    labels = scans.target.astype(np.uint8)
    np.savez_compressed(
        TARGET,
        x_train=images[:-TEST_IMAGES],
        y_train=labels[:-TEST_IMAGES],
        x_test=images[-TEST_IMAGES:],
        y_test=labels[-TEST_IMAGES:],
    )
    print(f"{TARGET}: {len(images)} images, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
