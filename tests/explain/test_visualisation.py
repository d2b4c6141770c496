"""Pictures found by ascent are what planted units answer to, and the figures say whether they are."""

import json

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import Ascent, visualise
from striate.explain.objectives import similarity
from striate.explain.waves import Waves, palette_of, plain_palette, wobbled

SHORT = Ascent(steps=40)


def correlation(one: Tensor, other: Tensor) -> float:
    return torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1].item()


def template(side: int = 28) -> Tensor:
    """Smooth, so that shifts of a pixel or two keep it: a grating under a bump."""
    places = (torch.arange(side) - (side - 1) / 2) / side
    bump = torch.exp(-(places[:, None] ** 2 + places**2) * 14)
    return bump * torch.cos(2 * torch.pi * 2 * places)


class Filtering(nn.Module):
    """Unit 0 is a filter as large as the picture, unit 1 its negative, unit 2 the mean."""

    def __init__(self, channels: int = 1, side: int = 28) -> None:
        super().__init__()
        self.bank = nn.Conv2d(channels, 3, side, bias=False)
        with torch.no_grad():
            self.bank.weight[0] = template(side)
            self.bank.weight[1] = -template(side)
            self.bank.weight[2] = 1.0

    def forward(self, images: Tensor) -> Tensor:
        return self.bank(images).flatten(1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_of_a_linear_filter_is_like_the_filter(channels) -> None:
    found = visualise(Filtering(channels), [0, 1, 2], shape=(channels, 28, 28), ascent=Ascent(steps=80))
    one, negative, light = (picture.mean(dim=0) for picture in found.pictures[:, 0])
    strong = template().abs() > 0.1
    assert correlation(one[strong], template()[strong]) > 0.7
    assert correlation(negative[strong], template()[strong]) < -0.7
    assert correlation(one, template()) > 0.5
    assert light.mean() > 0.7
    assert all(found.worked)
    by_layer = visualise(
        Filtering(channels), [0, 1, 2], layer="bank", shape=(channels, 28, 28), ascent=Ascent(steps=80)
    )
    torch.testing.assert_close(by_layer.pictures, found.pictures)


def test_figures_are_the_activations_of_the_pictures() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    images = torch.rand(70, 1, 20, 16, generator=Generator().manual_seed(3))
    network(images)
    found = visualise(network, [3, 1], layer="1", images=images, ascent=SHORT)
    assert found.pictures.shape == (2, 1, 1, 20, 16)
    assert 0 < found.pictures.min() < found.pictures.max() < 1
    with torch.no_grad():
        reached = network[:2](found.pictures[:, 0]).mean(dim=(2, 3))
        values = network[:2](images).mean(dim=(2, 3))[:, [3, 1]]
    torch.testing.assert_close(found.reached[:, 0], torch.stack([reached[0, 3], reached[1, 1]]))
    torch.testing.assert_close(found.best, values.amax(dim=0))
    assert torch.equal(found.best_images, values.argmax(dim=0))
    assert found.images == 70
    assert len(found.sentences()) == 2
    assert found.sentences()[0].startswith("channel 3 of 1: ")
    assert "the best of 70 images" in found.sentences()[0]
    assert json.loads(json.dumps(found.to_dict()))["units"][1]["unit"] == 1


def test_the_seed_decides_all_and_units_do_not_disturb_one_another() -> None:
    network = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(6, 6, 3))
    one, two = (visualise(network, [0, 4], layer="3", shape=(1, 28, 28), ascent=SHORT) for _ in range(2))
    assert torch.equal(one.pictures, two.pictures)
    other = visualise(
        network, [0, 4], layer="3", shape=(1, 28, 28), ascent=SHORT, generator=Generator().manual_seed(1)
    )
    assert not torch.equal(one.pictures, other.pictures)


def test_diversity_sets_variants_apart() -> None:
    class Either(nn.Module):
        """One unit that stripes of either direction excite."""

        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Conv2d(1, 2, 5, bias=False)
            waves = torch.sin(torch.arange(5) * 2.0)
            with torch.no_grad():
                self.both.weight[0, 0], self.both.weight[1, 0] = waves.expand(5, 5), waves.expand(5, 5).T

        def forward(self, images: Tensor) -> Tensor:
            return self.both(images).square().mean(dim=(2, 3)).sum(dim=1, keepdim=True)

    alike, apart = (
        visualise(
            Either(),
            [0],
            shape=(1, 28, 28),
            ascent=Ascent(steps=60, variants=4, diversity=diversity),
        )
        for diversity in (0.0, 0.3)
    )
    assert apart.similarity[0] < alike.similarity[0] - 0.3
    assert apart.pictures.shape == (1, 4, 1, 28, 28)
    assert apart.worked == (True,)


def test_similarity_is_the_mean_cosine_of_gram_matrices() -> None:
    features = torch.rand(2, 3, 4, 10, generator=Generator().manual_seed(0))
    for group, found in zip(features, similarity(features), strict=True):
        mean = group.mean(dim=(0, 2), keepdim=True)[0]
        grams = [((one - mean) @ (one - mean).T).flatten() for one in group]
        pairs = [(0, 1), (0, 2), (1, 2)]
        cosines = [torch.cosine_similarity(grams[a], grams[b], dim=0) for a, b in pairs]
        assert found.item() == pytest.approx(torch.stack(cosines).mean().item(), rel=1e-5)
    assert similarity(torch.zeros(1, 2, 3, 4)).item() == 0


def test_a_unit_that_faint_noise_does_not_move_is_started_louder() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.Flatten(), nn.LazyLinear(1))
    network(torch.zeros(1, 1, 16, 16))

    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, images: Tensor) -> Tensor:
            # Nothing at all as long as no pixel is far from grey.
            return torch.relu((images - 0.5).abs() - 0.1).mean(dim=(2, 3)) * self.weight

    found = visualise(Deaf(), [0], shape=(1, 16, 16), ascent=Ascent(steps=60))
    assert found.reached.item() > 0.2
    assert found.worked == (True,)


def test_a_unit_that_nothing_moves_is_said_not_to_have_worked() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
    nn.init.constant_(network[0].bias, -100.0)
    found = visualise(network, [0], layer="1", shape=(1, 16, 16), ascent=Ascent(steps=3))
    assert found.worked == (False,)
    assert found.sentences()[0].endswith("it did not work, for that is no more")


def test_the_network_is_as_before_also_after_an_error_and_under_any_mode() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout(0.5))
    network[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        visualise(network, [1], layer="1", shape=(1, 12, 12), ascent=Ascent(steps=2))
    with torch.no_grad():
        visualise(network, [1], layer="2", shape=(1, 12, 12), ascent=Ascent(steps=2))
    with pytest.raises(LayerError, match="cannot take images"):
        visualise(network, [1], layer="1", shape=(2, 12, 12), ascent=Ascent(steps=2))
    assert all(each.training for each in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [weight.requires_grad for weight in network[0].parameters()] == [True, False]
    assert all(weight.grad is None for weight in network.parameters())
    assert not any(each._forward_hooks for each in network.modules())


def test_layers_written_over_in_place_are_seen_as_they_were() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    images = torch.rand(9, 1, 12, 12)
    found = visualise(network, [0], layer="0", images=images, ascent=Ascent(steps=2))
    with torch.no_grad():
        torch.testing.assert_close(found.best, network[0](images).mean(dim=(2, 3))[:, :1].amax(dim=0))


def test_precisions_and_sizes_are_taken() -> None:
    layers = nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 5)
    network = nn.Sequential(*layers)
    for size in ((9, 31), (40, 28)):
        found = visualise(network.bfloat16(), [4], shape=(3, *size), ascent=Ascent(steps=3))
        assert found.pictures.dtype == torch.float32
        assert found.pictures.shape == (1, 1, 3, *size)


def test_progress_is_told_to_the_end(monkeypatch) -> None:
    monkeypatch.setattr("striate.explain.visualisation._AT_ONCE", 2)
    seen: list[tuple[str, int, int]] = []

    def see(event) -> None:
        seen.append((event.data["what"], event.data["done"], event.data["total"]))

    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    found = visualise(network, [2, 0, 1], shape=(1, 8, 8), ascent=Ascent(steps=5), on_event=see)
    assert seen == [("visualising", done, 10) for done in range(1, 11)]
    assert found.pictures.shape[0] == 3


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"units": [4], "layer": "0"}, LayerError, "no channel 4: layer '0' has 4, which are 0 to 3"),
        ({"units": [-1]}, LayerError, "no class -1: the network has 3, which are 0 to 2"),
        ({"units": []}, LayerError, "no class is named"),
        ({"layer": "conv"}, LayerError, "there is no layer 'conv'"),
        ({"shape": None}, ShapeError, "neither a shape nor images"),
        ({"shape": (1, 8)}, ShapeError, "1x8 cannot be"),
        ({"shape": (3, 12, 12)}, LayerError, "cannot take images of"),
        ({"images": torch.rand(2, 1, 9, 9)}, ShapeError, "1x9x9 each, where 1x12x12 is wanted"),
        ({"images": torch.randn(9, 1, 12, 12)}, LayerError, r"where pixels in \[0, 1\] are wanted"),
        ({"ascent": Ascent(variants=2), "plain": True}, LayerError, "more than one"),
        ({"detached": True}, LayerError, "detaches what it computes"),
    ],
)
def test_bad_input_gets_one_sentence(change, error, match) -> None:
    class Detached(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.detach()

    layers = [nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(400, 3)]
    if change.pop("plain", False):
        layers = [nn.Flatten(), nn.Linear(144, 3)]
    if change.pop("detached", False):
        layers.insert(0, Detached())
    named = {"units": [0], "shape": (1, 12, 12), "ascent": Ascent(steps=2), **change}
    with pytest.raises(error, match=match) as caught:
        visualise(nn.Sequential(*layers), named.pop("units"), **named)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [{"steps": 0}, {"variants": 0}, {"rate": 0.0}, {"diversity": -1.0}])
def test_ascents_that_cannot_be_are_refused(change) -> None:
    with pytest.raises(LayerError, match="cannot be; steps and variants from 1"):
        Ascent(**change)


@pytest.mark.parametrize("size", [(28, 28), (17, 30), (5, 4)])
def test_waves_have_the_variance_of_their_amplitudes_and_fall_with_frequency(size) -> None:
    waves = Waves((1, *size), plain_palette(1), torch.device("cpu"))
    pictures = waves.pictures(waves.noise(400, 1.0, Generator().manual_seed(0)))
    values = torch.logit(pictures.double())
    assert values.var().item() == pytest.approx(1.0, rel=0.25 if min(size) > 8 else 0.4)
    if min(size) > 8:
        power = torch.fft.fft2(values).abs().square().mean(dim=(0, 1))
        assert power[0, 1] > 3 * power[0, 4]


def test_colours_vary_together_as_those_of_the_images() -> None:
    drawn = torch.randn(3, 60, 1, 20, 20, generator=Generator().manual_seed(1))
    common, one, other = drawn
    images = torch.sigmoid(torch.cat([common, 0.9 * common + 0.1 * one, other], dim=1))
    palette = palette_of(images)
    pixels = images.transpose(0, 1).flatten(1)
    covariance = torch.cov(pixels)
    made = palette.mixing @ palette.mixing.T
    torch.testing.assert_close(made / made.max(), covariance / covariance.max(), rtol=0.02, atol=0.02)
    assert palette.mixing.norm(dim=0).max().item() == pytest.approx(1.0)
    torch.testing.assert_close(torch.sigmoid(palette.level).flatten(), pixels.mean(dim=1))
    assert torch.equal(palette_of(torch.full((2, 3, 4, 4), 0.2)).mixing, torch.eye(3))


def test_wobbles_shift_turn_and_scale_about_the_middle() -> None:
    image = torch.zeros(1, 1, 41, 61)
    image[..., 20, 30 + 12] = 1.0

    def moved(**given: float) -> Tensor:
        many = wobbled(image.expand(200, -1, -1, -1), Generator().manual_seed(0), **given)[:, 0]
        weights = many / many.sum(dim=(1, 2), keepdim=True)
        rows = (weights.sum(dim=2) * torch.arange(41)).sum(dim=1) - 20
        columns = (weights.sum(dim=1) * torch.arange(61)).sum(dim=1) - 30
        return torch.stack([rows, columns], dim=1)

    shifts = moved(shift=3, degrees=0, zoom=0) - torch.tensor([0.0, 12.0])
    assert 2.5 < shifts.abs().max() <= 3.05
    turned = moved(shift=0, degrees=10, zoom=0)
    assert turned.norm(dim=1).min().item() == pytest.approx(12, abs=0.2)
    assert torch.atan2(turned[:, 0], turned[:, 1]).abs().rad2deg().max().item() == pytest.approx(10, abs=1)
    scaled = moved(shift=0, degrees=0, zoom=0.1)
    assert scaled[:, 0].abs().max() < 0.05
    assert 10.8 < scaled[:, 1].min() < scaled[:, 1].max() < 13.5
