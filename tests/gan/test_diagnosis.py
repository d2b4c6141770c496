"""Each planted fault of a generator is found, and real images pass for healthy, over many seeds."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

import striate
from striate.core.errors import DataError, ShapeError
from striate.data.batches import as_tensor
from striate.gan.diagnosis import FEWEST_REAL, FEWEST_SAMPLES, Reference, diagnose

SEEDS = 12
SAMPLES = 256


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All 1,797 handwritten digits of 8 x 8 pixels, and their classes."""
    data = striate.open_dataset("digits")
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    return np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts])


def pixels(images: np.ndarray) -> Tensor:
    return as_tensor(images).float() / 255


def planted(kind: str, images: np.ndarray, labels: np.ndarray, rest: np.ndarray, seed: int) -> Tensor:
    """Samples with a fault, or without: made of the training images, or of others."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(SAMPLES, *images.shape[1:], generator=generator)
    if kind == "real":
        return pixels(rest[:SAMPLES])
    if kind == "smooth":  # what a healthy generator makes is softer than the data
        return 0.9 * pixels(rest[:SAMPLES]) + 0.1 * pixels(rest[:SAMPLES]).mean(dim=0)
    if kind == "constant":
        return (pixels(images[:1]) + 0.005 * noise).clamp(0, 1)
    if kind == "modes":
        return (pixels(images[torch.randint(8, (SAMPLES,), generator=generator)]) + 0.02 * noise).clamp(0, 1)
    if kind == "part":  # 45 % of all samples are one image
        mixed = pixels(rest[:SAMPLES])
        mixed[: round(0.45 * SAMPLES)] = pixels(images[:1])
        return (mixed + 0.01 * noise).clamp(0, 1)
    if kind == "copies":
        return (pixels(images[:SAMPLES]) + 0.02 * noise).clamp(0, 1)
    if kind == "two classes":
        return pixels(images[labels < 2][:SAMPLES])
    assert kind == "noise"
    return torch.rand(SAMPLES, *images.shape[1:], generator=generator)


@pytest.fixture(scope="module")
def divided(digits) -> list[tuple[Reference, np.ndarray, np.ndarray, np.ndarray]]:
    """The digits divided anew by each seed: what is known of most, the training images, and the rest."""
    images, labels = digits
    parts = []
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(images))
        training, held_out, rest = order[:1000], order[1000:1500], order[1500:]
        known = Reference.of(images[training], held_out=images[held_out], seed=seed)
        parts.append((known, images[training], labels[training], images[rest]))
    return parts


def found(kind: str, divided: list[tuple[Reference, np.ndarray, np.ndarray, np.ndarray]]) -> Counter[str]:
    """The verdicts on samples of a kind, counted over the seeds."""
    counts: Counter[str] = Counter()
    for seed, (known, images, labels, rest) in enumerate(divided):
        findings = diagnose(planted(kind, images, labels, rest, seed), known)
        counts.update(f"{finding.name} {finding.verdict}" for finding in findings)
    return counts


@pytest.mark.parametrize("kind", ["real", "smooth"])
def test_nothing_is_wrong_with_images_that_are_new(kind, divided):
    assert found(kind, divided) == dict.fromkeys(
        [f"{name} healthy" for name in ("diversity", "resemblance", "coverage", "memorisation")], SEEDS
    )


@pytest.mark.parametrize(
    ("kind", "finding"),
    [
        ("constant", "diversity collapsed"),
        ("modes", "diversity collapsed"),
        ("part", "diversity collapsed"),
        ("copies", "memorisation copies"),
        ("noise", "resemblance unlike the data"),
        ("two classes", "coverage parts missing"),
    ],
)
def test_what_is_planted_is_found_every_time(kind, finding, divided):
    assert found(kind, divided)[finding] == SEEDS


@pytest.mark.parametrize(
    ("kind", "finding"),
    [("copies", "diversity"), ("copies", "coverage"), ("copies", "resemblance"), ("noise", "diversity")],
)
def test_one_fault_is_not_taken_for_another(kind, finding, divided):
    assert found(kind, divided)[f"{finding} healthy"] == SEEDS


def test_mirrored_copies_are_found_where_mirrored_images_are_learnt(digits):
    images, _ = digits
    known = {
        flip: Reference.of(images[:1000], held_out=images[1000:1500], flip=flip) for flip in (False, True)
    }
    verdicts = {
        flip: {finding.name: finding.verdict for finding in diagnose(pixels(images[:200]).flip(3), each)}
        for flip, each in known.items()
    }
    assert verdicts[True]["memorisation"] == "copies"
    assert verdicts[False]["memorisation"] == "healthy"


def test_colour_photos_of_any_size_are_compared(digits):
    images = np.repeat(np.repeat(np.repeat(digits[0], 3, axis=1), 5, axis=2), 5, axis=3)
    known = Reference.of(images[:600], held_out=images[600:900])
    assert {finding.level for finding in diagnose(pixels(images[900:1100]), known)} == {"note"}
    assert diagnose(pixels(images[[900] * 64]), known)[0].verdict == "collapsed"


def test_the_same_seed_gives_the_same_findings(digits):
    images, _ = digits
    samples = pixels(images[1500:1700])
    known = [Reference.of(images[:1000], held_out=images[1000:1500], seed=4) for _ in range(2)]
    assert diagnose(samples, known[0]) == diagnose(samples, known[1])


def test_a_classifier_of_the_users_names_the_classes(digits):
    images, labels = digits
    by_image = {image.tobytes(): label for image, label in zip(images, labels.tolist(), strict=True)}

    def knowing(batch: Tensor) -> Tensor:
        rows = (batch * 255).round().byte().numpy()
        return torch.eye(10)[[by_image[row.tobytes()] for row in rows]]

    known = Reference.of(images, classifier=knowing, class_names=[f"a {digit}" for digit in range(10)])
    finding = {each.name: each for each in diagnose(pixels(images[labels != 7][:300]), known)}["classes"]
    assert finding.verdict == "missing"
    assert "a 7 0 % (" in finding.message


def test_the_watcher_of_garments_is_asked_about_garments_only():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (200, 1, 28, 28)).astype(np.uint8)
    assert Reference.of(images, labels=random.integers(0, 10, 200)).jury is None
    assert Reference.of(images).jury is None


def test_samples_that_are_no_numbers_are_the_only_finding(digits):
    samples = pixels(digits[0][:64])
    samples[5, 0, 0, 0] = torch.nan
    (finding,) = diagnose(samples, Reference.of(digits[0]))
    assert (finding.name, finding.verdict, finding.level) == ("samples", "not finite", "error")
    assert "1 of 64" in finding.message


def test_what_does_not_fit_is_refused_in_a_sentence(digits):
    images, _ = digits
    with pytest.raises(DataError, match=f"there are {FEWEST_REAL - 1} images"):
        Reference.of(images[: FEWEST_REAL - 1])
    with pytest.raises(ShapeError, match="held-out images are of 1x6x8, and the others 1x8x8"):
        Reference.of(images, held_out=images[:, :, :6])
    known = Reference.of(images[:FEWEST_REAL])
    with pytest.raises(ShapeError, match=r"samples are of 40x3x8x8; .* at least 32 of 1x8x8"):
        diagnose(torch.zeros(40, 3, 8, 8), known)
    with pytest.raises(ShapeError, match="at least 32"):
        diagnose(torch.zeros(FEWEST_SAMPLES - 1, 1, 8, 8), known)
