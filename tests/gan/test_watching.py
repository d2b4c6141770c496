"""A watch says when a run collapses and not before it can have learnt, and goes on where it stood."""

import numpy as np
import pytest
import torch
from torch import Tensor

import striate
from striate.core.tensors import load_tensors, save_tensors
from striate.gan.watching import EARLY_IMAGES, EARLY_STEPS, EVERY, WINDOW, Watch


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return striate.open_dataset("digits").train.images


def samples(images: np.ndarray, count: int = 100) -> Tensor:
    return torch.as_tensor(images[-count:]).float() / 255


def alike(images: np.ndarray) -> Tensor:
    return samples(images)[[0] * 64]


def steps(watch: Watch, count: int, *, apart: float = 1.5, gradients: float = 1.0) -> None:
    for step in range(count):
        generator = torch.Generator().manual_seed(step)
        watch.step(
            real_scores=torch.randn(64, generator=generator) + apart,
            fake_scores=torch.randn(64, generator=generator),
            generator_loss=torch.tensor(1.0),
            discriminator_loss=0.5,
            generator_gradients=gradients,
            discriminator_gradients=torch.tensor(2.0),
        )


def verdicts(watch: Watch, made: Tensor, *, epoch: int, per_epoch: int = 60_000) -> dict[str, str]:
    findings = watch.check(made, images_seen=epoch * per_epoch, epoch=epoch)
    return {finding.name: finding.verdict for finding in findings}


def test_a_healthy_run_is_called_so(images):
    watch = Watch(images[:800], held_out=images[800:-100])
    steps(watch, 300)
    assert verdicts(watch, samples(images), epoch=1) == dict.fromkeys(
        ["diversity", "resemblance", "coverage", "memorisation", "gradients"], "healthy"
    ) | {"discriminator": "balanced"}
    assert not watch.collapsed


def test_a_collapse_is_said_at_the_next_check_and_taken_back_when_it_is_over(images):
    watch = Watch(images)
    watch.check(samples(images), images_seen=60_000, epoch=1)
    assert not watch.collapsed
    findings = watch.check(alike(images), images_seen=120_000, epoch=2)
    assert watch.collapsed
    assert (findings[0].verdict, findings[0].level) == ("collapsed", "error")
    assert findings[0].message.startswith("at epoch 2 ")
    watch.check(samples(images), images_seen=180_000, epoch=3)
    assert not watch.collapsed


def test_a_generator_that_has_yet_to_learn_has_not_collapsed(images):
    watch = Watch(images)
    steps(watch, 60, apart=90)
    white = torch.ones(64, *images.shape[1:])
    early = watch.check(white, images_seen=EARLY_IMAGES - 1, epoch=1)
    assert {finding.level for finding in early} == {"note"}
    assert "starting" in {finding.verdict for finding in early}
    assert not watch.collapsed
    watch.check(white, images_seen=EARLY_IMAGES, epoch=1)
    assert not watch.collapsed  # large batches: so many images in too few steps
    steps(watch, EARLY_STEPS)
    watch.check(white, images_seen=EARLY_IMAGES + 1, epoch=1)
    assert watch.collapsed


def test_a_generator_that_gets_more_diverse_is_still_learning(images):
    watch = Watch(images)
    for epoch, modes in enumerate((8, 16, 30), start=1):
        made = samples(images)[torch.arange(300) % modes]
        assert verdicts(watch, made, epoch=epoch)["diversity"] == "starting"
    assert verdicts(watch, made, epoch=4)["diversity"] == "collapsed"
    assert watch.collapsed


def test_what_was_reached_and_lost_again_is_a_collapse_at_once(images):
    watch = Watch(images)
    made = samples(images, 400)[torch.arange(300) % 30]
    assert verdicts(watch, made, epoch=1)["diversity"] == "starting"
    found = watch.check(alike(images), images_seen=60_001, epoch=1)
    assert found[0].verdict == "collapsed"
    assert watch.collapsed


def test_classes_that_come_one_by_one_are_still_learnt(images):
    labels = striate.open_dataset("digits").train.labels
    known = {image.tobytes(): label for image, label in zip(images, labels.tolist(), strict=True)}

    def knowing(made: Tensor) -> Tensor:
        return torch.eye(10)[[known[(255 * each).round().byte().numpy().tobytes()] for each in made]]

    watch = Watch(images, classifier=knowing)
    every = torch.as_tensor(images).float() / 255
    for epoch, classes in enumerate((1, 2, 4), start=1):
        made = every[torch.as_tensor(labels) < classes]
        assert verdicts(watch, made, epoch=epoch)["classes"] == "starting"
    assert verdicts(watch, every, epoch=4)["classes"] == "healthy"
    assert verdicts(watch, made, epoch=5)["classes"] == "collapsed"
    assert watch.collapsed


def test_a_generator_that_had_learnt_collapses_at_any_time(images):
    watch = Watch(images)
    steps(watch, 60)
    assert "starting" not in verdicts(watch, samples(images), epoch=1, per_epoch=500).values()
    assert verdicts(watch, alike(images), epoch=2, per_epoch=500)["diversity"] == "collapsed"
    assert watch.collapsed


def test_after_new_weights_a_watch_begins_anew(images):
    watch = Watch(images)
    unwatched = watch.state()
    steps(watch, 1000, gradients=1e3)
    watch.check(samples(images), images_seen=60_000, epoch=1)
    watch.restore(unwatched)
    steps(watch, EARLY_STEPS - 1)
    found = verdicts(watch, alike(images), epoch=1)
    assert (found["diversity"], found["gradients"]) == ("starting", "healthy")
    assert not watch.collapsed
    steps(watch, 1)
    assert verdicts(watch, alike(images), epoch=2)["diversity"] == "collapsed"


def test_a_generator_that_is_no_number_is_lost_at_any_time(images):
    watch = Watch(images)
    watch.check(torch.full((64, *images.shape[1:]), torch.nan), images_seen=1, epoch=1)
    assert watch.collapsed
    other = Watch(images)
    steps(other, 60, gradients=float("nan"))
    assert verdicts(other, samples(images), epoch=1, per_epoch=1)["gradients"] == "not finite"
    assert other.collapsed


def test_steps_are_told_apart_by_scores_and_gradients(images):
    watch = Watch(images)
    steps(watch, 300)
    watch.check(samples(images), images_seen=60_000, epoch=1)
    steps(watch, 60, apart=30, gradients=1e-3)
    found = verdicts(watch, samples(images), epoch=2)
    assert (found["discriminator"], found["gradients"]) == ("ahead", "vanishing")
    assert not watch.collapsed
    assert "discriminator" not in verdicts(watch, samples(images), epoch=3)  # no step since


@pytest.mark.parametrize(
    ("apart", "made", "verdict"),
    [(0, "real", "balanced"), (0, "noise", "losing"), (30, "real", "ahead"), (30, "noise", "winning")],
)
def test_who_wins_or_loses_matters_only_while_samples_are_bad(images, apart, made, verdict):
    watch = Watch(images)
    noise = torch.rand(64, *images.shape[1:], generator=torch.Generator().manual_seed(0))
    steps(watch, 300, apart=apart)
    assert verdicts(watch, samples(images) if made == "real" else noise, epoch=1)["discriminator"] == verdict


def test_what_is_kept_of_steps_is_small_and_a_copy(images):
    watch = Watch(images)
    scores = torch.ones(5000, requires_grad=True)
    for _ in range(2 * EVERY * WINDOW):
        watch.step(
            real_scores=scores,
            fake_scores=scores,
            generator_loss=scores.sum(),
            discriminator_loss=1.0,
            generator_gradients=1.0,
            discriminator_gradients=1.0,
        )
    with torch.no_grad():
        scores[:100] = 9  # as a recorded step writes over its results
    rows = watch.state()["rows"]
    assert rows.shape[0] == WINDOW
    assert not rows.requires_grad
    assert rows[:, 0].tolist() == [0.5] * WINDOW
    assert rows[:, 2].tolist() == [5000.0] * WINDOW


@pytest.mark.parametrize("before", [0, 300])
def test_it_goes_on_where_it_stood_through_a_file(images, tmp_path, before):
    watch, twin = Watch(images, seed=3), Watch(images, seed=3)
    for each in (watch, twin):
        if before == 300:
            steps(each, before)
            each.check(samples(images), images_seen=60_000, epoch=1)
        steps(each, 21)
    save_tensors(tmp_path / "watch.safetensors", watch.state(), {})
    restored = Watch(images, seed=3)
    restored.restore(load_tensors(tmp_path / "watch.safetensors")[0])
    for each in (restored, twin):
        steps(each, 50, gradients=0.001)
    again, uninterrupted = (
        each.check(alike(images), images_seen=120_000, epoch=2) for each in (restored, twin)
    )
    assert again == uninterrupted
    assert restored.collapsed == twin.collapsed
    for name, value in twin.state().items():
        assert torch.equal(value, restored.state()[name])
