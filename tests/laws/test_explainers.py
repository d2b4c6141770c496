"""Laws of every way of explaining: nothing is left behind, images do not see each other, one seed one map."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError, StriateError
from striate.explain import METHODS, cascade
from striate.explain.methods import AT_A_LAYER
from striate.explain.planted import PlantedNetwork, edges_of_image, mass_inside
from striate.explain.randomisation import Dependence

KINDS = {
    1: (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d),
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d),
}
SIDES = {1: (32,), 2: (12, 10), 3: (6, 5, 6)}
BY_CHANCE = ("rise", "smoothgrad")
COARSE = ("occlusion", "rise")
"""What sees through windows and masks, wider than a pixel by default, and says so."""


class Failure(KeyError):
    """What no method knows of."""


class Network(nn.Module):
    """A small network with all that a pass can change, which can be made to fail."""

    def __init__(self, dims: int, *, fails: bool = False) -> None:
        super().__init__()
        torch.manual_seed(dims)
        convolution, norm, pool = KINDS[dims]
        self.body = nn.Sequential(
            convolution(2, 6, 3, padding=1),
            norm(6),
            nn.ReLU(),
            pool(2),
            convolution(6, 5, 3, padding=1),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(5, 4)
        self.fails = fails
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        maps = self.dropout(self.body(images))
        if self.fails:
            raise Failure
        return self.head(maps.flatten(2).mean(dim=2))


def network(dims: int, **options: Any) -> Network:
    """Make a network whose norm has seen something."""
    made = Network(dims, **options)
    made.body[1].running_mean.uniform_(-0.2, 0.2)
    made.body[1].running_var.uniform_(0.5, 1.5)
    made.body[0].weight.requires_grad_(False)
    made.body[1].eval()
    made.head.bias.grad = torch.ones(4)
    return made


def some_images(dims: int, count: int = 3) -> Tensor:
    return torch.rand(count, 2, *SIDES[dims], generator=Generator().manual_seed(7))


def state_of(module: nn.Module) -> dict[str, Any]:
    hooks = [name for name in vars(module) if name.endswith("_hooks")]
    return {
        "tensors": {
            name: (id(tensor), tensor.clone()) for name, tensor in module.state_dict(keep_vars=True).items()
        },
        "gradients": {
            name: None if weight.grad is None else weight.grad.clone()
            for name, weight in module.named_parameters()
        },
        "trained": {name: weight.requires_grad for name, weight in module.named_parameters()},
        "modes": {name: part.training for name, part in module.named_modules()},
        "hooks": {
            name: [len(getattr(part, kind)) for kind in hooks] for name, part in module.named_modules()
        },
        "attributes": {name: sorted(vars(part)) for name, part in module.named_modules()},
        "chance": torch.get_rng_state(),
        "gradients on": torch.is_grad_enabled(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for kind in ("trained", "modes", "hooks", "attributes", "gradients on"):
        assert after[kind] == before[kind], kind
    assert before["chance"].equal(after["chance"])
    for name, (place, tensor) in before["tensors"].items():
        assert after["tensors"][name][0] == place, name
        assert tensor.equal(after["tensors"][name][1]), name
    for name, gradient in before["gradients"].items():
        other = after["gradients"][name]
        assert other is None if gradient is None else gradient.equal(other), name


def close(one: Tensor, other: Tensor, share: float = 1e-4) -> bool:
    return bool((one - other).abs().max() <= share * other.abs().max())


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", METHODS)
def test_a_map_has_a_value_for_each_place_and_nothing_is_left_behind(name, dims) -> None:
    module, images = network(dims), some_images(dims).requires_grad_()
    before, kept = state_of(module), images.detach().clone()
    made = METHODS[name](module, images)
    assert_same(before, state_of(module))
    assert images.equal(kept)
    assert images.grad is None
    assert made.map.shape == (images.shape if made.per_channel else (3, *SIDES[dims]))
    assert made.heat().shape == (3, *SIDES[dims])
    assert made.map.dtype == torch.float32
    assert not made.map.requires_grad
    assert made.map.any()
    assert made.targets.equal(module.eval()(images).argmax(dim=1))
    assert (made.layer is not None) == (name in AT_A_LAYER)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_left_behind_after_a_crash(name) -> None:
    module = network(2, fails=True)
    before = state_of(module)
    with pytest.raises(Failure):
        METHODS[name](module, some_images(2))
    assert_same(before, state_of(module))


@pytest.mark.parametrize("name", METHODS)
def test_an_image_has_the_same_map_alone_and_among_others(name) -> None:
    module, images = network(2), some_images(2)
    targets = torch.tensor([3, 0, 2])
    together = METHODS[name](module, images, targets, generator=Generator().manual_seed(1))
    for place in range(3):
        alone = METHODS[name](
            module,
            images[place : place + 1],
            targets[place : place + 1],
            generator=Generator().manual_seed(1),
        )
        assert close(alone.map, together.map[place : place + 1]), place
        assert int(alone.targets) == int(targets[place])


@pytest.mark.parametrize("name", METHODS)
def test_chance_is_by_generator(name) -> None:
    module, images = network(2), some_images(2)
    one, again, other = (
        METHODS[name](module, images, 1, generator=Generator().manual_seed(seed)).map for seed in (1, 1, 2)
    )
    assert one.equal(again)
    assert one.equal(other) == (name not in BY_CHANCE)
    assert METHODS[name](module, images, 1).map.equal(METHODS[name](module, images, 1).map)


@pytest.mark.parametrize("name", METHODS)
def test_images_may_lie_in_memory_in_any_way(name) -> None:
    module, images = network(2), some_images(2)
    expected = METHODS[name](module, images, 0)
    strided = torch.zeros(3, 2, 24, 10)[:, :, ::2].copy_(images)
    for laid in (
        images.transpose(2, 3).contiguous().transpose(2, 3),
        strided,
        images.to(memory_format=torch.channels_last),
    ):
        assert not laid.is_contiguous()
        assert close(METHODS[name](module, laid, 0).map, expected.map)
    assert close(METHODS[name](module, images[:1].expand(2, -1, -1, -1), 0).map[1:], expected.map[:1])


@pytest.mark.parametrize("name", METHODS)
def test_networks_and_images_in_bfloat16_are_explained(name) -> None:
    module, images = network(2).bfloat16(), some_images(2)
    expected = METHODS[name](network(2), images, 0, generator=Generator().manual_seed(1))
    for given in (images, images.bfloat16()):
        made = METHODS[name](module, given, 0, generator=Generator().manual_seed(1))
        assert made.map.dtype == torch.float32
        one, other = made.heat().flatten(), expected.heat().flatten()
        assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.9


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", METHODS)
def test_it_does_not_matter_whether_gradients_are_switched_off_outside(name, context) -> None:
    module, images = network(2), some_images(2)
    expected = METHODS[name](module, images, 0).map
    with context():
        assert METHODS[name](module, images, 0).map.equal(expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_map_is_found_where_the_network_looks_or_it_is_said_that_it_cannot_be(name) -> None:
    region = (slice(4, 20), slice(8, 24))
    planted = PlantedNetwork(region, size=(28, 28))
    images = torch.rand(4, 1, 28, 28, generator=Generator().manual_seed(0))
    made = METHODS[name](planted, images)
    mass = mass_inside(made.heat(), region)
    if name in COARSE:
        assert "nothing finer can be seen" in made.note
    else:
        assert mass.min() >= 0.9


def test_occlusion_by_single_pixels_finds_the_region_too() -> None:
    from striate.explain import occlusion

    region = (slice(2, 5), slice(3, 7))
    images = torch.rand(2, 1, 8, 8, generator=Generator().manual_seed(0))
    made = occlusion(PlantedNetwork(region, size=(8, 8)), images, window=1)
    assert mass_inside(made.heat(), region).min() > 0.999


@pytest.mark.parametrize("name", METHODS)
def test_the_randomisation_verdict_is_reached_for_every_method(name) -> None:
    found = cascade(network(2), some_images(2), METHODS[name], points=2)
    assert found.layers[-1] == "body.0"
    assert all(-1 <= figure <= 1 for figure in (*found.rank, *found.absolute))
    assert found.verdict in get_args(Dependence)


def test_a_planted_method_without_weights_is_caught() -> None:
    assert cascade(network(2), some_images(2), edges_of_image).verdict == "does not depend"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda images: images[:, :1], StriateError),
        (lambda images: images[..., :0], ShapeError),
        (lambda images: (255 * images).to(torch.uint8), LayerError),
        (lambda images: images / 0, LayerError),
    ],
)
def test_wrong_images_are_refused_in_a_sentence(name, change, error) -> None:
    with pytest.raises(error) as caught:
        METHODS[name](network(2), change(some_images(2)))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", METHODS)
def test_wrong_classes_and_layers_are_refused_in_a_sentence(name) -> None:
    module, images = network(2), some_images(2)
    with pytest.raises(LayerError, match="no class 4: the network gives 4 classes, which are 0 to 3"):
        METHODS[name](module, images, 4)
    with pytest.raises(ShapeError, match=r"shape \(2,\); to 3 images fits \(3,\)"):
        METHODS[name](module, images, torch.tensor([0, 1]))
    wanted = (
        "no layer 'body.9'" if name in AT_A_LAYER else "looks at the whole network, not at layer 'body.9'"
    )
    with pytest.raises(LayerError, match=wanted):
        METHODS[name](module, images, layer="body.9")
    if name in AT_A_LAYER:
        with pytest.raises(LayerError, match="has no places"):
            METHODS[name](module, images, layer="head")
