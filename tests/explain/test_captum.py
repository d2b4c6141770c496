"""The figures of captum where both have a method; where captum misses its own sum silently, ours holds it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.explain.class_activation import grad_cam
from striate.explain.deep_lift import deep_lift
from striate.explain.guided_backprop import guided_backprop
from striate.explain.integrated_gradients import integrated_gradients
from striate.explain.saliency import gradient_times_input, saliency

captum = pytest.importorskip("captum.attr")

TARGETS = torch.tensor([0, 2, 1, 2])


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def network(dims: int = 2) -> nn.Sequential:
    torch.manual_seed(dims)
    convolution = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dims]
    pool = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}[dims]
    layers = nn.Sequential(
        *(convolution(2, 6, 3, padding=1), pool(2), norm(6), nn.ReLU()),
        *(convolution(6, 8, 3, padding=1), norm(8), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(8 * 4**dims, 16), nn.ReLU(), nn.Linear(16, 3)),
    )
    with torch.no_grad():
        for layer in (layers[2], layers[5]):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 2)
    return layers.eval()


def images(dims: int = 2) -> Tensor:
    return torch.rand(4, 2, *[8] * dims, generator=torch.Generator().manual_seed(dims))


def assert_equal(ours: Tensor, theirs: Tensor, most: float = 1e-5) -> None:
    theirs = theirs.detach().float()
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max() / theirs.abs().max()) <= most


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_saliency_is_equal(dims) -> None:
    theirs = captum.Saliency(network(dims)).attribute(images(dims), target=TARGETS)
    assert_equal(saliency(network(dims), images(dims), TARGETS).map, theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradient_times_input_is_equal(dims) -> None:
    theirs = captum.InputXGradient(network(dims)).attribute(images(dims), target=TARGETS)
    assert_equal(gradient_times_input(network(dims), images(dims), TARGETS).map, theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("baseline", [0.0, 0.4])
def test_integrated_gradients_are_equal_with_their_gap(dims, baseline) -> None:
    theirs, gap = captum.IntegratedGradients(network(dims)).attribute(
        images(dims), baselines=baseline, target=TARGETS, n_steps=50, return_convergence_delta=True
    )
    ours = integrated_gradients(network(dims), images(dims), TARGETS, baseline=baseline)
    assert_equal(ours.map, theirs)
    assert torch.allclose(ours.gap, gap.float(), atol=1e-5)


@pytest.mark.parametrize("layer", ["1", "3", "6"])
def test_grad_cam_is_equal(layer) -> None:
    model = network()
    theirs = captum.LayerGradCam(model, model.get_submodule(layer)).attribute(
        images(), target=TARGETS, relu_attributions=True
    )
    ours = grad_cam(network(), images(), TARGETS, layer=layer)
    assert_equal(ours.raw, theirs[:, 0])
    enlarged = captum.LayerAttribution.interpolate(theirs, (8, 8), interpolate_mode="bilinear")
    assert_equal(ours.map, enlarged[:, 0])


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_guided_backprop_is_equal(dims) -> None:
    theirs = captum.GuidedBackprop(network(dims)).attribute(images(dims), target=TARGETS)
    assert_equal(guided_backprop(network(dims), images(dims), TARGETS).map, theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("baseline", [0.0, 0.4])
def test_deep_lift_is_equal_on_rectifiers_that_are_modules(dims, baseline) -> None:
    theirs = captum.DeepLift(network(dims)).attribute(images(dims), baselines=baseline, target=TARGETS)
    ours = deep_lift(network(dims), images(dims), TARGETS, baseline=baseline)
    assert_equal(ours.map, theirs)


class Functional(nn.Module):
    """The same network, which calls its rectifiers by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.layers:
            values = F.relu(values) if isinstance(layer, nn.ReLU) else layer(values)
        return values


class Reused(Functional):
    """The same network with one rectifier for all."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.layers:
            values = self.relu(values) if isinstance(layer, nn.ReLU) else layer(values)
        return values


def misses(found: Tensor, model: nn.Module, baseline: Tensor | float = 0.0) -> float:
    """Give how far a map is from the change of score, as a share of it."""
    nothing = torch.as_tensor(baseline).expand_as(images())
    change = (model(images()) - model(nothing)).gather(1, TARGETS[:, None])[:, 0]
    return float(((found.flatten(1).sum(dim=1) - change) / change).abs().max())


def test_captum_is_wrong_without_a_word_on_rectifiers_by_name_and_ours_is_right() -> None:
    model = Functional().eval()
    theirs = captum.DeepLift(model).attribute(images(), target=TARGETS)
    assert misses(theirs, model) > 0.05
    ours = deep_lift(model, images(), TARGETS)
    assert misses(ours.map, model) < 1e-4
    assert_equal(ours.map, captum.DeepLift(network()).attribute(images(), target=TARGETS))


def test_captum_refuses_a_rectifier_that_runs_twice_and_ours_is_right() -> None:
    with pytest.raises(RuntimeError, match="used more than once"):
        captum.DeepLift(Reused().eval()).attribute(images(), target=TARGETS)
    ours = deep_lift(Reused(), images(), TARGETS)
    assert_equal(ours.map, deep_lift(network(), images(), TARGETS).map)


@pytest.mark.parametrize(
    "between",
    [
        [nn.ReLU(), nn.MaxPool2d(2)],  # the rule of the maximum is lost beside a rectifier
        [nn.MaxPool2d(2), nn.ReLU()],
        [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(1)],  # so is all but one of what windows share
    ],
)
def test_captum_is_wrong_without_a_word_on_some_maxima_and_ours_is_right(between) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), *between, nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    ).eval()
    baseline = images().flip(3)
    theirs = captum.DeepLift(model).attribute(images(), baselines=baseline, target=TARGETS)
    assert misses(theirs, model, baseline) > 0.1
    assert misses(deep_lift(model, images(), TARGETS, baseline=baseline).map, model, baseline) < 1e-4


def test_captum_guides_no_rectifier_by_name_and_ours_does() -> None:
    model = Functional().eval()
    theirs = captum.GuidedBackprop(model).attribute(images(), target=TARGETS)
    assert_equal(saliency(model, images(), TARGETS).map, theirs.abs())
    assert_equal(
        guided_backprop(model, images(), TARGETS).map,
        captum.GuidedBackprop(network()).attribute(images(), target=TARGETS),
    )
