"""Dissection finds units that were planted, and its figures equal those counted by hand."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import (
    Concept,
    ConceptSet,
    concept_kit,
    concepts_in,
    detector_examples,
    dissect,
    dissected_layers,
    generated_patterns,
    untrained_twin,
)
from striate.explain import dissection as module
from striate.nn import FixedFilter


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(count: int = 40, channels: int = 1, side: int = 32) -> Tensor:
    return generated_patterns(count, (channels, side, side))[0]


def marked(masks: Tensor, *, categories: str = "", only_labelled: bool = False) -> ConceptSet:
    kinds = categories or "c" * masks.shape[1]
    concepts = tuple(Concept(f"thing {number}", kind) for number, kind in enumerate(kinds))
    return ConceptSet(concepts, masks, only_labelled)


class Absolute(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.abs()


class Planted(nn.Module):
    """Channels that are an edge filter each, and one that is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ModuleList([FixedFilter("sobel-y"), FixedFilter("sobel-x")])
        self.bank = nn.Conv2d(1, 3, 3, padding=1, padding_mode="replicate", bias=False)
        self.absolute = Absolute()
        with torch.no_grad():
            for row, each in enumerate(self.filters):
                self.bank.weight[row, 0] = each.kernel
            self.bank.weight[2] = 0

    def forward(self, images: Tensor) -> Tensor:
        return self.absolute(self.bank(images)).amax(dim=(2, 3))


def test_planted_edge_filters_are_detectors_of_exactly_their_edges() -> None:
    images = pictures()
    found = dissect(Planted(), images, concepts_in(images, concept_kit(images)))
    (layer,) = found.layers
    assert layer.name == "absolute"
    across, down, nothing = layer.units
    assert (across.concept, across.detector) == ("horizontal edges", True)
    assert (down.concept, down.detector) == ("vertical edges", True)
    assert across.iou > 5 * across.chance
    assert not nothing.detector
    assert (layer.detectors, layer.unique, layer.by_chance) == (2, 2, 0)
    assert layer.finding.startswith("absolute: 1 of 3 units detect horizontal edges, 1 vertical edges; 2 det")


def test_planted_colours_are_detectors_of_exactly_their_colour() -> None:
    names = ["red", "green", "blue"]
    images = torch.rand(30, 3, 6, 6, generator=seeded()).repeat_interleave(4, 2).repeat_interleave(4, 3)
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Flatten())
    with torch.no_grad():
        network[0].weight.copy_((1.5 * torch.eye(3) - 0.5)[:, :, None, None])
    found = dissect(network, images, concepts_in(images, concept_kit(images)), quantile=0.05)
    assert [unit.concept for unit in found.layers[0].units] == names
    assert all(unit.detector for unit in found.layers[0].units)


def test_planted_textures_of_drawn_patterns_are_found() -> None:
    images, concepts = generated_patterns(80, (1, 32, 32), generator=seeded())
    names = [concept.name for concept in concepts.concepts]
    stripes = concepts.masks[0:80][:, names.index("checkerboards")].float()
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(network[0].weight)
    found = dissect(network, stripes[:, None] * images.clamp(min=0.1), concepts)
    assert found.layers[0].units[0].concept == "checkerboards"
    assert found.layers[0].units[0].iou == pytest.approx(found.concepts[4].reachable, rel=0.1)


def enlarged(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear interpolation with pixels as areas, written out."""
    places = []
    for axis, side in enumerate(size):
        had = maps.shape[axis]
        centre = np.clip((np.arange(side) + 0.5) * had / side - 0.5, 0, had - 1)
        low = np.floor(centre).astype(int)
        places.append((low, np.minimum(low + 1, had - 1), centre - low))
    (top, bottom, down), (left, right, across) = places
    above = maps[top][:, left] * (1 - across) + maps[top][:, right] * across
    below = maps[bottom][:, left] * (1 - across) + maps[bottom][:, right] * across
    return above * (1 - down[:, None]) + below * down[:, None]


@pytest.mark.parametrize("only_labelled", [False, True])
@pytest.mark.parametrize("quantile", [0.01, 0.2])
def test_iou_and_chance_equal_those_counted_by_hand(quantile, only_labelled) -> None:
    images = torch.rand(6, 2, 9, 7, generator=seeded(1), dtype=torch.float64)
    torch.manual_seed(4)
    network = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2)).double()
    masks = torch.rand(6, 4, 12, 10, generator=seeded(2)) < torch.tensor([0.1, 0.4, 0.02, 0.3])[:, None, None]
    masks[:2, 2:] = False
    kinds = "aabb"
    found = dissect(
        network, images, marked(masks, categories=kinds, only_labelled=only_labelled), quantile=quantile
    )
    maps = network(images).detach().numpy()
    values = np.sort(np.moveaxis(maps, 1, 0).reshape(3, -1), axis=1)[:, ::-1]
    thresholds = values[:, int(np.floor(quantile * values.shape[1]))]
    pairs = [list(zip(each, thresholds, strict=True)) for each in maps]
    active = np.array([[enlarged(one, (12, 10)) > bound for one, bound in each] for each in pairs])
    truth = masks.numpy()
    for shift, figure in ((0, "iou"), (3, "chance")):
        there = np.roll(truth, -shift, axis=0)
        for unit in range(3):
            ious = []
            for concept in range(4):
                group = [kind == kinds[concept] for kind in kinds]
                counts = there[:, group].any(axis=(1, 2, 3)) if only_labelled else np.ones(6, bool)
                one, other = active[counts, unit], there[counts, concept]
                ious.append((one & other).sum() / max(1, (one | other).sum()))
            if figure == "iou":
                np.testing.assert_allclose(found.layers[0].iou[unit].numpy(), ious, rtol=1e-12)
                best = int(np.argmax(ious))
                assert found.layers[0].units[unit].iou == pytest.approx(max(ious))
                assert found.layers[0].units[unit].threshold == pytest.approx(thresholds[unit], rel=1e-6)
            else:
                best = int(found.layers[0].iou[unit].argmax())
                assert found.layers[0].units[unit].chance == pytest.approx(ious[best], rel=1e-12)
    largest = maps.max(axis=(2, 3)).argsort(axis=0)[::-1].T
    assert found.layers[0].top_images.tolist() == largest.tolist()


def test_small_batches_and_small_pieces_change_nothing(monkeypatch) -> None:
    images = pictures(30)
    concepts = concepts_in(images, concept_kit(images))
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 3), nn.ReLU())
    whole = dissect(network, images, concepts, quantile=0.02)
    monkeypatch.setattr(module, "_BATCH_VALUES", 7 * images[0].numel())
    monkeypatch.setattr("striate.explain.overlaps._CHUNK", 5000)
    parts = dissect(network, images, concepts, quantile=0.02)
    for one, other in zip(whole.layers, parts.layers, strict=True):
        torch.testing.assert_close(one.iou, other.iou, rtol=1e-3, atol=1e-3)
        assert one.counts == other.counts


def test_a_concept_that_covers_too_much_is_named_as_out_of_reach() -> None:
    images = torch.rand(4, 1, 10, 10, generator=seeded())
    masks = torch.zeros(4, 2, 10, 10, dtype=torch.bool)
    masks[:, 0] = True
    masks[:, 1, :1] = True
    found = dissect(nn.Conv2d(1, 2, 1), images, marked(masks), quantile=0.02)
    assert [each.name for each in found.out_of_reach] == ["thing 0"]
    assert [each.share for each in found.concepts] == [1.0, pytest.approx(0.1)]
    assert found.concepts[1].reachable == pytest.approx(0.2)
    assert "not to be detected at this quantile" in found.text()
    assert "thing 0 (100 %)" in found.text()
    assert {unit.chance for unit in found.layers[0].units} == {None}  # the masks are alike in all images
    assert found.layers[0].by_chance == 0


@pytest.mark.parametrize("dims", [1, 3])
def test_signals_and_volumes_are_dissected(dims) -> None:
    side = {1: 64, 3: 8}[dims]
    images = torch.rand(12, 1, *[side] * dims, generator=seeded())
    masks = (images > 0.97).repeat(1, 2, *[1] * dims)
    masks[:, 1] = images[:, 0] < 0.02
    layer = {1: nn.Conv1d, 3: nn.Conv3d}[dims](1, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight.view(2).copy_(torch.tensor([1.0, -1.0]))
    found = dissect(nn.Sequential(layer), images, marked(masks), quantile=0.02)
    assert [unit.concept for unit in found.layers[0].units] == ["thing 0", "thing 1"]
    assert min(unit.iou for unit in found.layers[0].units) > 0.4


def test_the_network_is_as_before_also_after_an_error() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout(0.5))
    images = torch.rand(4, 1, 8, 8)
    concepts = concepts_in(images, concept_kit(images))
    network[3].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    dissect(network, images, concepts)
    with pytest.raises(LayerError, match="there is no layer 'nowhere'"):
        dissect(network, images, concepts, layers=["0", "nowhere"])
    assert [each.training for each in network] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in network.modules())


def test_types_and_layouts_of_images_and_networks_are_taken() -> None:
    images = pictures(20)
    concepts = concepts_in(images, concept_kit(images))
    network = Planted()
    plain = dissect(network, images, concepts)
    channels_last = images.to(memory_format=torch.channels_last)
    strided = torch.stack([images, images], dim=-1)[..., 0]
    as_bytes = (images * 255).round().byte()
    for each in (channels_last, strided):
        assert torch.equal(dissect(network, each, concepts).layers[0].iou, plain.layers[0].iou)
    for other, given in ((network, as_bytes), (Planted().bfloat16(), images)):
        found = dissect(other, given, concepts)
        assert [unit.concept for unit in found.layers[0].units[:2]] == ["horizontal edges", "vertical edges"]


def test_progress_is_told_to_the_end_and_results_are_json() -> None:
    images = pictures()
    seen = []
    found = dissect(Planted(), images, concepts_in(images, concept_kit(images)), on_event=seen.append)
    ends = {event.data["what"]: (event.data["done"], event.data["total"]) for event in seen}
    assert ends == {"finding thresholds": (40, 40), "comparing units and concepts": (40, 40)}
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["layers"][0]["counts"] == {"horizontal edges": 1, "vertical edges": 1}
    assert len(read["layers"][0]["units"]) == 3
    assert [len(row) for row in found.rows()] == [len(found.COLUMNS)]


def test_a_layer_that_detects_nothing_says_so() -> None:
    images = torch.rand(6, 1, 12, 12, generator=seeded())
    masks = torch.zeros(6, 1, 12, 12, dtype=torch.bool)
    found = dissect(nn.Conv2d(1, 3, 3), images, marked(masks))
    assert "none of 3 units detects a concept (0 with the masks of other images)" in found.text()
    assert detector_examples(nn.Conv2d(1, 3, 3), images, marked(masks), found) == ()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"quantile": 0.0}, LayerError, r"quantile of 0\.0 .* cannot be"),
        ({"quantile": 0.6}, LayerError, "quantile in"),
        ({"least": 1.0}, LayerError, "least IoU of 1.0"),
        (
            {"layers": ["head"]},
            LayerError,
            r"'head' gives 3 for an image, without spatial extent.*those of conv",
        ),
        ({"layers": ["pool"]}, LayerError, r"'pool' gives 2x1x1 for an image, without"),
        ({"layers": "cnv"}, LayerError, "did you mean 'conv'"),
        ({"images": torch.rand(5, 1, 8, 8)}, ShapeError, "masks of 4 images do not match 5 images"),
        ({"images": torch.rand(1, 1, 8, 8)}, ShapeError, "1 images cannot be dissected"),
        ({"images": torch.ones(4, 1, 8, 8).long()}, LayerError, "images are int64"),
        ({"images": torch.rand(4, 2, 8, 8)}, ShapeError, "takes 1 channels, and got 2"),
        ({"masks": torch.zeros(4, 3, 8, 8).bool()}, ShapeError, "3x8x8 do not match .* 2 concepts"),
        ({"masks": torch.zeros(4, 2, 8).bool()}, ShapeError, "2x8 do not match"),
        ({"masks": torch.zeros(4, 2, 8, 8)}, ShapeError, r"float32\) do not match, where booleans of 4x2"),
        ({"broken": True}, LayerError, "'conv' gives values that are inf or NaN"),
    ],
)
def test_bad_input_gets_one_sentence(change, error, match) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool, self.head = nn.Conv2d(1, 2, 3), nn.AdaptiveMaxPool2d(1), nn.Linear(2, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.pool(self.conv(images)).flatten(1))

    network = Network()
    if change.pop("broken", False):
        nn.init.constant_(network.conv.bias, float("nan"))
    images = change.pop("images", torch.rand(4, 1, 8, 8))
    masks = change.pop("masks", torch.rand(4, 2, 8, 8) < 0.1)
    concepts = ConceptSet((Concept("a", "x"), Concept("b", "x")), masks)
    with pytest.raises(error, match=match) as caught:
        dissect(network, images, concepts, **change)
    assert "\n" not in str(caught.value)


def test_a_sentence_names_the_most_frequent_concepts_and_counts_the_others() -> None:
    images = torch.rand(20, 1, 8, 8, generator=seeded())
    bins = (images * 12).long()
    masks = torch.cat([bins == number for number in range(12)], dim=1)
    network = nn.Sequential(*(nn.Conv2d(1, 12, 1), Nearness()))
    nn.init.ones_(network[0].weight)
    with torch.no_grad():
        network[0].bias.copy_(-(torch.arange(12) + 0.5) / 12)
    layer = dissect(network, images, marked(masks), quantile=0.05).layers[0]
    assert [unit.concept for unit in layer.units] == [f"thing {number}" for number in range(12)]
    assert "6 units 6 other concepts; 12 detectors of 12 concepts" in layer.finding


class Nearness(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return -values.abs()


def test_one_layer_of_each_stretch_is_chosen() -> None:
    class Reusing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
            self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
            self.second, self.head = nn.Conv2d(2, 2, 3), nn.Linear(2, 2)

        def forward(self, images: Tensor) -> Tensor:
            features = self.pool(self.relu(self.norm(self.first(images))))
            return self.head(self.relu(self.second(features)).amax(dim=(2, 3)))

    network, images = Reusing(), torch.rand(6, 1, 12, 12)
    assert dissected_layers(network, images) == ("relu", "relu (2)")
    found = dissect(network, images, concepts_in(images, concept_kit(images)))
    assert [layer.name for layer in found.layers] == ["relu", "relu (2)"]
    with pytest.raises(LayerError, match="no convolution of the network"):
        dissected_layers(nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), images)


def test_examples_show_where_the_best_detector_is_active() -> None:
    images = pictures()
    concepts = concepts_in(images, concept_kit(images))
    network = Planted()
    found = dissect(network, images, concepts)
    shown = detector_examples(network, images, concepts, found, examples=3)
    assert {each.finding.concept for each in shown} == {"horizontal edges", "vertical edges"}
    assert [each.finding.iou for each in shown] == sorted((e.finding.iou for e in shown), reverse=True)
    for each in shown:
        rows = found.layers[0].top_images[each.finding.unit, :3].tolist()
        assert torch.equal(each.pictures, images[rows])
        values = network.absolute(network.bank(each.pictures))[:, each.finding.unit].detach()
        assert torch.equal(each.regions, values > each.finding.threshold)
        assert each.regions.flatten(1).any(dim=1).all()
        assert each.masks.shape == each.regions.shape
    with pytest.raises(ShapeError, match=r"39 images and .* give the same"):
        detector_examples(network, images[:39], concepts, found)


def test_the_twin_has_new_weights_and_the_network_its_own() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.full((1, 4, 1, 1), 3.0))

        def forward(self, images: Tensor) -> Tensor:
            return images * self.scale

    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), Scaled())
    network[1].running_mean.fill_(7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    twin, again = untrained_twin(network), untrained_twin(network)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in twin.state_dict().items())
    assert twin[1].running_mean.abs().max() == 0
    assert not torch.isclose(twin[0].weight, network[0].weight).any()
    assert not torch.isclose(twin[2].scale, network[2].scale).any()
    other = untrained_twin(network, generator=seeded(9))
    assert not torch.equal(other[0].weight, twin[0].weight)


def test_activations_that_are_equal_everywhere_are_never_active() -> None:
    images = torch.rand(4, 1, 8, 8, generator=seeded())
    masks = torch.ones(4, 1, 8, 8, dtype=torch.bool)
    network = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(network.weight)
    found = dissect(network, images, marked(masks))
    assert found.layers[0].iou.item() == 0
    assert F.relu(network(images)).amax() == F.relu(network(images)).amin()
