"""Run one peer of the benchmark in its own environment: give it the data, hold its clock, tell its figures.

::

    PYTHON run.py PEER --data FILE.npz --seed 0 --threads 2 --epochs 1 2 3
    PYTHON run.py PEER --check

Each budget is told as a line of JSON on standard output; whatever else the libraries print goes to standard
error. ``--check`` imports what the peer needs and tells the versions.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

TEST_BATCH = 1000


class Job:
    """What a peer is to do, its clock, and the line on which it tells what it measured.

    Args:
        data: a .npz file of ``train_images, train_labels, test_images, test_labels`` (images uint8,
            N x C x H x W) and ``classes``, their number.
        folder: the same images as files in ``{train,val,test}/CLASS``; ``None`` where nobody asked for them.
        seed: of everything random.
        threads: how many to compute with.
        epochs: the budgets, ascending.
        channel: where the lines go.
    """

    def __init__(
        self,
        data: Path,
        *,
        folder: Path | None,
        seed: int,
        threads: int,
        epochs: Sequence[float],
        channel: TextIO,
    ) -> None:
        self.folder, self.seed, self.threads, self.epochs = folder, seed, threads, list(epochs)
        self.versions: dict[str, str] = {}
        self._channel = channel
        self._arrays = _read(data)
        self.classes = int(self._arrays["classes"])
        self._seconds = 0.0
        self._since: float | None = None

    def images(self, part: str) -> Any:
        """Give the images of ``train`` or ``test``: uint8, N x C x H x W."""
        return self._arrays[f"{part}_images"]

    def labels(self, part: str) -> Any:
        """Give the labels of ``train`` or ``test``: int64, N."""
        return self._arrays[f"{part}_labels"]

    def begin(self) -> None:
        """Start the clock, or let it go on: everything is imported, and the data are in memory."""
        self._since = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock, unless it stands still."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since
        self._since = None

    def measure(
        self, epochs: float, accuracy: Callable[[], float], *, operations: Callable[[], float] | None = None
    ) -> None:
        """Measure the test accuracy with the clock stopped, and tell what was reached.

        Args:
            epochs: how many are done.
            accuracy: measures it.
            operations: counts the floating-point operations of training on one image, where that is known.
        """
        running = self._since is not None
        self.pause()
        began = time.perf_counter()
        found, peak = accuracy(), peak_bytes()
        evaluated = time.perf_counter()
        line = {
            "epochs": epochs,
            "accuracy": found,
            "training_seconds": self._seconds,
            "images": round(epochs * len(self.labels("train"))),
            "operations": None if operations is None else operations(),
            "precision": "float32",
            "peak_bytes": peak,
            "versions": self.versions,
            "evaluation_seconds": evaluated - began,
            "aside_seconds": time.perf_counter() - evaluated,
        }
        self._channel.write(json.dumps(line) + "\n")
        self._channel.flush()
        if running:
            self.begin()

    def use_torch(self) -> None:
        """Let torch compute with the job's threads, from its seed."""
        import torch

        torch.set_num_threads(self.threads)
        torch.manual_seed(self.seed)

    def torch_batches(self, batch: int) -> Any:
        """Give torch's loader of shuffled training batches, float32 in [0, 1], gathered from memory at once.

        That spares a peer the loading of images one by one, which most recipes do.
        """
        import torch
        from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

        images = torch.from_numpy(self.images("train")).float().div_(255)
        whole: Any = TensorDataset(images, torch.from_numpy(self.labels("train")))
        order = BatchSampler(RandomSampler(whole), batch, drop_last=False)
        return DataLoader(whole, sampler=order, batch_size=None)

    def torch_accuracy(self, network: Any, prepare: Callable[[Any], Any] | None = None) -> float:
        """Give the share of test images that a torch network is right on.

        Args:
            network: gives logits; it is left in the mode in which it was.
            prepare: normalises uint8 images; ``None``: to [0, 1].
        """
        import torch

        prepare = prepare or (lambda images: images.float().div(255))
        was_training, right = network.training, 0
        network.eval()
        images, labels = torch.from_numpy(self.images("test")), torch.from_numpy(self.labels("test"))
        with torch.no_grad():
            for start in range(0, len(labels), TEST_BATCH):
                part = slice(start, start + TEST_BATCH)
                right += int((network(prepare(images[part])).argmax(dim=1) == labels[part]).sum())
        network.train(was_training)
        return right / len(self.labels("test"))

    def torch_operations(self, network: Any) -> float:
        """Count the floating-point operations of a torch network's training on one image."""
        import copy

        import torch
        from torch.utils.flop_counter import FlopCounterMode

        images = torch.rand(2, *self.images("train").shape[1:])
        network = copy.deepcopy(network).train()
        with FlopCounterMode(display=False) as counter:
            network(images).sum().backward()
        return float(counter.get_total_flops() / len(images))


def peak_bytes() -> int | None:
    """Give the most memory that this process ever held, resident.

    Linux's figure in /proc is asked first: that of ``getrusage`` also counts what the process that started
    this one held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        if found:
            return int(found[0]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one peer.

    Args:
        arguments: of the command; ``None``: those of this process.
    """
    parser = argparse.ArgumentParser(description="Run one peer of the benchmark.")
    parser.add_argument("peer", help="the module beside this file")
    parser.add_argument("--check", action="store_true", help="only import what it needs")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=float, nargs="+", default=[1])
    options = parser.parse_args(arguments)
    channel = _own_channel()
    peer = importlib.import_module(options.peer)
    with tempfile.TemporaryDirectory() as home:
        # Libraries keep settings at home, and some make them when they are imported: not in the user's own.
        os.environ.update(peer.ENVIRONMENT, HOME=home, USERPROFILE=home)
        _run(peer, options, channel)


def _run(peer: Any, options: argparse.Namespace, channel: TextIO) -> None:
    if "torchvision" in peer.LIBRARIES:
        import_torchvision()
    if options.check:
        for name in peer.IMPORTS:
            importlib.import_module(name)
        channel.write(json.dumps({"versions": _versions(peer)}) + "\n")
        channel.flush()
        return
    job = Job(
        options.data,
        folder=options.folder,
        seed=options.seed,
        threads=options.threads,
        epochs=options.epochs,
        channel=channel,
    )
    job.versions = _versions(peer)
    peer.train(job)


def import_torchvision() -> None:
    """Import torchvision, even where its compiled part cannot be loaded, as beside a CPU build of PyTorch.

    What it has in Python, its networks and transforms, needs nothing of that part; but its import does, since
    it describes two operators of it. They are declared then, and fail where somebody calls them.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        import torch

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", boxes)
        importlib.import_module("torchvision")


def _own_channel() -> TextIO:
    """Keep standard output to this module, and send what anything else prints there to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _versions(peer: Any) -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in peer.LIBRARIES}}


def _read(data: Path) -> dict[str, Any]:
    import numpy as np

    with np.load(data, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


if __name__ == "__main__":
    main()
