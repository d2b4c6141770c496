"""The head alone: fitted once, the same figures as the classifier's own, without a budget, resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import striate
from striate.core.tensors import load_tensors
from striate.training import Run, train


def fitted(start: Run, data, out, **fields) -> tuple[Run, list]:
    events: list = []
    choices = {"pretrained": str(start.path), "freeze": "backbone", "device": "cpu", **fields}
    return train(data, out=out, on_event=events.append, **choices), events


@pytest.fixture(scope="module")
def parts(tmp_path_factory, shapes) -> Path:
    """The shapes with a test part."""
    images, labels = shapes
    path = tmp_path_factory.mktemp("parts") / "parts.npz"
    np.savez(path, x_train=images[:90], y_train=labels[:90], x_test=images[90:], y_test=labels[90:])
    return path


@pytest.fixture(scope="module")
def whole(start, parts, tmp_path_factory) -> tuple[Run, list]:
    """A head that was fitted to what the start computes of the training part."""
    return fitted(start, parts, tmp_path_factory.mktemp("whole") / "run", precision="float32")


def model(run: Run) -> dict[str, torch.Tensor]:
    return load_tensors(run.path / "model.safetensors")[0]


def test_the_backbone_stays_and_the_figures_are_the_classifiers_own(start, whole, parts) -> None:
    run, events = whole
    before, after = model(start), model(run)
    assert all(after[name].equal(tensor) for name, tensor in before.items() if not name.startswith("head"))
    assert not after["head.weight"].equal(before["head.weight"])
    (row,) = run.rows
    assert (row["epoch"], row["share"]) == (1, 1)
    assert row["train_accuracy"] > 0.9  # of features that have learnt these very shapes
    dataset = striate.open_dataset(parts)
    for part, split in (("validation", dataset.validation), ("test", dataset.test)):
        logits, labels = run.classifier.logits(split.images), torch.as_tensor(split.labels)
        accuracy = (logits.argmax(dim=1) == labels).double().mean().item()
        assert run.evaluation[part].accuracy == pytest.approx(accuracy)
        if part == "validation":
            loss = torch.nn.functional.cross_entropy(logits, labels).item()
            assert row["validation_loss"] == pytest.approx(loss, abs=1e-3)
    (done,) = [event.data for event in events if event.kind == "done"]
    assert {"features", "fitting the head"} <= done["seconds"].keys()
    assert "computing features" in {event.data["what"] for event in events if event.kind == "prepare"}


def test_a_model_file_does_not_tell_the_path_it_started_from(start, whole) -> None:
    classifier = whole[0].classifier
    assert classifier.details["recipe"]["pretrained"] == start.path.name
    assert classifier.preprocessing.mean == start.classifier.preprocessing.mean


def test_one_seed_gives_one_head_and_the_budget_plays_no_part(start, whole, parts, tmp_path) -> None:
    run, _ = fitted(start, parts, tmp_path / "run", precision="float32", epochs=1)
    one, other = model(whole[0]), model(run)
    assert all(one[name].equal(other[name]) for name in one)


def test_what_is_asked_of_the_images_is_done_by_training(start, shapes, tmp_path) -> None:
    run, _ = fitted(start, shapes, tmp_path / "run", shift=1, epochs=2, batch=32)
    assert [row["epoch"] for row in run.rows] == [0, 1, 2]
    after = load_tensors(run.path / "last.safetensors")[0]
    assert all(after[name].equal(tensor) for name, tensor in model(start).items() if "head" not in name)


@pytest.mark.parametrize("kind", ["start", "epoch"])
def test_it_resumes_before_and_after_the_fit(start, whole, parts, tmp_path, kind) -> None:
    class Stop(Exception):
        pass

    def stop(event) -> None:
        if event.kind == kind:
            raise Stop

    fields = {"pretrained": str(start.path), "freeze": "backbone", "device": "cpu", "precision": "float32"}
    with pytest.raises(Stop):
        train(parts, out=tmp_path / "run", on_event=stop, **fields)
    resumed = train(resume=tmp_path / "run", on_event=lambda _: None)
    one, other = model(whole[0]), model(resumed)
    assert all(one[name].equal(other[name]) for name in one)
    assert len(resumed.rows) == 1


def test_photos_start_from_published_weights_where_nothing_is_said(tmp_path, photos) -> None:
    events: list = []
    run = train(photos, freeze="backbone", device="cpu", out=tmp_path / "run", on_event=events.append)
    recipe = run.recipe
    assert (recipe.model, recipe.pretrained, recipe.size) == ("efficientnet-lite0",) * 2 + (140,)
    assert recipe.fit == run.classifier.fit == "stretch"
    assert recipe.flip is False
    assert recipe.shift == 0
    assert run.classifier.preprocessing.mean == pytest.approx((127 / 255,) * 3)
    assert run.evaluation["validation"].accuracy == 1


def test_grey_photos_are_opened_in_colour_and_small_images_start_from_chance(photos, shapes) -> None:
    from PIL import Image

    from striate.core.recipe import Recipe
    from striate.training import open_for
    from striate.training.starting_point import starting_point

    for file in photos.rglob("*.png"):
        Image.open(file).convert("L").save(file)

    def of(data):
        return lambda recipe, **how: open_for(recipe, data, lambda _: None, cache_gb=0, **how)

    recipe, pretrained, dataset = starting_point(Recipe(), of(photos))
    assert pretrained is not None
    assert (recipe.pretrained, dataset.channels, dataset.size) == ("efficientnet-lite0", 3, (140, 140))
    for fields in ({"pretrained": "none"}, {"model": "resnet18"}, {"layers": "conv8,max,dense8"}):
        recipe, pretrained, dataset = starting_point(Recipe(**fields), of(photos))
        assert (pretrained, dataset.size, dataset.channels, dataset.fit) == (None, (128, 128), 1, "pad")
    recipe, pretrained, dataset = starting_point(Recipe(), of(shapes))
    assert (recipe, pretrained, dataset.channels) == (Recipe(), None, 1)
    opened = striate.open_dataset(photos, size=140, cache_gb=0)
    assert starting_point(Recipe(), of(opened))[1] is None


def test_published_weights_bring_a_larger_size_than_theirs_unless_another_is_asked_for(photos) -> None:
    from striate.core.recipe import Recipe
    from striate.training import open_for
    from striate.training.starting_point import starting_point

    def opened(recipe, **how):
        return open_for(recipe, photos, lambda _: None, cache_gb=0, **how)

    recipe, _, dataset = starting_point(Recipe(pretrained="efficientnet-lite0"), opened)
    assert (recipe.size, dataset.size) == (288, (288, 288))
    recipe, _, _ = starting_point(Recipe(pretrained="efficientnet-lite2"), opened)
    assert recipe.size == 320
    recipe, _, dataset = starting_point(Recipe(pretrained="efficientnet-lite0", size=64), opened)
    assert (recipe.size, dataset.size) == (64, (64, 64))
    recipe, _, dataset = starting_point(Recipe(pretrained="efficientnet-lite0", fit="crop"), opened)
    assert (recipe.fit, dataset.fit) == ("crop", "crop")


@pytest.fixture
def photos(tmp_path):
    """Twelve photo-like pictures of two kinds, larger than 128 pixels and of many sizes."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(12):
        kind = ("smooth", "rough")[number % 2]
        size = (140 + 5 * number, 200) if kind == "smooth" else (200, 140)
        coarse = 4 if kind == "smooth" else 100
        pixels = generator.integers(0, 256, (coarse, coarse, 3), np.uint8)
        path = tmp_path / "photos" / kind / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize(size).save(path)
    return tmp_path / "photos"
