"""The classifier normalises, batches, and leaves the network's modes as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from striate.classifier import Classifier, Preprocessing
from striate.core.errors import DataError, ShapeError


def by_hand(classifier: Classifier, images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(classifier.preprocessing.mean).reshape(-1, 1, 1)
    std = torch.tensor(classifier.preprocessing.std).reshape(-1, 1, 1)
    network = classifier.network.eval()
    with torch.no_grad():
        return torch.cat([network(((image - mean) / std)[None]) for image in images])


def test_logits_equal_the_definition_whatever_the_batch(classifier: Classifier) -> None:
    images = torch.randint(0, 256, (300, 3, 12, 10), dtype=torch.uint8)
    expected = by_hand(classifier, images.float() / 255)
    torch.testing.assert_close(classifier.logits(images), expected, atol=1e-4, rtol=1e-4)


def test_arrays_tensors_and_floats_say_the_same(classifier: Classifier) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 12, 10), dtype=np.uint8)
    expected = classifier.logits(images)
    assert torch.equal(classifier.logits(torch.from_numpy(images)), expected)
    assert torch.equal(classifier.logits((images / 255).astype(np.float32)), expected)
    assert torch.equal(classifier.logits(images / 255), expected)


def test_a_read_only_memory_map_is_read(classifier: Classifier, tmp_path, recwarn) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 12, 10), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert torch.equal(classifier.logits(mapped), classifier.logits(images))
    assert not recwarn.list


def test_modes_are_restored_and_nothing_is_learned(classifier: Classifier) -> None:
    classifier.train()
    classifier.network.stages.eval()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    modes = [module.training for module in classifier.modules()]
    logits = classifier.logits(torch.rand(3, 3, 12, 10))
    assert [module.training for module in classifier.modules()] == modes
    assert not logits.requires_grad
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_modes_are_restored_after_a_crash(classifier: Classifier) -> None:
    classifier.train()
    classifier.network = nn.Conv2d(5, 5, 3)  # takes other channels
    with pytest.raises(RuntimeError):
        classifier.logits(torch.rand(3, 3, 12, 10))
    assert classifier.network.training


def test_a_mirroring_classifier_averages_an_image_and_its_mirror_image(classifier: Classifier) -> None:
    images = torch.rand(3, 3, 12, 10)
    plain, turned = classifier.logits(images), classifier.logits(images.flip(3))
    classifier.preprocessing = replace(classifier.preprocessing, average_mirrored=True)
    averaged = classifier.logits(images)
    assert torch.allclose(averaged, (plain + turned) / 2, atol=1e-6)
    assert torch.allclose(classifier.logits(images.flip(3)), averaged, atol=1e-6)
    assert not torch.allclose(plain, turned, atol=1e-3)


def test_a_shifting_classifier_averages_over_two_shifted_images_too(classifier: Classifier) -> None:
    images = torch.rand(3, 3, 12, 10)
    padded = torch.nn.functional.pad(images, (1,) * 4, mode="reflect")
    plain = classifier.logits(images)
    corners = [classifier.logits(padded[:, :, start : start + 12, start : start + 10]) for start in (0, 2)]
    classifier.preprocessing = replace(classifier.preprocessing, average_shifted=1)
    assert torch.allclose(classifier.logits(images), plain / 2 + sum(corners) / 4, atol=1e-6)
    normalised = (images - classifier.mean) / classifier.std
    assert torch.equal(classifier.train()(images), classifier.network(normalised))


@pytest.mark.parametrize("shift", [-1, 10, 1.0, True])
def test_a_shift_that_leaves_nothing_of_the_image_is_refused(classifier: Classifier, shift) -> None:
    with pytest.raises(ShapeError, match=r"average_shifted is .*, where 0 to 9 is wanted"):
        replace(classifier.preprocessing, average_shifted=shift)


def test_no_image_gives_no_row(classifier: Classifier) -> None:
    assert classifier.logits(torch.zeros(0, 3, 12, 10)).shape == (0, 3)


def test_gradients_reach_the_image(classifier: Classifier) -> None:
    image = torch.rand(1, 3, 12, 10, requires_grad=True)
    classifier.eval()(image).sum().backward()
    assert image.grad is not None


def test_probabilities_use_the_temperature(classifier: Classifier) -> None:
    images = torch.rand(3, 3, 12, 10)
    expected = torch.softmax(classifier.logits(images) / 1.5, dim=1)
    assert torch.equal(classifier.probabilities(images), expected)


@pytest.mark.parametrize("shape", [(3, 12, 10), (2, 1, 12, 10), (2, 3, 10, 12), (2, 12, 10, 3)])
def test_wrong_shapes_are_refused(classifier: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="takes Nx3x12x10"):
        classifier.logits(torch.rand(shape))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.full((1, 3, 12, 10), 2.0), "from 2 to 2"),
        (torch.full((1, 3, 12, 10), -0.1), "from -0.1"),
        (torch.full((1, 3, 12, 10), float("nan")), "nan"),
        (torch.zeros((1, 3, 12, 10), dtype=torch.int64), "of type int64"),
    ],
)
def test_wrong_values_are_refused(classifier: Classifier, images: torch.Tensor, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        classifier.logits(images)


def test_it_serves_as_a_likeness_for_data(classifier: Classifier) -> None:
    assert classifier.size == (12, 10)
    assert classifier.channels == 3
    assert classifier.fit == "pad"
    assert classifier.fill == (10, 20, 30)


def test_large_images_make_small_batches() -> None:
    kind = Preprocessing((4096, 4096), 3, (0.0,) * 3, (1.0,) * 3, fill=(0, 0, 0))
    made = Classifier(nn.Identity(), model="none", arguments={}, classes=["a"], preprocessing=kind)
    assert made.batch == 1


@pytest.mark.parametrize(
    ("changes", "sentence"), [({"classes": []}, "at least one"), ({"temperature": 0.0}, "over 0")]
)
def test_wrong_parts_are_refused(changes: dict[str, object], sentence: str) -> None:
    parts = {"model": "none", "arguments": {}, "classes": ["a"], **changes}
    with pytest.raises(ShapeError, match=sentence):
        Classifier(nn.Identity(), preprocessing=Preprocessing((8, 8), 1, (0.0,), (1.0,)), **parts)
