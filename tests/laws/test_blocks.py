"""Laws of blocks, heads, samplers and filters: torch compiles and exports them, meta knows their shapes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from striate.nn import (
    BlurPool,
    FixedFilter,
    FlattenHead,
    GlobalAverageHead,
    GlobalMaxHead,
    PolyphaseSampling,
    PreActivationBlock,
    Residual,
    ResidualBlock,
    dense_as_conv,
)

KERNELS = {1: [1.0, 2.0, -1.0], 2: "sobel-x", 3: [[[1.0, 2.0], [0.0, -1.0]]]}


def parts(dims: int) -> nn.ModuleDict:
    """Give every part for images of 3 channels and 6 elements along each axis."""
    size = (6,) * dims
    common = {"stride": 2, "dims": dims}
    return nn.ModuleDict(
        {
            "blur": BlurPool(3, **common),
            "blur even": BlurPool(3, kernel=4, padding_mode="circular", **common),
            "polyphase": PolyphaseSampling(**common),
            "polyphase 3": PolyphaseSampling(stride=3, dims=dims, norm=1.0),
            "filter": FixedFilter(KERNELS[dims]),
            "filter reflect": FixedFilter(KERNELS[dims], padding_mode="reflect"),
            "residual": Residual(BlurPool(3, dims=dims, stride=1)),
            "residual block": ResidualBlock(3, 4, **common),
            "pre-activation block": PreActivationBlock(3, 3, dims=dims, padding_mode="circular"),
            "flatten head": FlattenHead(3, 2, size=size),
            "average head": GlobalAverageHead(3, 2, dims=dims),
            "max head": GlobalMaxHead(3, 2, dims=dims),
            "sliding head": dense_as_conv(nn.Linear(3 * 5**dims, 2), size=(5,) * dims),
        }
    )


class AllAtOnce(nn.Module):
    """Give the outputs of every part, so that one compilation or export is of them all."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.parts = parts(dims)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(part(images) for part in self.parts.values())


def some_images(dims: int) -> torch.Tensor:
    return torch.randn(2, 3, *[6] * dims, generator=torch.Generator().manual_seed(0))


def gradients(outputs: tuple[torch.Tensor, ...], *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(sum(output.square().sum() for output in outputs), inputs)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_torch_compiles_every_part_into_one_graph_with_its_gradient(dims) -> None:
    torch.compiler.reset()
    network = AllAtOnce(dims).eval()
    images = some_images(dims).requires_grad_()
    plain = network(images)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)(images)
    for name, one, other in zip(network.parts, plain, compiled, strict=True):
        assert torch.allclose(one, other, atol=1e-5), name
    parameters = list(network.parameters())
    expected = gradients(plain, images, *parameters)
    for one, other in zip(gradients(compiled, images, *parameters), expected, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_meta_device_knows_the_shapes(dims) -> None:
    network = AllAtOnce(dims)
    shapes = [output.shape for output in network(some_images(dims))]
    abstract = copy.deepcopy(network).to("meta")(some_images(dims).to("meta"))
    assert [output.shape for output in abstract] == shapes
    assert all(output.device.type == "meta" for output in abstract)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_part_takes_bfloat16_and_gives_its_gradient(dims) -> None:
    network = AllAtOnce(dims).eval().bfloat16()
    images = some_images(dims).bfloat16().requires_grad_()
    outputs = network(images)
    assert {output.dtype for output in outputs} == {torch.bfloat16}
    found = gradients(outputs, images, *network.parameters())
    wide = copy.deepcopy(network).float()
    expected_outputs = wide(images.float())
    for name, one, other in zip(network.parts, outputs, expected_outputs, strict=True):
        assert torch.allclose(one.float(), other, atol=0.06, rtol=0.02), name
    expected = gradients(expected_outputs, images, *wide.parameters())
    for one, other in zip(found, expected, strict=True):
        assert (one.float() - other.float()).norm() <= 0.05 * other.float().norm()


def test_what_is_fixed_is_not_saved() -> None:
    for name, part in parts(2).items():
        saved = {key.rsplit(".", 1)[-1] for key in part.state_dict()}
        assert saved <= {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}, name


def test_onnx_says_every_part_as_torch_does(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"{package} is not installed; the extra 'test' has it")
    onnxruntime = pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed; the extra 'test' has it"
    )
    network = AllAtOnce(2).eval()
    images = some_images(2)
    torch.onnx.export(network, (images,), tmp_path / "all.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "all.onnx", providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    results = session.run(None, {name: images.numpy()})
    for part, result, expected in zip(network.parts, results, network(images), strict=True):
        assert torch.allclose(torch.from_numpy(result), expected, atol=1e-5), part
