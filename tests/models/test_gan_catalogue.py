"""Laws of every family of adversarial networks: shapes, gradients, precision, seeds, refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, RecipeError
from striate.models import (
    CATALOGUE,
    GAN_FAMILIES,
    Discriminator,
    Generator,
    build_discriminator,
    build_generator,
    check_size,
)

FAMILIES = sorted(GAN_FAMILIES)
CLASSES = [None, 3]


def pair(family: str, *, size: int = 28, classes: int | None = None, channels: int = 1, width: int = 16):
    torch.manual_seed(0)
    settings = {"size": size, "channels": channels, "classes": classes, "width": width}
    return build_generator(family, latent_size=6, **settings), build_discriminator(family, **settings)


def told(classes: int | None, count: int = 4) -> Tensor | None:
    return None if classes is None else torch.arange(count) % classes


def test_families_are_those_that_recipes_name_and_each_has_a_trunk() -> None:
    assert set(GAN_FAMILIES) == {"dense", "dcgan", "residual", "r3gan"}
    for name, family in GAN_FAMILIES.items():
        assert family.name == name
        assert f"{name}-trunk" in CATALOGUE
        assert {28, 32, 64, 96, 128} <= set(family.sizes)
        assert list(family.sizes) == sorted(family.sizes)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_size_is_made_and_judged(family, classes) -> None:
    channels, labels = 3 if classes is None else 1, told(classes, 2)
    for size in (8, 20, 28, 32, 56, 64, 96, 128):
        assert size in GAN_FAMILIES[family].sizes
        generator, discriminator = pair(family, size=size, classes=classes, channels=channels, width=4)
        with torch.no_grad():
            images = generator(torch.randn(2, 6), labels)
            assert images.shape == (2, channels, size, size)
            assert discriminator(images, labels).shape == (2,)
            assert discriminator.trunk(images).shape == (2, discriminator.score.in_features)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_all_weights_learn_in_bfloat16_with_channels_last(family, classes) -> None:
    generator, discriminator = pair(family, classes=classes, channels=3, size=32)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    labels = told(classes)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(4, 6), labels)
        scores = discriminator(images, labels)
    assert images.dtype == scores.dtype == torch.float32
    assert images.abs().max() <= 1
    scores.sigmoid().log().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        assert any(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_maps_are_channels_last_from_the_first_one_on(family) -> None:
    generator, discriminator = pair(family)
    seen: list[Tensor] = []
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(lambda *called: seen.append(called[-1]))
    discriminator(generator(torch.randn(4, 6)))
    assert bool(seen) == (family != "dense")
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in seen)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_decides_weights_and_images(family) -> None:
    def made(seed: int) -> tuple[Generator, Discriminator]:
        torch.manual_seed(seed)
        return build_generator(family, size=16, width=8), build_discriminator(family, size=16, width=8)

    first, again, other = made(1), made(1), made(2)
    for one, same in zip(first, again, strict=True):
        assert all(a.equal(b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    latents = torch.randn(3, first[0].latent_size)
    assert first[0](latents).equal(again[0](latents))
    assert not first[0](latents).equal(other[0](latents))
    assert not first[1](first[0](latents)).equal(other[1](first[0](latents)))


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_in_evaluation_each_image_is_made_and_judged_by_itself(family, classes) -> None:
    generator, discriminator = (each.double().eval() for each in pair(family, classes=classes))
    latents, labels = torch.randn(3, 6, dtype=torch.double), told(classes, 3)
    with torch.no_grad():
        images = generator(latents, labels)
        scores = discriminator(images, labels)
        for row in range(3):
            label = None if labels is None else labels[row : row + 1]
            alone = generator(latents[row : row + 1], label)
            assert torch.allclose(alone[0], images[row], atol=1e-10)
            assert torch.allclose(discriminator(alone, label)[0], scores[row], atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_class_changes_what_is_made_and_what_is_believed(family) -> None:
    generator, discriminator = (each.eval() for each in pair(family, classes=3))
    latents = torch.randn(1, 6).expand(3, -1)
    with torch.no_grad():
        images = generator(latents, torch.arange(3))
        scores = discriminator(torch.randn(1, 1, 28, 28).expand(3, -1, -1, -1), torch.arange(3))
    assert (images[0] - images[1]).abs().max() > 1e-4
    assert (scores[0] - scores[1]).abs() > 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_of_scores_by_images_can_be_penalised(family) -> None:
    _, discriminator = pair(family)
    images = torch.randn(4, 1, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    reached = [each for each in discriminator.trunk.parameters() if each.grad is not None]
    assert any(each.grad.abs().max() > 0 for each in reached)
    assert all(torch.isfinite(each.grad).all() for each in reached)


@pytest.mark.parametrize("family", ["dcgan", "residual", "r3gan"])
def test_wider_networks_have_more_weights_and_larger_images_not_many_more(family) -> None:
    def count(**settings: int) -> int:
        networks = build_generator(family, **settings), build_discriminator(family, **settings)
        return sum(parameter.numel() for network in networks for parameter in network.parameters())

    assert count(size=28, width=64) > 2 * count(size=28, width=32)
    assert count(size=128, width=32) < 3 * count(size=32, width=32)


def test_what_is_left_open_is_as_the_family_has_it() -> None:
    with torch.device("meta"):
        decided = build_generator("r3gan", size=28, channels=None, latent_size=None, classes=None, width=None)
    assert (decided.latent_size, decided.channels, decided.classes) == (64, 1, None)


@pytest.mark.parametrize(
    ("family", "size", "message"),
    [
        ("dcgan", 30, "'dcgan' makes no images of 30x30 pixels; it makes sizes 8, 10, 12, .* 112, 128"),
        ("r3gan", 256, "'r3gan' makes no images of 256x256 pixels; it makes sizes"),
        ("dense", 129, "'dense' makes no images of 129x129 pixels; it makes sizes 1 to 128"),
        ("dcgna", 28, "there is no family of networks 'dcgna'; did you mean 'dcgan'"),
    ],
)
def test_a_size_or_family_that_is_not_there_is_refused(family, size, message) -> None:
    for refuse in (check_size, lambda family, size: build_generator(family, size=size)):
        with pytest.raises(RecipeError, match=message):
            refuse(family, size)
    with pytest.raises(RecipeError, match=message):
        build_discriminator(family, size=size)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("change", [{"width": 0}, {"channels": 0}, {"classes": 0}, {"width": 1.5}])
def test_wrong_numbers_are_refused(family, change) -> None:
    with torch.device("meta"):
        for build in (build_generator, build_discriminator):
            with pytest.raises(LayerError, match=f"{next(iter(change))} is .*, where a whole number"):
                build(family, size=28, **change)
