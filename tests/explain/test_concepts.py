"""The concept kit finds in drawn images what was drawn, where it was drawn."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import (
    Concept,
    ConceptFamily,
    class_objects,
    class_parts,
    concept_kit,
    concepts_in,
    generated_patterns,
)
from striate.explain.concept_edges import EDGES, TEXTURES, blurred, corners, edges, textures
from striate.explain.concept_pixels import BORDERS, COLOURS, GREYS, borders, colours, greys, objects

SHARES = st.floats(0, 1, width=32)


def named(masks: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    return dict(zip(names, masks[0], strict=True))


def disc(side: int = 32, radius: float = 9.0) -> Tensor:
    places = torch.arange(side) - (side - 1) / 2
    return (torch.hypot(places[:, None], places) <= radius).float()[None, None]


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((0, 0, 0), "black"),
        ((128, 128, 128), "grey"),
        ((255, 255, 255), "white"),
        ((220, 20, 20), "red"),
        ((255, 140, 0), "orange"),
        ((139, 69, 19), "brown"),
        ((255, 230, 0), "yellow"),
        ((0, 160, 0), "green"),
        ((30, 60, 220), "blue"),
        ((140, 30, 200), "purple"),
        ((255, 105, 180), "pink"),
        ((255, 170, 170), "pink"),
    ],
)
def test_colours_have_the_names_that_people_give_them(colour, name) -> None:
    found = colours().find(torch.tensor(colour).view(1, 3, 1, 1) / 255)
    assert [each for each, mask in named(found, COLOURS).items() if mask.all()] == [name]


@given(red=SHARES, green=SHARES, blue=SHARES)
def test_every_pixel_has_exactly_one_colour_and_one_grey(red, green, blue) -> None:
    pixel = torch.tensor([red, green, blue]).view(1, 3, 1, 1)
    found = colours().find(pixel)
    assert found.sum() == 1
    assert greys().find(pixel[:, :1]).sum() == 1
    hue, _, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < 0.19:
        assert named(found, COLOURS)["black"].all()
    elif named(found, COLOURS)["green"].all():
        assert 64 < 360 * hue < 166


def test_greys_are_fifths() -> None:
    ramp = torch.tensor([0.0, 0.19, 0.21, 0.5, 0.79, 0.81, 1.0]).view(1, 1, 1, 7)
    assert [GREYS[int(n)] for n in greys().find(ramp)[0, :, 0].byte().argmax(dim=0)] == [
        "black",
        "black",
        "dark grey",
        "medium grey",
        "light grey",
        "white",
        "white",
    ]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("line", "name"),
    [
        (lambda rows, columns: columns + 0 * rows > 16, EDGES[0]),
        (lambda rows, columns: rows < columns, EDGES[1]),
        (lambda rows, columns: rows + 0 * columns > 16, EDGES[2]),
        (lambda rows, columns: rows + columns > 32, EDGES[3]),
    ],
)
def test_an_edge_has_its_direction_from_either_side(line, name, inverted) -> None:
    places = torch.arange(33)
    image = line(places[:, None], places).expand(33, 33).float()[None, None]
    found = named(edges(image).find(1 - image if inverted else image), EDGES)
    counts = {each: int(mask[2:-2, 2:-2].sum()) for each, mask in found.items()}
    assert counts.pop(name) >= 29
    assert not any(counts.values())


def test_edges_of_even_images_are_none_and_of_busy_ones_a_tenth() -> None:
    even = torch.full((3, 1, 16, 16), 0.5)
    assert not edges(even).find(even).any()
    noise = torch.rand(8, 3, 32, 32, generator=Generator().manual_seed(0))
    assert edges(noise).find(noise).sum().item() == pytest.approx(0.1 * 8 * 32 * 32, rel=0.01)


def test_corners_are_where_both_sides_of_a_square_meet() -> None:
    image = torch.zeros(1, 1, 32, 32)
    image[..., 8:24, 8:24] = 1.0
    found = corners(image).find(image)[0, 0].nonzero().float()
    assert 4 <= len(found) <= 24
    ends = torch.tensor([[8.0, 8.0], [8.0, 23.0], [23.0, 8.0], [23.0, 23.0]])
    distances = torch.cdist(found, ends)
    assert distances.amin(dim=1).max() < 3
    assert distances.amin(dim=0).max() < 3


@pytest.mark.parametrize(("period", "name"), [(3, TEXTURES[0]), (8, TEXTURES[1]), (20, TEXTURES[2])])
def test_textures_are_told_by_their_period(period, name) -> None:
    waves = torch.sin(2 * torch.pi * torch.arange(64) / period).expand(64, 64) / 2
    plain = torch.zeros(64, 64)
    images = torch.stack([waves, plain])[:, None] + 0.5
    energies = {
        each: mask.sum().item() for each, mask in named(textures(images).find(images), TEXTURES).items()
    }
    strengths = [
        ((finer - coarser) ** 2).mean().item()
        for finer, coarser in zip(
            [images[:1], blurred(images[:1], 1.0), blurred(images[:1], 2.0)],
            [blurred(images[:1], 1.0), blurred(images[:1], 2.0), blurred(images[:1], 4.0)],
            strict=True,
        )
    ]
    assert TEXTURES[int(np.argmax(strengths))] == name
    assert energies[name] > 0
    assert not textures(images).find(images)[1].any()


def test_a_blur_keeps_the_mean_and_equals_a_sum_by_hand() -> None:
    image = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
    image[0, 0, 7, 7] = 1.0
    weights = np.exp(-(np.arange(-3, 4) ** 2) / 2.0)
    weights /= weights.sum()
    np.testing.assert_allclose(blurred(image, 1.0)[0, 0, 4:11, 4:11], np.outer(weights, weights), atol=1e-12)


@pytest.mark.parametrize("light", [0.9, 0.3])
def test_the_object_is_what_differs_from_the_border(light) -> None:
    image = disc() * (light - 0.6) + 0.6
    thing, ground, outline = objects().find(image)[0]
    assert torch.equal(thing, disc()[0, 0] > 0)
    assert torch.equal(ground, ~thing)
    assert (outline <= thing).all()
    assert 40 < outline.sum() < 80


def test_otsu_equals_the_threshold_of_the_largest_variance_between() -> None:
    levels = torch.randint(64, (1, 1, 12, 12), generator=Generator().manual_seed(3)).float()
    levels[..., 0, :] = levels[..., -1, :] = levels[..., :, 0] = levels[..., :, -1] = 0
    levels[..., 6, 6] = 63
    values = levels.numpy().ravel()

    def between(bound: int) -> float:
        low, high = values[values <= bound], values[values > bound]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(high) else 0.0

    best = max(range(64), key=between)
    assert torch.equal(objects().find(levels / 63)[0, 0], levels[0, 0] > best)


def test_an_even_image_has_no_object() -> None:
    assert not objects().find(torch.full((2, 3, 9, 9), 0.4)).any()


def test_borders_are_where_they_are_called() -> None:
    top, bottom, left, right, centre = borders().find(torch.zeros(2, 1, 24, 36))[1]
    assert len(BORDERS) == 5
    assert top[:2].all()
    assert not top[2:].any()
    assert torch.equal(bottom, top.flip(0))
    assert left[:, :3].all()
    assert not left[:, 3:].any()
    assert torch.equal(right, left.flip(1))
    assert torch.equal(centre, centre.flip(0).flip(1))
    assert centre.sum() == 6 * 8


class Corner(nn.Module):
    """Class 1 by the pixels of the upper left fifth, class 0 by nothing."""

    def forward(self, images: Tensor) -> Tensor:
        light = images[:, :, :4, :4].sum(dim=(1, 2, 3))
        return torch.stack([torch.full_like(light, 0.5), light], dim=1)


def test_the_part_of_a_class_is_what_its_decision_rests_on() -> None:
    images = torch.zeros(2, 1, 20, 20)
    images[0, :, :8, :8] = 1.0
    family = class_parts(Corner(), ["nothing", "corner"])
    assert [concept.name for concept in family.concepts] == [
        "the part that makes 'nothing'",
        "the part that makes 'corner'",
    ]
    masks = family.find(images)
    expected = torch.zeros(20, 20, dtype=torch.bool)
    expected[:4, :4] = True
    assert torch.equal(masks[0, 1], expected)
    assert not masks[0, 0].any()
    assert not masks[1].any()  # nothing that is covered lowers the constant


def test_the_object_of_a_class_is_in_the_images_that_the_network_takes_for_it() -> None:
    images = torch.zeros(2, 1, 20, 20)
    images[0, :, 2:6, 2:6] = images[1, :, 12:16, 4:9] = 1.0
    masks = class_objects(Corner(), ["nothing", "corner"]).find(images)
    expected = torch.zeros(2, 2, 20, 20, dtype=torch.bool)
    expected[0, 1, 2:6, 2:6] = expected[1, 0, 12:16, 4:9] = True
    assert torch.equal(masks, expected)


def test_classes_and_outputs_have_to_be_as_many() -> None:
    with pytest.raises(ShapeError, match="3 classes are named, and the network has 2"):
        class_parts(Corner(), ["a", "b", "c"]).find(torch.zeros(1, 1, 20, 20))
    with pytest.raises(ShapeError, match="1 classes are named, and the network has 2"):
        class_objects(Corner(), ["a"]).find(torch.zeros(1, 1, 20, 20))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(12, 12), (28, 28), (64, 40)])
def test_patterns_are_drawn_with_masks_that_part_them(channels, size) -> None:
    images, concepts = generated_patterns(40, (channels, *size))
    masks = concepts.masks[0:40]
    assert images.shape == (40, channels, *size)
    assert 0 <= images.min() <= images.max() <= 1
    assert masks.sum(dim=1).max() == 1
    assert 0.1 < masks.any(dim=1).float().mean() < 0.7
    assert masks.flatten(2).any(dim=2).any(dim=0).all()


def test_patterns_follow_the_generator_and_stripes_their_direction() -> None:
    one, two = (generated_patterns(30, (1, 48, 48), generator=Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert not torch.equal(one[0], generated_patterns(30, (1, 48, 48))[0])
    images, concepts = one
    names = [concept.name for concept in concepts.concepts]
    found = concepts.masks[0:30][:, names.index("horizontal stripes")]
    within = found & found.roll(1, 2) & found.roll(1, 1)
    down, across = (
        (images[:, 0] - images[:, 0].roll(1, axis)).abs()[within].mean().item() for axis in (1, 2)
    )
    assert across < 1e-6 < down


@pytest.mark.parametrize("shape", [(2, 28, 28), (1, 11, 28)])
def test_what_nothing_can_be_drawn_in_is_refused(shape) -> None:
    with pytest.raises(ShapeError, match="cannot be made; at least 1 picture"):
        generated_patterns(3, shape)


def test_the_kit_suits_the_channels_and_has_one_name_for_each_concept() -> None:
    for channels, tones in ((1, GREYS), (3, COLOURS)):
        images = torch.rand(5, channels, 30, 22, generator=Generator().manual_seed(1))
        concepts = concepts_in(images, concept_kit(images))
        names = [concept.name for concept in concepts.concepts]
        assert len(set(names)) == len(names)
        assert set(tones) < set(names)
        assert all(concept.how for concept in concepts.concepts)
        masks = concepts.masks[1:4]
        assert masks.dtype == torch.bool
        assert masks.shape == (3, len(names), 30, 22)


def test_bytes_and_memory_maps_give_what_floats_give(tmp_path) -> None:
    stored = np.memmap(tmp_path / "images", np.uint8, "w+", shape=(6, 1, 16, 16))
    stored[:] = np.random.default_rng(0).integers(0, 256, stored.shape)
    floats = torch.from_numpy(np.array(stored)).float() / 255
    by_bytes, by_floats = (concepts_in(each, concept_kit(each)) for each in (stored, floats))
    assert torch.equal(by_bytes.masks[::2], by_floats.masks[::2])


@pytest.mark.parametrize(("side", "every"), [(167, 1), (168, 2), (224, 2), (336, 3)])
def test_masks_of_large_images_are_those_of_evenly_spaced_pixels(side, every) -> None:
    images = torch.rand(2, 1, side, 40)
    bright = ConceptFamily((Concept("bright", "own"),), lambda batch: batch > 0.5)
    masks = concepts_in(images, [bright]).masks[0:2]
    assert torch.equal(masks, images[:, :, every // 2 :: every, every // 2 :: every] > 0.5)
    assert abs(masks.shape[2] - 112) < 60


@pytest.mark.parametrize("shape", [(4, 2, 8, 8), (4, 1, 8), (0, 1, 8, 8)])
def test_what_is_no_picture_is_refused(shape) -> None:
    with pytest.raises(ShapeError, match="where concepts are computed of N x 1 x H x W"):
        concept_kit(torch.zeros(shape))


def test_no_concept_at_all_is_refused() -> None:
    with pytest.raises(LayerError, match="there is no concept to find"):
        concepts_in(torch.zeros(1, 1, 8, 8), [])


def test_own_concepts_stand_beside_those_of_the_kit() -> None:
    images = torch.rand(3, 1, 8, 8)
    own = ConceptFamily((Concept("bright pixels", "own"),), lambda batch: batch > 0.9)
    found = concepts_in(images, [*concept_kit(images), own])
    assert torch.equal(found.masks[0:3][:, -1], images[:, 0] > 0.9)
