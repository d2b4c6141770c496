"""What holds for every test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

SOURCE = Path(__file__).resolve().parents[1] / "src"

# A busy machine is no defect: hypothesis would fail an example for taking longer than 200 ms. A change is
# tried with the same examples each time, so that chance does not decide whether it passes; others are
# looked for with --hypothesis-profile=search.
settings.register_profile("striate", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("striate")


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., subprocess.Popen[bytes]]:
    """Start several processes of one thread each by torchrun, as a user does; a file takes what they say."""

    def start(processes: int, *command: str, log: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
        runner = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        with log.open("wb") as said:
            return subprocess.Popen(
                [*runner, f"--nproc-per-node={processes}", *command],
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    return start


@pytest.fixture(scope="session")
def photo_like() -> Callable[..., Image.Image]:
    """Make a picture with the spectrum of a photo (amplitudes as 1/f), another one for each seed."""

    def make(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
        random = np.random.default_rng(seed)
        width, height = size
        down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        amplitude = 1 / np.maximum(np.hypot(down, across), 1 / max(size)) ** 1.1
        planes = []
        for _ in range(3):
            phases = np.exp(2j * np.pi * random.random(amplitude.shape))
            plane = np.fft.irfft2(amplitude * phases, s=(height, width))
            planes.append((plane - plane.mean()) / plane.std())
        pixels = 128 + 45 * (planes[0] + 0.4 * np.stack([0 * planes[1], planes[1], planes[2]]))
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy())

    return make
