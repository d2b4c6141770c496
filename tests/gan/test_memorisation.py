"""Copies of training images are counted, and images that are merely smooth, odd or good are no copies."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from striate.gan.memorisation import FEWEST_EXPECTED, judge_memorisation, nearest


def images(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, 20, generator=torch.Generator().manual_seed(seed))


def test_nearest_images_are_those_of_scipy(monkeypatch):
    monkeypatch.setattr("striate.gan.memorisation._BLOCK", 7)
    samples, others = images(11, 0), images(40, 1)
    distances, rows = nearest(samples, others)
    expected = cdist(samples, others)
    lengths = (2 * distances + samples.square().sum(dim=1)).sqrt()
    np.testing.assert_allclose(lengths, expected.min(axis=1), rtol=1e-4)
    assert rows.tolist() == expected.argmin(axis=1).tolist()
    assert nearest(samples, others[:0])[0].tolist() == [np.inf] * 11


@pytest.mark.parametrize("change", ["new", "smooth", "odd"])
def test_what_is_no_copy_is_as_near_to_either(change):
    ratios, warned, held = [], 0, 0
    for seed in range(60):
        samples = images(300, 3 * seed)
        if change == "smooth":  # nearer to every image than images are to each other
            samples = 0.5 + 0.85 * (samples - 0.5)
        elif change == "odd":  # so that few images are the nearest to many
            samples = samples + torch.tensor([0.1] * 10 + [0.0] * 10)
        finding = judge_memorisation(samples, images(400, 3 * seed + 1), images(200, 3 * seed + 2))
        ratios.append(finding.value)
        warned += finding.level != "note"
        held += finding.interval[0] <= 1 <= finding.interval[1]
    error = np.std(ratios) / np.sqrt(len(ratios))
    assert np.mean(ratios) == pytest.approx(1, abs=4 * error)
    assert warned == 0
    assert held >= 52


@pytest.mark.parametrize("copied", [0.75, 1.0])
def test_copies_are_found_and_counted(copied):
    held = 0
    for seed in range(10):
        training, held_out, new = images(800, seed), images(200, seed + 100), images(300, seed + 200)
        count = round(copied * len(new))
        samples = torch.cat([training[:count] + 0.01 * new[:count], new[count:]])
        finding = judge_memorisation(samples, training, held_out)
        assert finding.verdict == "copies"
        assert "repeat training images" in finding.advice
        held += finding.interval[0] <= 1 - copied <= finding.interval[1]
    assert held >= 8


def test_one_image_that_is_nearest_to_all_samples_proves_nothing():
    training, held_out = images(500, 0), images(500, 1)
    samples = training[:1] + 0.001 * images(400, 2)
    assert judge_memorisation(samples, training, held_out) is None


def test_mirrored_copies_count_where_they_are_given():
    # Of one length, as an image and its mirror image are.
    training, held_out, new = (
        torch.nn.functional.normalize(images(count, seed)) for seed, count in enumerate((800, 200, 300))
    )
    copies = training[:300]
    assert judge_memorisation(new, training, held_out).verdict == "healthy"
    assert judge_memorisation(new, training, held_out, mirrored=copies).verdict == "copies"
    assert judge_memorisation(copies, training, held_out, mirrored=new).verdict == "copies"


def test_without_held_out_images_or_with_too_few_samples_nothing_is_said():
    assert judge_memorisation(images(100, 0), images(100, 1), images(0, 2)) is None
    least = int(FEWEST_EXPECTED)
    held_out = images(50, 2)
    assert judge_memorisation(held_out[: least - 1], images(0, 1), held_out) is None
    assert judge_memorisation(held_out[:least], images(0, 1), held_out) is not None
