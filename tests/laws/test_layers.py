"""Laws of every layer: it compiles, it is exported, and the meta device and bfloat16 know it."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from striate.geometry import trace
from striate.geometry.windowed import Windowed
from striate.nn import (
    AveragePool,
    Conv,
    GlobalAveragePool,
    GlobalMaxPool,
    L2Pool,
    LocallyConnected,
    MaxPool,
    MedianPool,
    MinPool,
    ModePool,
)


def layers(dims: int) -> nn.ModuleDict:
    """Give every layer for images of 3 channels and 6 elements along each axis."""
    common = {"dims": dims, "stride": 2, "padding": 1}
    side = 2 if dims == 3 else 3  # exporting takes long for windows of many elements
    return nn.ModuleDict(
        {
            "same": Conv(3, 4, kernel=3, dims=dims, stride=2, dilation=2),
            "same-tf": Conv(3, 4, kernel=4, dims=dims, stride=2, padding="same-tf"),
            "valid": Conv(3, 6, kernel=2, dims=dims, padding="valid", groups=3),
            "locally connected": LocallyConnected(3, 2, size=6, kernel=3, **common),
            "max": MaxPool(3, dilation=2, **common),
            "min": MinPool(3, dilation=2, **common),
            "average": AveragePool(3, ceil=True, **common),
            "l2": L2Pool(3, ceil=True, **common),
            "median": MedianPool(side, **common),
            "even median": MedianPool(2, dims=dims, ceil=True),
            "mode": ModePool(side, bins=4, **common),
            "global max": GlobalMaxPool(dims),
            "global average": GlobalAveragePool(dims),
        }
    )


class AllAtOnce(nn.Module):
    """Give the outputs of every layer, so that one compilation or export is of them all."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.layers = layers(dims)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(layer(images) for layer in self.layers.values())


def some_images(dims: int) -> torch.Tensor:
    return torch.rand(2, 3, *[6] * dims, generator=torch.Generator().manual_seed(0))


def gradients(outputs: tuple[torch.Tensor, ...], *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(sum(output.square().sum() for output in outputs), inputs)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_torch_compiles_every_layer_into_one_graph_with_its_gradient(dims) -> None:
    torch.compiler.reset()
    network = AllAtOnce(dims)
    images = some_images(dims).requires_grad_()
    plain = network(images)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)(images)
    for name, one, other in zip(network.layers, plain, compiled, strict=True):
        assert torch.allclose(one, other, atol=1e-6), name
        assert one.stride() == other.stride(), name
    parameters = list(network.parameters())
    expected = gradients(plain, images, *parameters)
    for one, other in zip(gradients(compiled, images, *parameters), expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_meta_device_knows_the_shapes(dims) -> None:
    network = AllAtOnce(dims)
    shapes = [output.shape for output in network(some_images(dims))]
    abstract = copy.deepcopy(network).to("meta")(some_images(dims).to("meta"))
    assert [output.shape for output in abstract] == shapes
    assert all(output.device.type == "meta" for output in abstract)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_tracer_follows_every_layer(dims) -> None:
    images = some_images(dims)
    for name, layer in layers(dims).items():
        traced = trace(layer, tuple(images.shape[1:]))
        assert traced.layers[-1].output == layer(images).shape[1:], name
        assert traced.parameters == sum(parameter.numel() for parameter in layer.parameters())
        if isinstance(layer, Windowed):
            assert traced.multiply_adds == layer.multiply_adds_on(tuple(images.shape[2:]))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_layer_takes_bfloat16_and_gives_its_gradient(dims) -> None:
    network = AllAtOnce(dims).bfloat16()
    images = some_images(dims).bfloat16().requires_grad_()
    outputs = network(images)
    assert {output.dtype for output in outputs} == {torch.bfloat16}
    found = gradients(outputs, images, *network.parameters())
    wide = copy.deepcopy(network).float()
    expected_outputs = wide(images.float())
    for name, one, other in zip(network.layers, outputs, expected_outputs, strict=True):
        assert torch.allclose(one.float(), other, atol=0.05, rtol=0.02), name
    expected = gradients(expected_outputs, images, *wide.parameters())
    for one, other in zip(found, expected, strict=True):
        assert (one.float() - other.float()).norm() < 0.05 * other.float().norm()


@pytest.mark.parametrize("dims", [2, 3])
def test_onnx_says_every_layer_as_torch_does(dims, tmp_path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"{package} is not installed; the extra 'test' has it")
    onnxruntime = pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed; the extra 'test' has it"
    )
    network = AllAtOnce(dims).eval()
    images = some_images(dims)
    torch.onnx.export(network, (images,), tmp_path / "layers.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "layers.onnx", providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    results = session.run(None, {name: images.numpy()})
    for layer, result, expected in zip(network.layers, results, network(images), strict=True):
        assert torch.allclose(torch.from_numpy(result), expected, atol=1e-5), layer


GROWTH = """
import sys
from pathlib import Path
import torch
from striate.nn import LocallyConnected, MedianPool

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024

def run(layer, images):
    out = layer(images)
    torch.autograd.grad(out, [images, *layer.parameters()], torch.ones_like(out))

layer = eval(sys.argv[1])
small = eval(sys.argv[1].replace("size=32", "size=4"))
run(small, torch.randn(1, 16, 4, 4, requires_grad=True))  # loads libraries
images = torch.randn(64, 16, 32, 32, requires_grad=True)
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
run(layer, images)
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux lets a process set back the peak that it keeps"
)
@pytest.mark.parametrize(
    ("layer", "written_out"),
    [
        # The images have 4 MiB. Writing the windows of 3 x 3 out makes 36 MiB of them, and at least as much
        # again for their gradient.
        ("MedianPool(3, stride=1, padding=1)", 72),
        ("LocallyConnected(16, 16, size=32, kernel=3, padding=1)", 72 + 9),
    ],
)
def test_windows_are_not_written_out(layer, written_out) -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH, layer], capture_output=True, text=True, check=True)
    assert 4 < float(done.stdout) < written_out / 2
