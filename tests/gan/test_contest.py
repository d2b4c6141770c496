"""A step of each network moves that network alone, by its loss and the penalties that are asked for."""

from __future__ import annotations

import copy

import pytest
import torch

from striate.core.device import choose_policy
from striate.gan.contest import Contest
from striate.gan.losses import find_loss
from striate.gan.recipes import RECIPES, decide
from striate.models import build_discriminator, build_generator

COUNT = 8


def contest(
    name: str = "r3gan", *, precision: str = "float32", classes: int | None = None, size: int = 8, **fields
) -> Contest:
    torch.manual_seed(0)
    data = {"size": size, "channels": 1, "images": 5000, "classes": 3, "precision": precision}
    recipe = decide(
        RECIPES[name]().changed(width=8, latent_size=6, classes=classes is not None, **fields), **data
    )
    settings = {"size": size, "channels": 1, "classes": classes, "width": 8}
    generator = build_generator(recipe.family, latent_size=6, **settings)
    discriminator = build_discriminator(recipe.family, **settings)
    optimizers = tuple(torch.optim.SGD(each.parameters(), lr=0.01) for each in (generator, discriminator))
    return Contest(generator, discriminator, optimizers, recipe, choose_policy("cpu", precision))


def images(size: int = 8) -> torch.Tensor:
    return torch.rand(COUNT, 1, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def moved(network: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not parameter.equal(before[name]) for name, parameter in network.named_parameters())


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("classes", [None, 3])
def test_each_step_moves_one_network(name, precision, classes) -> None:
    game = contest(name, precision=precision, classes=classes)
    labels = None if classes is None else torch.arange(COUNT) % 3
    real, draws = images(), game.augmentation.draw(images())
    fake = game.make(COUNT, labels, teachable=True)
    assert fake.dtype == torch.float32
    before = weights(game.generator), weights(game.discriminator)
    told = game.discriminator_step(real, fake, labels, draws, penalised=True)
    assert moved(game.discriminator, before[1])
    assert not moved(game.generator, before[0])
    assert all(torch.isfinite(value).all() for value in told.values())
    after = weights(game.discriminator)
    told = game.generator_step(real, fake, labels, draws)
    assert moved(game.generator, before[0])
    assert not moved(game.discriminator, after)
    assert told["generator_gradients"] > 0
    assert all(parameter.requires_grad for parameter in game.discriminator.parameters())


def test_a_step_of_the_discriminator_is_that_of_the_formula() -> None:
    game = contest(r1=0.7, r2=0.3, penalty_every=4, augment="none")
    twin = copy.deepcopy(game.discriminator)
    real, fake = images(), game.make(COUNT, None, teachable=False)
    seen = [each.clone().requires_grad_() for each in (real, fake)]
    scores = [twin(each) for each in seen]
    slopes = [
        torch.autograd.grad(s.sum(), x, create_graph=True)[0] for s, x in zip(scores, seen, strict=True)
    ]
    r1, r2 = (0.5 * slope.square().sum((1, 2, 3)).mean() for slope in slopes)
    loss = find_loss("relativistic").discriminator(*scores)
    (loss + 4 * (0.7 * r1 + 0.3 * r2)).backward()
    told = game.discriminator_step(real, fake, None, game.augmentation.draw(real), penalised=True)
    assert told["discriminator_loss"].item() == pytest.approx(loss.item(), rel=1e-4)
    assert told["penalty"].item() == pytest.approx((0.7 * r1 + 0.3 * r2).item(), rel=1e-4)
    gradients = [parameter.grad for parameter in twin.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    assert told["discriminator_gradients"].item() == pytest.approx(norm.item(), rel=1e-4)
    for ours, theirs in zip(game.discriminator.parameters(), twin.parameters(), strict=True):
        if theirs.grad is not None:
            assert torch.allclose(ours, theirs - 0.01 * theirs.grad, atol=1e-6)


def test_between_penalties_there_are_none() -> None:
    game = contest(r1=1, r2=1, penalty_every=4)
    real = images()
    fake, draws = game.make(COUNT, None, teachable=False), game.augmentation.draw(real)
    assert "penalty" not in game.discriminator_step(real, fake, None, draws, penalised=False)
    assert "penalty" in game.discriminator_step(real, fake, None, draws, penalised=True)


def test_one_kind_of_slope_alone_is_computed_where_one_is_asked_for() -> None:
    both, real_only = contest(r1=1, r2=0), contest(r1=1, r2=0)
    real = images()
    fake, draws = both.make(COUNT, None, teachable=False), both.augmentation.draw(real)
    told = [
        game.discriminator_step(real, other, None, draws, penalised=True)["penalty"].item()
        for game, other in ((both, fake), (real_only, torch.zeros_like(fake)))
    ]
    assert told[0] == pytest.approx(told[1])  # what is generated has no part in R1


def test_real_and_generated_images_are_judged_apart_where_norms_would_mix_them() -> None:
    game = contest("dcgan", augment="none", size=16)
    norm = next(each for each in game.discriminator.modules() if isinstance(each, torch.nn.BatchNorm2d))
    real, fake = images(16), game.make(COUNT, None, teachable=False)
    twin = copy.deepcopy(game.discriminator)
    expected = [twin(real), twin(fake)]
    told = game.discriminator_step(real, fake, None, game.augmentation.draw(real), penalised=True)
    assert told["real_scores"].equal(expected[0])
    assert told["fake_scores"].equal(expected[1])
    assert norm.num_batches_tracked == 2


def test_the_wasserstein_loss_has_its_penalty() -> None:
    game = contest("r3gan", loss="wasserstein", gradient_penalty=10, r1=0, r2=0)
    real = images()
    fake, draws = game.make(COUNT, None, teachable=False), game.augmentation.draw(real)
    told = game.discriminator_step(real, fake, None, draws, penalised=True)
    assert told["penalty"] > 0
