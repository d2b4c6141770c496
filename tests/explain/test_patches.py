"""Top patches are those that a search through everything finds, for all channels, in any batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import top_patches


def images_of(dims: int = 2, count: int = 23, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(dims)
    return torch.randint(0, 256, (count, channels, *[10] * dims), generator=generator, dtype=torch.uint8)


def network_of(dims: int = 2, channels: int = 1) -> nn.Sequential:
    torch.manual_seed(dims)
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    return nn.Sequential(
        convolution(channels, 4, 3, padding=1),
        nn.ReLU(),
        convolution(4, 6, 3, stride=2, padding=1),
        nn.Tanh(),
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 7, 256])
def test_they_are_what_a_search_through_everything_finds(dims, batch) -> None:
    network, images = network_of(dims), images_of(dims)
    found = top_patches(network, images, "2", count=4, batch=batch)
    with torch.no_grad():
        maps = network[2](network[1](network[0](images.float() / 255)))
    highest, places = maps.flatten(2).max(dim=2)
    for channel in range(6):
        order = highest[:, channel].sort(descending=True, stable=True).indices[:4]
        assert found.images[channel].tolist() == order.tolist()
        torch.testing.assert_close(found.values[channel], highest[order, channel])
        for rank, image in enumerate(order.tolist()):
            position = found.positions[channel, rank].tolist()
            expected = np.unravel_index(int(places[image, channel]), maps.shape[2:])
            assert position == [int(each) for each in expected]
    for channel in range(6):
        for part, window, image in zip(
            found.cut(images, channel), found.windows(channel), found.images[channel].tolist(), strict=True
        ):
            assert part.equal(images[image][:, *window])
            assert max(part.shape[1:]) <= 5
            assert part.dtype == torch.uint8


def test_a_planted_pattern_is_found_where_it_is() -> None:
    images = torch.zeros(50, 1, 12, 12)
    pattern = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    images[31, 0, 4:6, 7:9] = pattern
    images[8, 0, 10:12, 0:2] = 0.5 * pattern
    network = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False))
    network[0].weight.data.copy_(pattern[None, None])
    found = top_patches(network, images, "0", count=2)
    assert found.images.tolist() == [[31, 8]]
    assert found.positions.tolist() == [[[4, 7], [10, 0]]]
    assert found.values.tolist() == [[4.0, 2.0]]
    assert found.cut(images, 0)[0][0].equal(pattern)
    assert not found.is_flat(0)


def test_where_values_tie_the_earlier_image_stands_first_and_a_dead_channel_is_flat() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0])[:, None, None, None])
        network[0].bias.copy_(torch.tensor([0.0, -5.0]))
    images = torch.zeros(30, 1, 3, 3)
    images[[4, 9, 17, 28], 0, 1, 1] = 1.0
    found = top_patches(network, images, "1", count=3, batch=4)
    assert found.images.tolist() == [[4, 9, 17], [0, 1, 2]]
    assert found.is_flat(1)


@pytest.mark.parametrize("labels", [np.arange(23) % 3, torch.arange(23) % 3])
def test_shares_of_classes_are_counted(labels) -> None:
    found = top_patches(network_of(), images_of(), "1", count=5, labels=labels)
    for channel in range(4):
        counted = np.bincount(np.asarray(labels)[found.images[channel].numpy()], minlength=3) / 5
        assert found.class_shares[channel].tolist() == pytest.approx(counted.tolist())
    assert found.all_shares.tolist() == pytest.approx([8 / 23, 8 / 23, 7 / 23])
    plain = found.to_dict()
    assert len(plain["channels"]) == 4
    assert plain["channels"][2]["class_shares"] == found.class_shares[2].tolist()


def test_arrays_memory_maps_and_floats_give_the_same(tmp_path) -> None:
    network, images = network_of(), images_of()
    np.save(tmp_path / "images.npy", images.numpy())
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    expected = top_patches(network, images, "3")
    for given in (images.numpy(), mapped, images.float() / 255):
        found = top_patches(network, given, "3")
        assert found.images.equal(expected.images)
        torch.testing.assert_close(found.values, expected.values)
    assert found.count == 9
    assert expected.cut(mapped, 0)[0].equal(expected.cut(images, 0)[0])


def test_the_images_are_prepared_as_is_said_and_progress_is_told() -> None:
    network, images, seen = network_of(), images_of(), []
    plain = top_patches(network, images.float() / 255 - 0.5, "2")
    found = top_patches(
        network, images, "2", prepare=lambda part: part.float() / 255 - 0.5, batch=10, on_event=seen.append
    )
    torch.testing.assert_close(found.values, plain.values)
    assert [event.data["done"] for event in seen] == [10, 20, 23]


def test_more_are_wanted_than_there_are_and_bfloat16() -> None:
    assert top_patches(network_of(), images_of(count=3), "0", count=9).count == 3
    found = top_patches(network_of().bfloat16(), images_of(), "2")
    assert found.values.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        rough = top_patches(network_of(), images_of(), "2")
    torch.testing.assert_close(found.values, rough.values, rtol=0.05, atol=0.02)


def test_the_network_is_as_it_was() -> None:
    network = network_of().train()
    top_patches(network, images_of(), "1")
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"layer": "7"}, LayerError, "there is no layer '7'"),
        ({"count": 0}, LayerError, "0 patches"),
        ({"batch": 0}, LayerError, "a batch of 0"),
        ({"labels": torch.zeros(4).long()}, ShapeError, r"\(4,\); to 23 images"),
        ({"labels": torch.zeros(23)}, ShapeError, "float32"),
        ({"labels": torch.full((23,), -1)}, ShapeError, "smallest label is -1"),
        ({"images": torch.zeros(0, 1, 4, 4)}, ShapeError, r"\(0, 1, 4, 4\)"),
        ({"images": torch.zeros(5, 1, 4, 4).long()}, LayerError, "int64"),
        ({"images": torch.zeros(5, 2, 4, 4)}, ShapeError, "takes 1 channels, and got 2"),
        ({"prepare": lambda part: part[..., 1:] / 255}, ShapeError, "10x10 into 10x9"),
        ({"prepare": lambda part: part * torch.inf}, LayerError, "inf or NaN"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, sentence) -> None:
    given = {"images": images_of(), "layer": "2", **options}
    with pytest.raises(error, match=sentence):
        top_patches(network_of(), **given)


def test_patches_are_cut_from_the_images_that_were_looked_at() -> None:
    found = top_patches(network_of(), images_of(), "2")
    with pytest.raises(ShapeError, match="of 23 images of 10x10, and these are 22"):
        found.cut(images_of()[1:], 0)
    with pytest.raises(LayerError, match="no channel 6"):
        found.cut(images_of(), 6)


def test_a_layer_that_gives_nan_is_named() -> None:
    class Root(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.sqrt(values - 0.5)

    with pytest.raises(LayerError, match="layer '0' gives inf or NaN for an image among 0 to 22"):
        top_patches(nn.Sequential(Root()), images_of(), "0")
