"""Trainings with a policy learn, and resume exactly; test_distributed.py has one in several processes."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch

from striate.core.errors import RecipeError
from striate.core.events import Event, ignore
from striate.core.tensors import load_tensors
from striate.training import Run, train
from striate.training import loop as training_loop

POLICY = "turn=5,noise,erase=0.1,mixup=0.2,cutmix@0.5"


def _weights(run: Run) -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.path / "last.safetensors")
    return tensors


def test_mixed_labels_are_learnt_from(fit) -> None:
    run, events = fit("digits", augment=POLICY, epochs=2)
    rows = [event.data for event in events if event.kind == "epoch"]
    assert run.evaluation["validation"].accuracy > 0.6
    assert run.recipe.augment == POLICY
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert all(0 <= row["train_accuracy"] <= 1 for row in rows)


def test_an_interrupted_training_ends_with_the_same_weights(fit, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training_loop, "STEP_EVENT_SECONDS", 0.0)
    whole, _ = fit("digits", augment=f"flip,{POLICY}", epochs=0.5, out=tmp_path / "whole")

    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.data["step"] == 7:
            signal.raise_signal(signal.SIGINT)

    common = {"model": "compact-small", "batch": 64, "epochs": 0.5, "augment": f"flip,{POLICY}"}
    with pytest.raises(KeyboardInterrupt):
        train("digits", out=tmp_path / "run", device="cpu", on_event=interrupt, **common)
    assert not Run(tmp_path / "run").is_finished
    resumed = train(resume=tmp_path / "run", device="cpu", on_event=ignore)
    expected, found = _weights(whole), _weights(resumed)
    assert expected.keys() == found.keys()
    assert all(expected[name].equal(found[name]) for name in expected)


def test_what_images_do_not_have_is_refused_before_there_is_a_run(tmp_path) -> None:
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (40, 1, 12, 12), dtype=np.uint8), np.arange(40) % 2
    for augment, sentence in (("hue", "'hue' changes colours"), ("hew", "there is no change 'hew'")):
        with pytest.raises(RecipeError, match=sentence):
            train(grey, augment=augment, epochs=1, out=tmp_path / "run", on_event=ignore, device="cpu")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RecipeError, match="there is no change 'hew'"):  # before it is looked for
        train(tmp_path / "no-such-photos", augment="hew", on_event=ignore, device="cpu")
