"""The loop whose steps are replayed, here called: it trains as the ordinary one, and reads nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import striate
from striate.core.errors import RecipeError, TrainingError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.data import Split
from striate.models import CATALOGUE, Sprint
from striate.training import Run, device_loop, program, reusing, train
from striate.training import finish as training_finish
from striate.training import loop as training_loop
from striate.training import session as training_session
from striate.training.device_loop import DeviceLoop
from striate.training.program import Program
from striate.training.reporting import ClassReporting


def never(*parts) -> bool:
    """Say no to every session."""
    assert parts
    return False


SMALL = {"shift": 1, "flip": True, "precision": "float32"}


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch) -> None:
    """Leave out what takes most of a small training's time and is the same after either loop."""
    monkeypatch.setattr(training_finish, "training_curves", lambda *parts: None)  # noqa: ARG005
    monkeypatch.setattr(ClassReporting, "draw", lambda *parts: None)  # noqa: ARG005


@pytest.fixture
def replayed(monkeypatch) -> Iterator[list[Program]]:
    """Let trainings on this CPU take the way that they take on a GPU; their programs."""
    programs: list[Program] = []
    start = DeviceLoop.run

    def run(loop: DeviceLoop) -> None:
        programs.append(loop.program)
        start(loop)

    monkeypatch.setattr(DeviceLoop, "run", run)
    monkeypatch.setattr(reusing, "runs_from_recordings", lambda session: session.recipe.minutes is None)
    reusing.forget_recordings()
    yield programs
    reusing.forget_recordings()


@pytest.fixture(scope="module")
def tiny(digits) -> striate.Dataset:
    few = Split(digits.train.images[:200], digits.train.labels[:200])
    return replace(digits, train=few)


def _tensors(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.path / f"{name}.safetensors")
    return tensors


def _far(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    assert found.keys() == wanted.keys()
    return max(
        float((found[name].double() - wanted[name].double()).norm() / (wanted[name].double().norm() + 1e-6))
        for name in wanted
    )


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adamw"])
def test_it_trains_to_the_weights_of_the_ordinary_loop(
    fit, tiny, tmp_path, replayed, optimizer, monkeypatch
) -> None:
    choices = {**SMALL, "optimizer": optimizer, "batch": 32, "epochs": 2.5, "validate_every": 2}
    monkeypatch.setattr(device_loop, "STRETCH", 4)  # so that an epoch has several
    ours, ours_events = fit(tiny, out=tmp_path / "ours", **choices)
    assert len(replayed) == 1
    monkeypatch.setattr(reusing, "runs_from_recordings", never)
    ordinary, events = fit(tiny, out=tmp_path / "ordinary", **choices)
    assert len(replayed) == 1
    assert _far(_tensors(ours), _tensors(ordinary)) < 1e-3
    assert [event.kind for event in events if event.kind in ("epoch", "saved", "done")] == [
        event.kind for event in ours_events if event.kind in ("epoch", "saved", "done")
    ]
    assert [row["epoch"] for row in ours.rows] == [2, 3]
    for own, other in zip(ours.rows, ordinary.rows, strict=True):
        for name in ("epoch", "step", "share", "learning_rate"):
            assert own[name] == other[name]
        for name in ("train_loss", "validation_loss"):
            assert own[name] == pytest.approx(other[name], rel=2e-3)
        for name in ("train_accuracy", "validation_accuracy"):
            assert own[name] == pytest.approx(other[name], abs=0.02)
    assert ours.evaluation["test"].images == len(tiny.test)


def test_a_network_that_keeps_norms_and_drops_out_trains_the_same(
    fit, tmp_path, replayed, monkeypatch
) -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (96,), generator=random)
    images = torch.randint(0, 100, (96, 12, 12, 3), generator=random, dtype=torch.uint8)
    images += (50 * labels)[:, None, None, None].to(torch.uint8)
    data = striate.open_dataset((images.numpy(), labels.numpy()))

    def thin(*, classes, channels, size) -> nn.Module:
        network = Sprint(classes=classes, channels=channels, size=size, widths=(8, 8, 8))
        network.head = nn.Sequential(nn.Dropout(0.5), network.head)
        return network

    monkeypatch.setitem(CATALOGUE, "sprint", thin)
    choices = {**SMALL, "model": "sprint", "batch": 16, "average_shifted": 1, "epochs": 3}
    ours, _ = fit(data, out=tmp_path / "ours", **choices)
    monkeypatch.setattr(reusing, "runs_from_recordings", never)
    ordinary, _ = fit(data, out=tmp_path / "ordinary", **choices)
    assert len(replayed) == 1
    found = _tensors(ours)
    assert _far(found, _tensors(ordinary)) < 5e-3
    convolutions = [
        tensor for name, tensor in found.items() if name.startswith("stages") and tensor.ndim == 4
    ]
    assert convolutions
    for tensor in convolutions:
        assert tensor.norm().item() == pytest.approx(len(tensor) ** 0.5, rel=1e-4)


@pytest.mark.parametrize(
    "controls",
    [
        {"optimizer": "muon", "l1": 1e-4, "lp": "1.5:1e-3"},
        {"optimizer": "sgd", "average_weights": 0.5, "choose_by": "loss"},
        {"optimizer": "adamw", "balance": "weights", "patience": 9},
        {"optimizer": "sgd", "balance": "sampling", "average_weights": 1.0},
    ],
)
def test_controls_do_there_what_they_do_in_the_ordinary_loop(
    fit, tiny, tmp_path, replayed, controls, monkeypatch
) -> None:
    choices = {**SMALL, "batch": 32, "epochs": 2.5, **controls}
    ours, events = fit(tiny, out=tmp_path / "ours", **choices)
    assert len(replayed) == 1
    monkeypatch.setattr(reusing, "runs_from_recordings", never)
    ordinary, others = fit(tiny, out=tmp_path / "ordinary", **choices)
    for name in ("last", "model"):
        assert _far(_tensors(ours, name), _tensors(ordinary, name)) < 2e-3
    assert [row["epoch"] for row in ours.rows] == [row["epoch"] for row in ordinary.rows]
    assert events[-1].data["best_epoch"] == others[-1].data["best_epoch"]
    for own, other in zip(ours.rows, ordinary.rows, strict=True):
        assert own["validation_loss"] == pytest.approx(other["validation_loss"], rel=5e-3)


@pytest.mark.usefixtures("replayed")
def test_averages_stop_and_go_on_and_begin_anew_in_the_next_training(
    fit, tiny, tmp_path, monkeypatch
) -> None:
    choices = {**SMALL, "average_weights": 0.5, "stochastic_depth": 0.3, "model": "resnet20", "dropout": 0.2}
    whole, _ = fit(tiny, out=tmp_path / "whole", **choices, epochs=3)
    again, _ = fit(tiny, out=tmp_path / "again", **choices, epochs=3)
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.0)

    def interrupt(event) -> None:
        if event.kind == "epoch" and event.data["epoch"] == 1:
            signal.raise_signal(signal.SIGINT)

    given = {**choices, "batch": 64, "epochs": 3}
    with pytest.raises(KeyboardInterrupt):
        train(tiny, out=tmp_path / "run", device="cpu", on_event=interrupt, **given)
    run = train(tiny, resume=tmp_path / "run", device="cpu", on_event=ignore)
    for other in (again, run):
        for name in ("last", "model"):
            found, wanted = _tensors(other, name), _tensors(whole, name)
            assert all(found[key].equal(wanted[key]) for key in wanted)


def test_patience_stops_before_the_next_epoch_is_launched(fit, tiny, replayed) -> None:
    run, events = fit(tiny, **SMALL, epochs=60, patience=2, learning_rate=1e-6, other_rate=1e-6)
    steps = int(run.rows[-1]["step"])
    assert len(run.rows) < 60
    assert (replayed[0].losses[steps:] == 0).all()
    assert any("brought no gain" in str(event.data.get("message")) for event in events)


class NothingRead(TorchDispatchMode):
    """Fails where a value goes from the device to the host, which is what makes a GPU and its host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        reading = (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero, torch.ops.aten.equal)
        assert func.overloadpacket not in reading, f"{func} reads a value"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.usefixtures("replayed")
def test_no_value_is_read_while_steps_and_validations_are_launched(
    fit, tiny, monkeypatch, optimizer, precision
) -> None:
    launched = []
    launch = DeviceLoop._launch

    def watched(loop: DeviceLoop):
        with NothingRead():
            stretch = launch(loop)
        launched.append(stretch.stop)
        return stretch

    monkeypatch.setattr(DeviceLoop, "_launch", watched)
    choices = {**SMALL, "precision": precision, "optimizer": optimizer}
    controls = {"average_weights": 0.5, "l1": 1e-4, "dropout": 0.1, "balance": "weights"}
    run, _ = fit(tiny, **choices, **controls, average_shifted=1, average_mirrored=True)
    assert launched == [row["step"] for row in run.rows]


@pytest.mark.usefixtures("replayed")
def test_the_step_compiles_without_a_break_and_trains_the_same(fit, tiny, tmp_path, monkeypatch) -> None:
    choices = {**SMALL, "average_weights": 0.5, "l1": 1e-4, "balance": "weights"}
    plain, _ = fit(tiny, out=tmp_path / "plain", **choices, epochs=1)
    reusing.forget_recordings()
    monkeypatch.setattr(program, "BACKEND", "aot_eager")  # needs no compiler of C++
    monkeypatch.setattr(reusing, "_on_cuda", lambda session: session is not None)
    torch._dynamo.utils.counters.clear()
    compiled, events = fit(tiny, out=tmp_path / "compiled", **choices, epochs=1, compiled=True)
    (done,) = [event.data for event in events if event.kind == "done"]
    assert done["seconds"]["compiling"] > 0
    assert _far(_tensors(compiled), _tensors(plain)) < 1e-3
    assert torch._dynamo.utils.counters["graph_break"] == {}
    torch.compiler.reset()


def test_a_second_training_finds_the_program_again_and_is_not_changed_by_the_first(
    fit, tiny, tmp_path, replayed
) -> None:
    first, _ = fit(tiny, out=tmp_path / "first", **SMALL, seed=1)
    fit(tiny, out=tmp_path / "between", **SMALL, seed=2)
    again, events = fit(tiny, out=tmp_path / "again", **SMALL, seed=1)
    assert replayed[0] is replayed[1] is replayed[2]
    for name in ("last", "model"):
        found, wanted = _tensors(again, name), _tensors(first, name)
        assert all(found[key].equal(wanted[key]) for key in wanted)
    assert [event for event in events if event.kind == "prepare" and "steps" in event.data["what"]] == []
    fit(tiny, out=tmp_path / "other", **SMALL, batch=32)
    assert replayed[3] is not replayed[0]
    reusing.forget_recordings()
    fit(tiny, out=tmp_path / "anew", **SMALL, batch=32)
    assert replayed[4] is not replayed[3]


def test_too_many_images_are_not_kept_in_memory(fit, tiny, tmp_path, replayed, monkeypatch) -> None:
    monkeypatch.setattr(reusing, "MOST_KEPT_BYTES", 100)
    for name in ("first", "second"):
        fit(tiny, out=tmp_path / name, **SMALL, epochs=0.5)
    assert replayed[0] is not replayed[1]


@pytest.mark.parametrize("resumed_replayed", [True, False])
@pytest.mark.usefixtures("replayed")
def test_a_stopped_run_goes_on_to_the_same_weights(
    fit, tiny, tmp_path, monkeypatch, resumed_replayed
) -> None:
    monkeypatch.setattr(device_loop, "STRETCH", 2)
    whole, _ = fit(tiny, out=tmp_path / "whole", **SMALL, epochs=5)
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.0)  # after every stretch

    class Stop(Exception):
        pass

    def stop_in_the_third_epoch(event) -> None:
        if event.kind == "step" and event.data["step"] == 9:  # the checkpoint is within an epoch
            raise Stop

    monkeypatch.setattr(training_loop, "STEP_EVENT_SECONDS", 0.0)
    choices = {**SMALL, "model": "compact-small", "batch": 64, "epochs": 5}
    with pytest.raises(Stop):
        train(tiny, out=tmp_path / "run", device="cpu", on_event=stop_in_the_third_epoch, **choices)
    if not resumed_replayed:
        monkeypatch.setattr(reusing, "runs_from_recordings", never)
    run = train(tiny, resume=tmp_path / "run", device="cpu", on_event=ignore)
    for name in ("last", "model"):
        found, wanted = _tensors(run, name), _tensors(whole, name)
        if resumed_replayed:
            assert all(found[key].equal(wanted[key]) for key in wanted)
        else:
            assert _far(found, wanted) < 2e-3
    assert [row["step"] for row in run.rows] == [row["step"] for row in whole.rows]
    assert run.rows[1]["validation_accuracy"] == whole.rows[1]["validation_accuracy"]


@pytest.mark.usefixtures("replayed")
def test_ctrl_c_saves_and_the_run_goes_on(tiny, tmp_path) -> None:

    def interrupt(event) -> None:
        if event.kind == "epoch" and event.data["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    choices = {**SMALL, "model": "compact-small", "batch": 64, "epochs": 5}
    with pytest.raises(KeyboardInterrupt):
        train(tiny, out=tmp_path / "run", device="cpu", on_event=interrupt, **choices)
    _, texts = load_tensors(tmp_path / "run" / "checkpoint" / "state.safetensors")
    assert 2 <= json.loads(texts["state"])["epoch"] < 5
    run = train(tiny, resume=tmp_path / "run", device="cpu", on_event=ignore)
    assert [row["epoch"] for row in run.rows] == [1, 2, 3, 4, 5]


def test_a_target_stops_before_the_next_epoch_is_launched(fit, tiny, replayed) -> None:
    run, _ = fit(tiny, **SMALL, epochs=60, target=0.5)
    accuracies = [row["validation_accuracy"] for row in run.rows]
    assert accuracies[-1] >= 0.5
    assert all(accuracy < 0.5 for accuracy in accuracies[:-1])
    steps = int(run.rows[-1]["step"])
    assert torch.isfinite(replayed[0].losses[:steps]).all()
    assert (replayed[0].losses[steps:] == 0).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.usefixtures("replayed")
def test_a_rate_beyond_reason_stops_the_run(fit, tiny, tmp_path, optimizer) -> None:
    sentence = r"the (loss|validation loss|weights) became (nan|inf) at step \d+ .*rate"
    choices = {"learning_rate": 1e3, "precision": "float32", "weight_decay": 10.0, "warmup": 0.5}
    with pytest.raises(TrainingError, match=sentence):
        fit(tiny, optimizer=optimizer, epochs=60, **choices)
    run = Run(tmp_path / "run")
    assert not run.is_finished
    assert all(torch.isfinite(tensor).all() for tensor in _tensors(run).values())
    assert (run.path / "model.safetensors").exists() == bool(run.rows)


@pytest.mark.usefixtures("replayed")
def test_the_best_epoch_is_chosen_as_the_ordinary_loop_chooses_it(fit, tiny, monkeypatch) -> None:
    figures = iter([(1.0, 108), (0.4, 194), (0.5, 194), (0.3, 151)])  # loss decides between equals
    weights = []

    def validate(loop, epoch) -> None:
        weights.append({name: each.clone() for name, each in loop.program.network.state_dict().items()})
        loss, right = next(figures)
        loop.program.best.offer(loss=torch.tensor(loss), right=torch.tensor(right))
        loop._figures[epoch] = torch.tensor([loss, right])

    monkeypatch.setattr(DeviceLoop, "_launch_validation", validate)
    run, events = fit(tiny, **SMALL, epochs=4)
    assert events[-1].data["best_epoch"] == 2
    for name, wanted in (("model", weights[1]), ("last", weights[3])):
        found = _tensors(run, name)
        assert all(found[key].equal(wanted[key]) for key in wanted)


def test_rates_on_the_device_are_those_of_the_schedule() -> None:
    recipe = striate.Recipe(schedule="one-cycle", warmup=0.25)
    factors = program.rate_factors(recipe, steps=8)
    assert factors == pytest.approx([0.25, 0.75, 11 / 12, 9 / 12, 7 / 12, 5 / 12, 3 / 12, 1 / 12])


def test_an_optimizer_without_a_rule_trains_by_the_ordinary_loop(fit, tiny, replayed, monkeypatch) -> None:
    monkeypatch.setattr(training_session, "make_optimizers", _make_another)
    run, events = fit(tiny, **SMALL)
    assert replayed == []
    assert len(run.rows) == 2
    warnings = [event.data["message"] for event in events if event.kind == "warning"]
    assert any("RMSprop" in message and "slower" in message for message in warnings)


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adamw"])
def test_a_step_that_cannot_be_compiled_trains_by_the_ordinary_loop(
    fit, tiny, tmp_path, replayed, monkeypatch, optimizer
) -> None:
    def refuse(graph, inputs):
        raise NotImplementedError(f"no kernels for {len(graph.graph.nodes) > 0} and {len(inputs) > 0}")

    choices = {**SMALL, "optimizer": optimizer, "epochs": 1}
    monkeypatch.setattr(reusing, "runs_from_recordings", never)
    ordinary, _ = fit(tiny, out=tmp_path / "ordinary", **choices)
    monkeypatch.setattr(reusing, "runs_from_recordings", lambda session: session.recipe.compiled)
    monkeypatch.setattr(reusing, "_on_cuda", lambda session: session.recipe.compiled)
    monkeypatch.setattr(program, "BACKEND", refuse)
    run, events = fit(tiny, out=tmp_path / "run", **choices, compiled=True)
    assert replayed == []
    found, wanted = _tensors(run), _tensors(ordinary)  # what was tried has left nothing behind
    assert all(found[key].equal(wanted[key]) for key in wanted)
    warnings = [event.data["message"] for event in events if event.kind == "warning"]
    assert any("cannot be compiled" in message and "slower" in message for message in warnings)
    torch.compiler.reset()


def _make_another(network: nn.Module, recipe: striate.Recipe) -> list[torch.optim.Optimizer]:
    assert recipe.optimizer == "muon"
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3)
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
    return [optimizer]


def test_ordinary_trainings_here_do_not_take_this_way(fit, tiny, monkeypatch) -> None:
    monkeypatch.delattr(DeviceLoop, "run")
    run, _ = fit(tiny, epochs=0.5)
    assert run.is_finished


def test_validating_now_and_then_holds_for_the_ordinary_loop_too(fit, tiny) -> None:
    run, _ = fit(tiny, epochs=5, validate_every=2)
    assert [row["epoch"] for row in run.rows] == [2, 4, 5]
    with pytest.raises(RecipeError, match="validate_every is 0"):
        striate.Recipe(validate_every=0)


@pytest.mark.usefixtures("replayed")
def test_parts_are_evaluated_in_pieces_also_from_the_disk(fit, tiny, tmp_path, monkeypatch) -> None:
    whole, _ = fit(tiny, out=tmp_path / "whole", **SMALL, average_mirrored=True)
    monkeypatch.setattr(reusing, "MOST_EVALUATED", 50)  # does not divide either part
    mapped = {}
    for name in ("validation", "test"):
        split = getattr(tiny, name)
        np.save(tmp_path / f"{name}.npy", split.images)
        mapped[name] = Split(np.load(tmp_path / f"{name}.npy", mmap_mode="r"), split.labels)
    pieces, _ = fit(replace(tiny, **mapped), out=tmp_path / "pieces", **SMALL, average_mirrored=True)
    for name in mapped:
        found, wanted = pieces.evaluation[name], whole.evaluation[name]
        assert found.images == wanted.images
        assert found.accuracy == wanted.accuracy
        assert found.negative_log_likelihood == pytest.approx(wanted.negative_log_likelihood, rel=1e-4)
    classifier = pieces.classifier
    right = (classifier.probabilities(tiny.test.images).argmax(1).numpy() == tiny.test.labels).mean()
    # It may compute in another precision here than it was trained in.
    assert right == pytest.approx(pieces.evaluation["test"].accuracy, abs=0.01)
