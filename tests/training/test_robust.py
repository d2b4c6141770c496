"""Robust training: what it withstands, how it steps back, resumes bit for bit, and what it refuses."""

from __future__ import annotations

import os
import signal

import pytest
import torch
import torch.nn.functional as F

from striate.attack import PGD, Linf
from striate.core.errors import AttackError, RecipeError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.training import Run, train
from striate.training import loop as training_loop
from striate.training.loop import Loop
from striate.training.robust_loop import RobustLoop, has_collapsed
from striate.training.run import COLUMNS, ROBUST_COLUMNS

EPS = 0.1
ROBUST = {"robust": f"linf:{EPS}", "precision": "float32"}
FAST = {"model": "compact-small", "batch": 64, "epochs": 2, "robust_method": "fast", **ROBUST}
STEPS_OF_AN_EPOCH = 19


def weights(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.path / f"{name}.safetensors")
    return tensors


@pytest.fixture(scope="module")
def fast(digits, tmp_path_factory) -> tuple[Run, list]:
    events: list = []
    out = tmp_path_factory.mktemp("fast") / "run"
    return train(digits, out=out, on_event=events.append, device="cpu", **FAST), events


def test_it_withstands_more_than_a_plain_training(fast, fit, digits) -> None:
    run, events = fast
    plain, _ = fit(digits, precision="float32")
    split = digits.validation
    pixels, labels = torch.as_tensor(split.images).float() / 255, torch.as_tensor(split.labels).long()
    withstood = []
    for each in (run, plain):
        classifier = each.classifier
        attacked = PGD(Linf(EPS), steps=10)(classifier, pixels, labels)
        withstood.append((classifier.logits(attacked).argmax(dim=1) == labels).float().mean().item())
    assert withstood[0] > withstood[1] + 0.1
    # The attack that judges is the same but for its random start.
    assert "robust" not in plain.classifier.details
    assert tuple(plain.rows[0]) == COLUMNS
    told = run.classifier.details["robust"]
    assert told["validation_accuracy"] == pytest.approx(withstood[0], abs=0.03)
    assert told["ball"] == ROBUST["robust"]
    assert any(event.kind == "epoch" and "robust_accuracy" in event.data for event in events)


def test_rows_have_both_accuracies_and_the_best_epoch_is_the_one_that_withstands_most(fast) -> None:
    run, _ = fast
    assert tuple(run.rows[0]) == COLUMNS + ROBUST_COLUMNS
    assert run.recipe.robust_method == "fast"
    best = max(run.rows, key=lambda row: (row["robust_accuracy"], -row["validation_loss"]))
    assert run.evaluation["validation"].accuracy == pytest.approx(best["validation_accuracy"], abs=1e-6)
    for row in run.rows:
        assert row["robust_accuracy"] <= row["single_step_accuracy"] + 0.02
        assert row["robust_accuracy"] <= row["validation_accuracy"]
    assert (run.path / "curves.png").exists()


@pytest.mark.parametrize(
    ("method", "steps", "ball", "passes", "updates"),
    [
        ("fast", None, "l2:0.8", 2, 1),
        (None, None, "linf:0.1", 3, 1),
        ("pgd", 7, "linf:0.1", 8, 1),
        ("trades", None, "l2:0.8", 9, 1),
        ("trades", 2, "linf:0.1", 4, 1),
        ("free", None, "linf:0.1", 4, 4),
        ("free", 3, "l2:0.8", 3, 3),
    ],
)
def test_a_step_costs_what_the_recipe_says_and_learns_from_worse_images_of_the_ball(
    fit, digits, monkeypatch, method, steps, ball, passes, updates
) -> None:
    given: list[tuple[Loop, torch.Tensor, torch.Tensor]] = []
    learnt: list[torch.Tensor] = []
    counted = {"updates": 0}
    descend, logits, update = RobustLoop._descend, Loop._logits, Loop._update

    def see_clean(self, pixels, labels):
        given.append((self, pixels.clone(), labels))
        learnt.clear()
        return descend(self, pixels, labels)

    def see_pass(self, pixels):
        learnt.append(pixels.detach().clone())
        return logits(self, pixels)

    def count_update(self, loss, count):
        counted["updates"] += 1
        update(self, loss, count)

    monkeypatch.setattr(RobustLoop, "_descend", see_clean)
    monkeypatch.setattr(Loop, "_logits", see_pass)
    monkeypatch.setattr(Loop, "_update", count_update)
    run, _ = fit(
        digits, robust=ball, robust_method=method, robust_steps=steps, precision="float32", epochs=0.3
    )
    assert counted["updates"] == updates * len(given) == updates * run.rows[-1]["step"]
    assert len(learnt) == passes
    loop, clean, labels = given[-1]
    for pixels in learnt:
        change = (pixels.double() - clean.double()).flatten(1)
        assert 0 <= pixels.min() <= pixels.max() <= 1
        assert change.norm(dim=1).max() <= 0.8 * (1 + 1e-6) if ball == "l2:0.8" else change.abs().max() <= 0.1
    loop.classifier.eval()
    with torch.no_grad():
        losses = [F.cross_entropy(loop.classifier(each), labels).item() for each in (clean, learnt[-1])]
    assert losses[1] > losses[0]


def test_a_training_that_was_stopped_ends_with_the_same_weights_bit_for_bit(
    fast, digits, tmp_path, monkeypatch
) -> None:
    whole, _ = fast
    monkeypatch.setattr(training_loop, "STEP_EVENT_SECONDS", 0.0)

    def stop(event) -> None:
        if event.kind == "step" and event.data["step"] == STEPS_OF_AN_EPOCH + 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(digits, out=tmp_path / "run", on_event=stop, device="cpu", **FAST)
    run = train(resume=tmp_path / "run", data=digits, on_event=ignore, device="cpu")
    for name in ("last", "model"):
        expected, found = weights(whole, name), weights(run, name)
        assert all(found[key].equal(expected[key]) for key in expected)
    columns = ("robust_accuracy", "single_step_accuracy", "train_loss", "validation_loss")
    assert [[row[name] for name in columns] for row in run.rows] == [
        [row[name] for name in columns] for row in whole.rows
    ]


def test_an_overfitted_network_goes_back_and_attacks_take_a_step_more(fit, digits, monkeypatch) -> None:
    figures = iter([(0.5, 0.45), (0.97, 0.02), (0.6, 0.55)])
    monkeypatch.setattr(
        RobustLoop,
        "_measure_more",
        lambda _: dict(zip(ROBUST_COLUMNS, next(figures), strict=True)),
    )
    counts: list[int] = []
    kept: list = []
    attack, step_back = RobustLoop._attacked, RobustLoop._step_back

    def see(self, *args):
        counts.append(self._steps)
        return attack(self, *args)

    def see_step_back(self, best):
        step_back(self, best)
        kept.append({name: tensor.clone() for name, tensor in self.classifier.network.state_dict().items()})
        kept.append(dict(self.state.best))
        kept.append(self.state.steps_back)
        momenta = [
            value
            for optimizer in self.optimizers
            for each in optimizer.state.values()
            for value in each.values()
        ]
        assert momenta
        assert all(not value.any() for value in momenta)

    monkeypatch.setattr(RobustLoop, "_attacked", see)
    monkeypatch.setattr(RobustLoop, "_step_back", see_step_back)
    # A target is of the accuracy under attack, too: here it ends the training after three epochs.
    run, events = fit(digits, epochs=5, batch=128, target=0.5, robust_method="fast", **ROBUST)
    assert len(run.rows) == 3
    notes = [event.data["message"] for event in events if event.kind == "note"]
    assert "robust accuracy 0.5500 is at the target of 0.5; stopping" in notes
    network, best, back = kept
    assert back == 1
    assert all(network[name].equal(best[name]) for name in best)
    each = len(counts) // 3
    assert counts == [1] * (2 * each) + [2] * each
    (warning,) = [event.data["message"] for event in events if event.kind == "warning"]
    assert "overfitted to attacks of one step (97.0 % withstand one step and 2.0 % PGD)" in warning
    assert "back to the weights of epoch 1 and goes on with 2 steps" in warning
    assert run.classifier.details["robust"]["validation_accuracy"] == 0.55


@pytest.mark.parametrize(
    ("row", "best", "said"),
    [
        ((0.30, 0.25), None, False),
        ((0.95, 0.05), None, True),
        ((0.28, 0.05), None, False),  # it has yet to learn
        ((0.50, 0.12), (0.53, 0.11), True),  # never better, and of no use
        ((0.80, 0.72), (0.78, 0.73), False),
        ((0.60, 0.55), (0.78, 0.73), False),  # worse, but to both: the rate, not the attack
        ((0.90, 0.73), (0.78, 0.73), False),  # a wider gap alone is no fall
        ((0.90, 0.40), (0.78, 0.73), True),
    ],
)
def test_a_collapse_is_a_fall_under_many_steps_alone(row, best, said) -> None:
    rows = [None if each is None else dict(zip(ROBUST_COLUMNS, each, strict=True)) for each in (row, best)]
    assert has_collapsed(*rows) is said


def test_a_training_in_minutes_keeps_its_budget(fit, digits) -> None:
    _, events = fit(digits, minutes=1 / 60, **ROBUST)
    (done,) = [event.data for event in events if event.kind == "done"]
    assert done["training_seconds"] < 3


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"robust": "linf:8"}, AttackError),
        ({"robust": "l1:2"}, RecipeError),
        ({"robust_method": "pgd"}, RecipeError),
        ({"robust_steps": 2}, RecipeError),
        ({"robust": "linf:0.1", "robust_steps": 0}, RecipeError),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(digits, tmp_path, fields, error) -> None:
    with pytest.raises(error):
        train(digits, out=tmp_path / "run", on_event=ignore, **fields)
    assert not (tmp_path / "run").exists()
