"""Laws of every attack: inside its ball, nothing left behind, one seed one result, images are apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.attack import ATTACKS, L0, L1, L2, Attack, Ball, BallAttack, Linf, Targeted
from striate.core.errors import AttackError

CONVOLUTIONS = {
    1: (nn.Conv1d, nn.BatchNorm1d),
    2: (nn.Conv2d, nn.BatchNorm2d),
    3: (nn.Conv3d, nn.BatchNorm3d),
}
SIDES = {1: (24,), 2: (7, 6), 3: (4, 3, 5)}
RADII: dict[type[Ball], float] = {Linf: 0.1, L2: 0.7, L1: 4.0, L0: 4}
CAPS = {"steps": 5, "weights": 2, "targets": 2, "queries": 20, "generations": 3, "refinements": 3}
"""What the fields of these names are at most here, since laws do not depend on strength."""


def cheap(attack: Attack) -> Attack:
    """Give an attack that does the same for less."""
    known = {field.name for field in dataclasses.fields(attack) if field.init}
    return dataclasses.replace(
        attack, **{name: min(cap, getattr(attack, name)) for name, cap in CAPS.items() if name in known}
    )


def _defined() -> list[tuple[str, type[Ball]]]:
    pairs = []
    for name, make in ATTACKS.items():
        for kind, eps in RADII.items():
            try:
                attack = make(kind(eps))
            except AttackError:
                continue
            pairs.append((name, kind))
            if not isinstance(attack, BallAttack):
                break  # it has a range of its own, whatever the ball
    return pairs


def _parameters(pairs: list[tuple[str, type[Ball]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "kind"), pairs, ids=[f"{name}-{kind.name}" for name, kind in pairs]
    )


PAIRS = _defined()
BALLS = [pair for pair in PAIRS if isinstance(ATTACKS[pair[0]](pair[1](RADII[pair[1]])), BallAttack)]
EACH = _parameters(PAIRS)
EACH_IN_A_BALL = _parameters(BALLS)
EACH_BY_IMAGE = _parameters([pair for pair in PAIRS if pair[0] not in ("universal", "patch")])
ONCE = _parameters([next(pair for pair in PAIRS if pair[0] == name) for name in ATTACKS])


class Failure(KeyError):
    """What no attack knows of."""


class Network(nn.Module):
    """A small network with all that a pass can change, which can be made to fail."""

    def __init__(self, dims: int, channels: int = 2) -> None:
        super().__init__()
        torch.manual_seed(dims)
        convolution, norm = CONVOLUTIONS[dims]
        self.body = nn.Sequential(convolution(channels, 6, 3, padding=1), norm(6), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.fails_after = torch.inf

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > self.fails_after:
            raise Failure
        return 8 * self.head(self.dropout(self.body(images)).flatten(2).mean(dim=2))


def network(dims: int, channels: int = 2) -> Network:
    """Make a network whose norm has seen something."""
    made = Network(dims, channels)
    made.body[1].running_mean.uniform_(-0.2, 0.2)
    made.body[1].running_var.uniform_(0.5, 1.5)
    made.body[0].weight.requires_grad_(False)
    made.head.bias.grad = torch.ones(4)
    return made


def some_images(dims: int, count: int = 3, channels: int = 2) -> Tensor:
    wide = torch.rand(count, channels, *SIDES[dims], generator=Generator().manual_seed(7))
    return (wide * 1.4 - 0.2).clamp(0, 1)  # some black, some white


def answers(module: nn.Module, images: Tensor) -> Tensor:
    training = [part.training for part in module.modules()]
    found = module.eval()(images).argmax(dim=1)
    for part, mode in zip(module.modules(), training, strict=True):
        part.training = mode
    return found


def state_of(module: nn.Module) -> dict[str, Any]:
    hooks = [name for name in vars(module) if name.endswith("_hooks")]
    return {
        "tensors": {
            name: (id(tensor), tensor.stride(), tensor.tolist())
            for name, tensor in module.state_dict(keep_vars=True).items()
        },
        "gradients": {
            name: None if weight.grad is None else weight.grad.tolist()
            for name, weight in module.named_parameters()
        },
        "trained": {name: weight.requires_grad for name, weight in module.named_parameters()},
        "modes": {name: part.training for name, part in module.named_modules()},
        "hooks": {
            name: [len(getattr(part, kind)) for kind in hooks] for name, part in module.named_modules()
        },
        "attributes": {name: sorted(vars(part)) for name, part in module.named_modules()},
        "chance": torch.get_rng_state().tolist(),
        "gradients on": torch.is_grad_enabled(),
    }


def assert_inside(attack: Attack, images: Tensor, found: Tensor) -> None:
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert not found.requires_grad
    assert found.min() >= 0
    assert found.max() <= 1
    if not isinstance(attack, BallAttack):
        return
    ball = attack.ball
    slack = 1 + 1e-6 if ball.name in ("l2", "l1") else 1
    assert (ball.norms(found.double() - images.double()) <= ball.eps * slack).all()


@EACH
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_images_stay_inside_and_nothing_is_left_behind(name, kind, dims) -> None:
    module, images = network(dims), some_images(dims).requires_grad_()
    labels, before, kept = answers(module, images), state_of(module), images.detach().clone()
    attack = cheap(ATTACKS[name](kind(RADII[kind])))
    found = attack(module, images, labels)
    assert state_of(module) == before
    assert images.equal(kept)
    assert images.grad is None
    assert_inside(attack, kept, found)
    assert attack(module, images, labels).equal(found)


@EACH_IN_A_BALL
def test_a_radius_of_0_leaves_images_as_they_are(name, kind) -> None:
    module, images = network(2), some_images(2)
    assert cheap(ATTACKS[name](kind(0)))(module, images, answers(module, images)).equal(images)


@ONCE
def test_one_channel_is_enough(name, kind) -> None:
    module, images = network(2, channels=1), some_images(2, channels=1)
    attack = cheap(ATTACKS[name](kind(RADII[kind])))
    assert_inside(attack, images, attack(module, images, answers(module, images)))


@ONCE
@pytest.mark.parametrize("calls", [0, 3])
def test_nothing_is_left_behind_after_a_crash(name, kind, calls) -> None:
    module, images = network(2), some_images(2)
    labels = answers(module, images)
    module.fails_after = module.calls.item() + calls
    before = state_of(module)
    with pytest.raises(Failure):
        cheap(ATTACKS[name](kind(RADII[kind])))(module, images, labels)
    assert state_of(module) == before


@EACH
def test_a_generator_gives_one_result(name, kind) -> None:
    module, images = network(2), some_images(2)
    labels, attack = answers(module, images), cheap(ATTACKS[name](kind(RADII[kind])))
    one, other = (attack(module, images, labels, generator=Generator().manual_seed(5)) for _ in range(2))
    assert one.equal(other)


@EACH_BY_IMAGE
def test_an_image_falls_alone_as_among_others(name, kind) -> None:
    module, images, seeds = network(2).double(), some_images(2).double(), torch.arange(10, 13)
    labels, attack = answers(module, images), cheap(ATTACKS[name](kind(RADII[kind])))
    together = attack(module, images, labels, seeds=seeds)
    for place in range(3):
        part = slice(place, place + 1)
        alone = attack(module, images[part], labels[part], seeds=seeds[part])
        assert torch.allclose(alone, together[part], atol=1e-9)


@EACH
def test_an_image_whose_goal_is_met_is_not_changed(name, kind) -> None:
    module, images = network(2), some_images(2)
    labels, attack = answers(module, images), cheap(ATTACKS[name](kind(RADII[kind])))
    assert attack(module, images, (labels + 1) % 4).equal(images)
    assert dataclasses.replace(attack, goal=Targeted(labels))(module, images, labels).equal(images)


@EACH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_models_of_half_precision_do_not_leak_out_of_the_ball(name, kind, dtype) -> None:
    module, images = network(2).bfloat16(), some_images(2).to(dtype)
    attack = cheap(ATTACKS[name](kind(RADII[kind])))
    labels = answers(module, images.bfloat16())
    assert_inside(attack, images, attack(module, images, labels))


def linear(weights: Tensor, offset: float) -> Callable[[Tensor], Tensor]:
    def model(images: Tensor) -> Tensor:
        score = images.flatten(1) @ weights.to(images) + offset
        return torch.stack([score, -score], dim=1)

    return model


@EACH_IN_A_BALL
def test_a_linear_model_falls_where_its_plane_is_inside_and_nowhere_else(name, kind) -> None:
    """From grey, out of which nothing here leaves [0, 1], the plane is as far as the dual norm says."""
    weights = torch.linspace(0.2, 1.0, 8) * torch.tensor([1.0, -1.0]).repeat(4)
    image, label = torch.full((1, 1, 8), 0.5), torch.tensor([0])
    gap = {Linf: 0.5, L2: 0.25, L1: 0.2, L0: 0.2}[kind]
    distance = {
        Linf: gap / weights.abs().sum().item(),
        L2: gap / weights.norm().item(),
        L1: gap / weights.abs().max().item(),
        L0: 1,  # of most values a change of 0.5 is enough, and so is one of two or more
    }[kind]
    model = linear(weights, gap - (image.flatten(1) @ weights).item())
    near, far = (kind(0), kind(distance)) if kind is L0 else (kind(distance * 0.98), kind(distance * 1.2))
    for ball, falls in ((near, False), (far, True)):
        attack = ATTACKS[name](ball) if falls and name != "ensemble" else cheap(ATTACKS[name](ball))
        found = attack(model, image, label)
        assert_inside(attack, image, found)
        fallen = model(found).argmax(dim=1).item() == 1
        assert fallen == falls or (falls and not attack.needs_gradient)


@EACH
def test_answers_that_turn_nan_are_no_success(name, kind) -> None:
    plain = network(2).eval()
    single = some_images(2)[:1]

    def model(given: Tensor) -> Tensor:
        changed = (given - single.to(given)).abs().flatten(1).sum(dim=1, keepdim=True) > 1e-5
        return torch.where(changed, torch.nan, plain(given))

    attack = cheap(ATTACKS[name](kind(RADII[kind])))
    found = attack(model, single, answers(plain, single))
    assert found.isfinite().all()
    assert_inside(attack, single, found)


def test_attacks_without_gradients_say_so() -> None:
    model = network(2).eval()

    def detached(images: Tensor) -> Tensor:
        return model(images.detach()).detach()

    images = some_images(2)
    for name, kind in PAIRS:
        attack = cheap(ATTACKS[name](kind(RADII[kind])))
        if attack.needs_gradient:
            with pytest.raises(AttackError, match="no gradient comes back through the model"):
                attack(detached, images, answers(model, images))
        else:
            assert attack(detached, images, answers(model, images)).shape == images.shape
