"""Transfer: what is frozen stays bit for bit, what learns does at its rate, and from when it should."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch
from torch import nn

from striate.classifier import head_of
from striate.core.errors import RecipeError
from striate.core.recipe import Recipe
from striate.engine.optimizers import make_optimizers
from striate.models import CATALOGUE, build
from striate.training import Run, train
from striate.training.transfer import (
    EARLIEST_RATE,
    NEW_HEAD_RATE,
    UNFROZEN,
    Transfer,
    blocks_of,
    changes_images,
)

BLOCKS = {"resnet18": 9, "efficientnet-lite0": 18, "vgg11": 10, "compact-small": 6, "resnet50": 17}
DECIDED = {"learning_rate": 0.1, "other_rate": 0.01, "weight_decay": 0.0, "flip": False, "shift": 0}


def made(name: str = "compact-small", **fields) -> tuple[nn.Module, Transfer]:
    torch.manual_seed(0)
    network = build(name, classes=3, channels=3, size=(64, 64))
    transfer = Transfer.of(network, Recipe(model=name, pretrained="x", **{**DECIDED, **fields}))
    assert transfer is not None
    return network, transfer


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_blocks_are_all_of_a_network_but_its_head_in_its_order(name) -> None:
    with torch.device("meta"):
        network = build(name, classes=3, channels=3, size=(64, 64))
    blocks = blocks_of(network)
    in_blocks = [id(each) for module in itertools.chain(*blocks) for each in module.parameters()]
    _, head = head_of(network)
    outside = {id(parameter) for parameter in head.parameters()}
    assert len(set(in_blocks)) == len(in_blocks)
    assert [id(each) for each in network.parameters() if id(each) not in outside] == in_blocks
    if name in BLOCKS:
        assert len(blocks) == BLOCKS[name]


def test_a_network_that_is_not_pretrained_learns_as_ever() -> None:
    assert Transfer.of(build("lenet", classes=2, channels=1, size=(28, 28)), Recipe()) is None


def test_rates_fall_evenly_to_the_first_block() -> None:
    network, transfer = made()
    rates = [transfer.rate_of(next(block[0].parameters())) for block in transfer.blocks]
    assert rates[-1] == 1
    assert rates[0] == pytest.approx(EARLIEST_RATE)
    ratios = [later / earlier for earlier, later in itertools.pairwise(rates)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert transfer.rate_of(network.head.weight) == 1  # it was fitted before
    other, gradual = made(freeze="none")
    assert gradual.rate_of(other.head.weight) == NEW_HEAD_RATE


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adamw"])
def test_the_optimisers_take_these_rates(optimizer) -> None:
    network, transfer = made()
    recipe = Recipe(
        optimizer=optimizer,
        **{name: DECIDED[name] for name in ("learning_rate", "other_rate", "weight_decay")},
    )
    optimizers = make_optimizers(network, recipe, rate_of=transfer.rate_of)
    peaks = {
        id(parameter): group["peak"]
        for each in optimizers
        for group in each.param_groups
        for parameter in group["params"]
    }
    assert len(peaks) == len(list(network.parameters()))
    for parameter in network.parameters():
        filters = parameter.ndim > 2
        base = 0.01 if optimizer == "muon" and not filters else 0.1
        assert peaks[id(parameter)] == pytest.approx(base * transfer.rate_of(parameter))


def test_blocks_begin_to_learn_from_the_last_one() -> None:
    network, transfer = made(freeze="none")
    shares = np.linspace(0, 1, 101)
    firsts = [transfer.first_trained(share) for share in shares]
    assert firsts[0] == len(transfer.blocks)
    assert firsts == sorted(firsts, reverse=True)
    assert all(first == 0 for first, share in zip(firsts, shares, strict=True) if share >= UNFROZEN)
    assert len(set(firsts)) == len(transfer.blocks) + 1
    for share in (0.0, UNFROZEN / 2, 1.0):
        transfer.begin_step(share)
        first = transfer.first_trained(share)
        for number, block in enumerate(transfer.blocks):
            learns = {parameter.requires_grad for module in block for parameter in module.parameters()}
            assert learns == {number >= first}
        assert all(parameter.requires_grad for parameter in network.head.parameters())


@pytest.mark.parametrize(("freeze", "frozen"), [(None, 0), ("none", 0), ("0", 0), ("3", 3), ("backbone", 6)])
def test_so_many_blocks_never_learn(freeze, frozen) -> None:
    _, transfer = made(freeze=freeze)
    assert transfer.frozen == frozen
    for share in (0.0, 0.5, 1.0):
        transfer.begin_step(share)
        for block in transfer.blocks[:frozen]:
            assert not any(each.requires_grad for module in block for each in module.parameters())


def test_more_blocks_than_there_are_is_said() -> None:
    with pytest.raises(RecipeError, match="freeze is 7, and 'compact-small' has 6 blocks before its head"):
        made(freeze="7")


def test_norms_stay_in_evaluation_and_dropout_does_not() -> None:
    network, transfer = made("efficientnet-lite0")
    network.train()
    transfer.begin_step(0.5)
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 49
    assert not any(norm.training for norm in norms)
    assert network._dropout.training


def test_only_a_frozen_backbone_and_images_without_chance_need_features_only() -> None:
    assert made(freeze="backbone")[1].features_only
    assert made(freeze="6")[1].features_only
    assert not made(freeze="backbone", flip=True)[1].features_only
    assert not made(freeze="backbone", shift=2)[1].features_only
    assert not made()[1].features_only
    assert not changes_images(Recipe(flip=False, shift=0))


def weights(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    from striate.core.tensors import load_tensors

    return load_tensors(run.path / f"{name}.safetensors")[0]


def transferred(start: Run, shapes, out, **fields) -> tuple[Run, list]:
    events: list = []
    choices = {"epochs": 2, "batch": 16, "device": "cpu", "pretrained": str(start.path), **fields}
    return train(shapes, out=out, on_event=events.append, **choices), events


def test_frozen_blocks_stay_bit_for_bit_and_the_rest_learns(start, shapes, tmp_path) -> None:
    before = weights(start, "model")
    run, _ = transferred(start, shapes, tmp_path / "run", freeze="2")
    after = weights(run)
    kept = [name for name in before if name.startswith(("stem", "stages.1.", "stages.2."))]
    assert kept
    assert all(after[name].equal(before[name]) for name in kept)
    moved = [name for name in before if "weight" in name and name not in kept and after[name].ndim > 1]
    assert moved
    assert all(not after[name].equal(before[name]) for name in moved)
    figures = [name for name in before if "running" in name]
    assert all(after[name].equal(before[name]) for name in figures)


def test_gradual_unfreezing_begins_with_the_head_alone(start, shapes, tmp_path) -> None:
    run, _ = transferred(start, shapes, tmp_path / "run", freeze="none", epochs=3)
    assert [row["epoch"] for row in run.rows] == [1, 2, 3]
    before, after = weights(start, "model"), weights(run)
    assert not after["stem.weight"].equal(before["stem.weight"])


@pytest.fixture(scope="module")
def whole(start, shapes, tmp_path_factory) -> Run:
    """A transfer in the way that is the default."""
    return transferred(start, shapes, tmp_path_factory.mktemp("whole") / "run", epochs=3)[0]


def test_the_head_comes_first_and_what_is_kept_is_no_worse_than_it(start, whole) -> None:
    rows = whole.rows
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert (rows[0]["step"], rows[0]["share"]) == (0, 0)
    assert whole.evaluation["validation"].accuracy >= rows[0]["validation_accuracy"]
    recipe = whole.recipe
    assert (recipe.model, recipe.size, recipe.pretrained) == ("compact-small", 16, str(start.path))


def test_a_killed_transfer_goes_on_to_the_same_weights_without_what_it_started_from(
    start, whole, shapes, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("striate.training.loop.CHECKPOINT_SECONDS", 0.0)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((start.path / "model.safetensors").read_bytes())

    class Stop(Exception):
        pass

    def stop(event) -> None:
        if event.kind == "epoch" and event.data["epoch"] == 1:
            raise Stop

    fields = {"pretrained": str(copy), "epochs": 3, "batch": 16, "device": "cpu"}
    with pytest.raises(Stop):
        train(shapes, out=tmp_path / "run", on_event=stop, **fields)
    copy.unlink()
    resumed = train(shapes, resume=tmp_path / "run", on_event=lambda _: None)
    expected, found = weights(whole), weights(resumed)
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


def test_rates_follow_from_the_heads_error_unless_a_rate_is_given(start, whole, shapes, tmp_path) -> None:
    error = head_error(whole)
    assert whole.recipe.rate_by_head
    share = min(3, max(0.1, 10 * error))
    assert share != 1
    # Of three epochs by one cycle, the first ends after 11 of 33 steps with the same part of the peak.
    given, _ = transferred(
        start,
        shapes,
        tmp_path / "given",
        epochs=3,
        learning_rate=whole.recipe.learning_rate,
        other_rate=whole.recipe.other_rate,
    )
    assert not given.recipe.rate_by_head
    for mine, theirs in zip(whole.rows[1:], given.rows[1:], strict=True):
        assert mine["learning_rate"] == pytest.approx(share * theirs["learning_rate"], rel=1e-6)
    both = {"rate_by_head": True, "learning_rate": whole.recipe.learning_rate, "epochs": 3}
    asked, _ = transferred(start, shapes, tmp_path / "asked", **both)
    assert asked.rows[1]["learning_rate"] == pytest.approx(whole.rows[1]["learning_rate"])


def head_error(run: Run) -> float:
    """Read what a run noted of the head that was fitted first."""
    noted = (run.path / "events.jsonl").read_text()
    found = re.search(r"wrong for ([\d.]+) % of the training images", noted)
    assert found
    return float(found[1]) / 100


def test_another_architecture_or_too_many_blocks_leave_nothing_behind(start, shapes, tmp_path) -> None:
    from striate.core.errors import ModelFileError

    with pytest.raises(RecipeError, match="the model is to be 'lenet'"):
        transferred(start, shapes, tmp_path / "run", model="lenet")
    with pytest.raises(RecipeError, match="freeze is 9, and 'compact-small' has"):
        transferred(start, shapes, tmp_path / "run", freeze="9")
    with pytest.raises(ModelFileError, match="does not fit the network 'compact-small'"):
        transferred(start, shapes, tmp_path / "run", size=40)
    assert list(tmp_path.iterdir()) == []


def test_freezing_without_a_pretrained_network_is_said(shapes, tmp_path) -> None:
    with pytest.raises(RecipeError, match="freeze is 'backbone', and nothing is pre-trained"):
        train(shapes, freeze="backbone", out=tmp_path / "run", on_event=lambda _: None)
    assert list(tmp_path.iterdir()) == []
