"""How fast and how large our layers are, each beside the plain way to the same result in torch, in one run.

Every pair works on the same 64 x 32 x 56 x 56 float32 tensor (``--small`` for a quick look). The two sides
take turns, round by round, and there are five processes, since where memory comes to lie differs from one to
the next and moves these times by up to half. The table has the median time of each side and the median of
the rounds' ratios, with its range over the processes, forward alone and with the backward pass. Memory is
how much a process of its own grows at its peak during one forward and backward pass: outputs and gradients
are counted, inputs and weights are not. While times are measured, a process keeps memory that is freed, as
in a training with striate.

- median: `MedianPool` beside ``unfold`` and ``Tensor.median``. With stride 3 windows do not overlap, so that
  the other side writes out no more than the input has, and the gradient by the input is most of the memory.
- minimum: `MinPool` beside torch's maximum over the same windows, in both orders of memory, and
  ``-max(-x)``.
- blur: `BlurPool` bordered by zeros, beside a strided depthwise convolution with the same kernel and border
  and beside kornia's, where kornia is installed; and with its usual reflected border, beside that
  convolution, whose border is less work, and beside one behind ``F.pad``, which gives the same result.
- local: `LocallyConnected` beside ``unfold`` and ``einsum``, with its weights in the order that suits these.
- trace: `striate.geometry.trace` of ResNet-152 at 224 x 224; there is nothing beside it.

Measured on 2 cores of a shared AMD EPYC, torch 2.13.0, Python 3.11.7, kornia 0.9.0, nothing else running, 5
processes of 11 rounds, first forward, then with the backward pass, then the share of memory:

- The median with stride 1 is 38 times faster (12 ms against 437), 13 (39 against 502), 0.20; with padding 1
  25 times, 10.6, 0.18; with stride 2 13 times, 6.4, 0.41; with stride 3 7.7 times, 4.1, 0.74.
- The minimum takes 0.12 to 0.27 of the maximum's time, 0.48 to 0.72 with the backward pass. With channels
  last it takes 0.47 to 1.20, and 1.15 to 1.39, which is over the 1.3 that it is to stay within.
- The blur bordered by zeros takes 1.05 times the depthwise convolution's time, 1.01 with the backward pass,
  and kornia's takes 1.05 and 1.01 times that of ours. Reflected, it takes 1.07 and 1.42 times that of the
  convolution bordered by zeros (with channels last 1.75 and 1.48), and is 1.3 and 1.5 times faster than the
  padded one (1.3 and 1.3).
- The locally connected layer is 8.1 times faster, 6.0, 0.39. The tracer takes 0.10 s.

Run it with nothing else running, ``python benchmarks/layers.py`` (about 10 minutes on 2 cores): on a busy
machine the cores wait for each other at every one of our many small operations.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from striate.engine.memory import keep_freed_memory
from striate.nn import BlurPool, LocallyConnected, MedianPool, MinPool
from striate.studies.bench_machine import describe_machine

FULL = (64, 32, 56, 56)
SMALL = (8, 16, 28, 28)

Layer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Pair:
    """Two ways to the same, or nearly the same, result.

    Args:
        name: of the row.
        ours: given the tensor's shape, what is to be run, and the parameters that get gradients.
        theirs: likewise.
        same: whether the results are equal, so that it is checked.
        target: of their time divided by ours (or, where ``slower``, ours by theirs).
        slower: whether ours may take longer, by the target at most.
        order: in which the images lie in memory.
    """

    name: str
    ours: Callable[[tuple[int, ...]], tuple[Layer, list[Tensor]]]
    theirs: Callable[[tuple[int, ...]], tuple[Layer, list[Tensor]]]
    same: bool = True
    target: float = 1.0
    slower: bool = False
    order: torch.memory_format = torch.contiguous_format

    def images(self, shape: tuple[int, ...]) -> Tensor:
        """Make images, the same ones each time."""
        images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return images.contiguous(memory_format=self.order).requires_grad_()


def plain(layer: Callable[[Tensor], Tensor]) -> Callable[[tuple[int, ...]], tuple[Layer, list[Tensor]]]:
    """Make what runs a layer without parameters on any shape."""
    return lambda _: (layer, [])


def median_by_unfolding(window: int, stride: int, padding: int = 0) -> Layer:
    """Give the plain way to the median of windows; unlike ours it counts the padding, as zeros."""

    def median(images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        columns = F.unfold(images, window, stride=stride, padding=padding)
        values = columns.view(count, channels, window * window, -1).median(dim=2).values
        down, right = ((side + 2 * padding - window) // stride + 1 for side in (height, width))
        return values.view(count, channels, down, right)

    return median


def local(shape: tuple[int, ...]) -> tuple[Layer, list[Tensor]]:
    """Make our locally connected layer, 3 x 3 with as many outputs as inputs."""
    torch.manual_seed(0)
    layer = LocallyConnected(shape[1], shape[1], size=shape[2:], kernel=3)
    layer.bias = None
    return layer, [layer.weight]


def local_by_unfolding(shape: tuple[int, ...]) -> tuple[Layer, list[Tensor]]:
    """Make the plain way to the same: all windows side by side, and a product at each position."""
    ours, _ = local(shape)
    channels, down, right = ours.outputs, *ours.positions
    # Positions first, which suits the product best; within a window, unfold has the channel before the place.
    by_channel = ours.weight.detach().movedim(4, 2).reshape(down * right, 9 * channels, channels)
    weight = by_channel.clone().requires_grad_()

    def weigh(images: Tensor) -> Tensor:
        return torch.einsum("nkp,pko->nop", F.unfold(images, 3), weight).unflatten(2, (down, right))

    return weigh, [weight]


def blur(mode: str) -> Callable[[tuple[int, ...]], tuple[Layer, list[Tensor]]]:
    """Give what makes our blur pooling with a border of that kind."""
    return lambda shape: (BlurPool(shape[1], padding_mode=mode), [])


def depthwise(shape: tuple[int, ...]) -> tuple[Layer, list[Tensor]]:
    """Make the strided depthwise convolution with the kernel of our blur, bordered by zeros."""
    weight = depthwise_weight(shape)
    return lambda images: F.conv2d(images, weight, stride=2, padding=1, groups=shape[1]), []


def padded_depthwise(shape: tuple[int, ...]) -> tuple[Layer, list[Tensor]]:
    """Make the same behind a reflected border, as Zhang has it."""
    weight = depthwise_weight(shape)

    def blurred(images: Tensor) -> Tensor:
        return F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), weight, stride=2, groups=shape[1])

    return blurred, []


def depthwise_weight(shape: tuple[int, ...]) -> Tensor:
    """Give the kernel of our blur for each channel."""
    line = torch.tensor([0.25, 0.5, 0.25])
    return torch.outer(line, line).expand(shape[1], 1, 3, 3).contiguous()


def kornia_blur(shape: tuple[int, ...]) -> tuple[Layer, list[Tensor]]:
    """Make kornia's blur pooling."""
    del shape
    from kornia.filters import BlurPool2D

    return BlurPool2D(kernel_size=3, stride=2), []


def minimum_beside_maximum(window: int, stride: int, padding: int) -> Iterator[Pair]:
    """Give the pairs of a minimum and torch's maximum over the same windows."""
    largest = torch.nn.MaxPool2d(window, stride=stride, padding=padding)
    smallest = MinPool(window, stride=stride, padding=padding)
    named = f"{window}x{window} stride {stride}" + (f" padding {padding}" if padding else "")
    common: dict[str, Any] = {"theirs": plain(largest), "same": False, "target": 1.3, "slower": True}
    yield Pair(f"minimum {named}", plain(smallest), **common)
    yield Pair(f"minimum {named}, channels last", plain(smallest), **common, order=torch.channels_last)
    yield Pair(f"-max(-x) {named}", plain(lambda images: -largest(-images)), **common)


def blurs(order: torch.memory_format, named: str) -> Iterator[Pair]:
    """Give the pairs of our blur, bordered by zeros or reflected, and the plain ways to it."""
    common: dict[str, Any] = {"order": order, "target": 1.2, "slower": True}
    yield Pair(f"blur of zeros, beside depthwise{named}", blur("zeros"), depthwise, **common)
    if importlib.util.find_spec("kornia"):
        yield Pair(f"blur of zeros, beside kornia{named}", blur("zeros"), kornia_blur, order=order)
    yield Pair(f"blur reflected, beside depthwise{named}", blur("reflect"), depthwise, same=False, **common)
    yield Pair(f"blur reflected, beside padded{named}", blur("reflect"), padded_depthwise, order=order)


def pairs() -> Iterator[Pair]:
    """Give all pairs that can be measured here."""
    for stride in (1, 2, 3):
        ours, theirs = MedianPool(3, stride=stride), median_by_unfolding(3, stride)
        yield Pair(f"median 3x3 stride {stride}", plain(ours), plain(theirs), target=6)
    padded = plain(MedianPool(3, stride=1, padding=1)), plain(median_by_unfolding(3, 1, 1))
    yield Pair("median 3x3 stride 1 padding 1", *padded, same=False, target=6)
    for window, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 1, 1)):
        yield from minimum_beside_maximum(window, stride, padding)
    yield from blurs(torch.contiguous_format, "")
    yield from blurs(torch.channels_last, ", channels last")
    yield Pair("local 3x3", local, local_by_unfolding, target=2)


def run_once(layer: Layer, images: Tensor, parameters: list[Tensor], *, backward: bool) -> None:
    """Run a layer forward, and backward to the images and parameters if that is wanted."""
    if not backward:
        with torch.no_grad():
            layer(images)
        return
    out = layer(images)
    torch.autograd.grad(out, [images, *parameters], torch.ones_like(out))


def seconds(layer: Layer, images: Tensor, parameters: list[Tensor], *, backward: bool) -> float:
    """Time a run."""
    began = time.perf_counter()
    run_once(layer, images, parameters, backward=backward)
    return time.perf_counter() - began


def measure(pair: Pair, shape: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Time both sides of a pair in turns, forward alone and with the backward pass."""
    images = pair.images(shape)
    sides = [pair.ours(shape), pair.theirs(shape)]
    if pair.same:
        with torch.no_grad():
            assert torch.allclose(*(layer(images) for layer, _ in sides), atol=1e-5), pair.name
    row: dict[str, Any] = {}
    for way, backward in (("forward", False), ("both", True)):
        for layer, parameters in sides:
            run_once(layer, images, parameters, backward=backward)  # once unmeasured, to warm up
        times = [
            [seconds(layer, images, parameters, backward=backward) for layer, parameters in sides]
            for _ in range(rounds)
        ]
        ours, theirs = (statistics.median(side) for side in zip(*times, strict=True))
        ratios = [each[0] / each[1] if pair.slower else each[1] / each[0] for each in times]
        row[way] = {"ours": ours, "theirs": theirs, "ratio": statistics.median(ratios)}
    return row


def measured_apart(pair: Pair, shape: tuple[int, ...], options: argparse.Namespace) -> dict[str, Any]:
    """Measure a pair in several processes, since where memory lies differs from one to the next."""
    words = [sys.executable, __file__, "--pair", pair.name, "--rounds", str(options.rounds)]
    words += ["--threads", str(options.threads), *(["--small"] if options.small else [])]
    found = [
        json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for _ in range(options.processes)
    ]
    row: dict[str, Any] = {"name": pair.name, "target": pair.target, "slower": pair.slower}
    for way in ("forward", "both"):
        row[way] = {key: statistics.median(each[way][key] for each in found) for key in found[0][way]}
        ratios = [each[way]["ratio"] for each in found]
        row[way]["range"] = [min(ratios), max(ratios)]
    row["mib"] = {side: memory_of(pair.name, side, shape) for side in ("ours", "theirs")}
    return row


def memory_of(name: str, side: str, shape: tuple[int, ...]) -> float:
    """Measure in a process of its own by how many MiB it grows at its peak."""
    words = [sys.executable, __file__, "--grow", name, side, *map(str, shape)]
    words += ["--threads", str(torch.get_num_threads())]
    return float(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def grow(name: str, side: str, shape: tuple[int, ...]) -> float:
    """Run one side forward and backward, and give the peak growth of this process in MiB.

    The peak that the kernel keeps is set back just before (Linux alone can do so), so that neither imports
    nor the making of the inputs count.
    """
    pair = next(each for each in pairs() if each.name == name)
    make = getattr(pair, side)
    small = (1, shape[1], 8, 8)
    layer, parameters = make(small)
    run_once(layer, pair.images(small), parameters, backward=True)  # loads what is needed
    layer, parameters = make(shape)
    images = pair.images(shape)
    Path("/proc/self/clear_refs").write_text("5")
    before = _of_status("VmRSS")
    run_once(layer, images, parameters, backward=True)
    return (_of_status("VmHWM") - before) / 1024


def _of_status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(field)).split()[1])


def trace_seconds(rounds: int) -> float:
    """Time the tracer on ResNet-152."""
    from striate.geometry import trace
    from striate.models import resnet152

    network = resnet152()
    found = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        trace(network, (3, 224, 224))
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def print_row(row: dict[str, Any]) -> None:
    """Print what was measured of a pair."""
    sign = "at most" if row["slower"] else "at least"
    cells = [row["name"]]
    for way in ("forward", "both"):
        cells += [
            f"{1000 * row[way]['ours']:.1f}",
            f"{1000 * row[way]['theirs']:.1f}",
            "{ratio:.2f} ({range[0]:.2f} to {range[1]:.2f})".format(**row[way]),
        ]
    cells += [f"{sign} {row['target']:g}", f"{row['mib']['ours']:.0f}", f"{row['mib']['theirs']:.0f}"]
    cells.append(f"{row['mib']['ours'] / max(1, row['mib']['theirs']):.2f}")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure all pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--processes", type=int, default=5, help="in each of which every pair is timed")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="only the rows whose name has this in it")
    parser.add_argument("--small", action="store_true", help="a small tensor, to see that it runs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--grow", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--pair", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not options.grow:
        keep_freed_memory()
    if options.grow:
        name, side, *sizes = options.grow
        print(grow(name, side, tuple(map(int, sizes))))
        return
    shape = SMALL if options.small else FULL
    if options.pair:
        pair = next(each for each in pairs() if each.name == options.pair)
        print(json.dumps(measure(pair, shape, options.rounds)))
        return
    said = {
        **describe_machine(torch.get_num_threads()),
        "shape": shape,
        "rounds": options.rounds,
        "processes": options.processes,
    }
    if not options.json:
        print(", ".join(f"{key} {value}" for key, value in said.items()))
        if not importlib.util.find_spec("kornia"):
            print("kornia is not installed: the comparison with its blur is left out")
        columns = ["layer", "ours, ms", "theirs", "ratio", "with backward, ms", "theirs", "ratio", "target"]
        columns += ["MiB", "theirs", "share"]
        print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    rows = []
    for pair in pairs():
        if options.only in pair.name:
            rows.append(measured_apart(pair, shape, options))
            if not options.json:
                print_row(rows[-1])
    traced = trace_seconds(options.rounds) if options.only in "trace" else None
    if options.json:
        print(json.dumps({**said, "rows": rows, "trace_resnet152_seconds": traced}, indent=2))
    elif traced is not None:
        print(f"\ntrace of ResNet-152: {traced:.3f} s (target: under 0.5 s)")


if __name__ == "__main__":
    main()
