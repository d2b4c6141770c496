"""A model under attack gives logits and gradients in parts, in its own precision, and stays as it was."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.attack import victim as victims
from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.catalogue import ATTACKS
from striate.attack.goals import Targeted, Untargeted
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.engine import passes


def network(*, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 4)
    ).to(dtype)


IMAGES = torch.rand(7, 2, 6, 6, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(7) % 4


def loss(logits: Tensor) -> Tensor:
    return F.cross_entropy(logits, LABELS, reduction="none")


@pytest.mark.parametrize("batch", [None, 1, 3, 7, 50])
def test_gradients_are_those_of_autograd_in_any_parts(batch) -> None:
    model = network().eval()
    leaf = IMAGES.clone().requires_grad_()
    expected_logits = model(leaf)
    expected = loss(expected_logits)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), leaf)
    with Victim(model, batch=batch) as victim:
        logits, scores, gradient = victim.gradient(IMAGES, loss)
        assert torch.allclose(victim.logits(IMAGES), expected_logits, atol=1e-5)
    for found, value in ((logits, expected_logits), (scores, expected), (gradient, expected_gradient)):
        assert torch.allclose(found, value, atol=1e-5)
        assert not found.requires_grad
    assert (victim.forwards, victim.backwards) == (14, 7)


@pytest.mark.parametrize("batch", [None, 2])
def test_jacobians_are_those_of_autograd(batch) -> None:
    model = network().eval()
    classes = torch.stack([LABELS, (LABELS + 1) % 4, LABELS.flip(0)], dim=1)
    with Victim(model, batch=batch) as victim:
        logits, found = victim.jacobian(IMAGES, classes)
    whole = torch.stack([torch.autograd.functional.jacobian(model, each[None])[0, :, 0] for each in IMAGES])
    assert torch.allclose(found, whole[torch.arange(7)[:, None], classes], atol=1e-5)
    assert torch.allclose(logits, model(IMAGES), atol=1e-5)


def test_parts_follow_the_memory_that_derivatives_need(monkeypatch) -> None:
    model, seen = network(), []
    model.register_forward_hook(lambda *told: seen.append(len(told[2])))
    monkeypatch.setattr(passes, "GRAPH_BYTES", 12_000)
    closure = lambda images: model.eval()(images)  # noqa: E731  it hides the weights
    for given in (model, closure):
        seen.clear()
        with Victim(given) as victim:
            victim.gradient(IMAGES, loss)
        assert max(seen) < 7
        assert sum(seen[-20:]) >= 7


def test_a_model_that_writes_its_input_changes_no_image() -> None:
    kept = IMAGES.clone()
    with Victim(lambda images: images.mul_(2).flatten(1)) as victim:
        victim.logits(IMAGES)
        _, _, gradient = victim.gradient(IMAGES, lambda logits: logits.sum(dim=1))
    assert IMAGES.equal(kept)
    assert gradient.unique().tolist() == [2.0]


def test_gradients_of_half_precision_are_taken_in_float32() -> None:
    model = network(dtype=torch.bfloat16).eval()
    wide = copy.deepcopy(model).float()
    leaf = IMAGES.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(wide(leaf)).sum(), leaf)
    with Victim(model) as victim:
        logits, _, gradient = victim.gradient(IMAGES, loss)
        deployed = victim.logits(IMAGES)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert torch.allclose(logits, wide(IMAGES), atol=1e-5)
    assert torch.allclose(deployed, model(IMAGES.bfloat16()).float(), atol=1e-6)
    assert not deployed.equal(logits)


def test_gradients_go_past_batch_norms_and_the_deployed_answer_does_not(monkeypatch) -> None:
    model, asked = network().eval(), []
    plain = F.batch_norm
    monkeypatch.setattr(F, "batch_norm", lambda *given, **named: asked.append(1) or plain(*given, **named))
    with Victim(model) as victim:
        victim.gradient(IMAGES, loss)
        asked.clear()
        victim.gradient(IMAGES, loss)
        assert not asked
        deployed = victim.logits(IMAGES)
        assert asked
    assert torch.allclose(deployed, model(IMAGES), atol=1e-6)


def test_gradients_are_taken_without_autocast() -> None:
    model = network().eval()
    with Victim(model) as victim:
        _, _, expected = victim.gradient(IMAGES, loss)
        with torch.autocast("cpu", torch.bfloat16):
            _, _, gradient = victim.gradient(IMAGES, loss)
            deployed = victim.logits(IMAGES)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert not torch.allclose(deployed, model(IMAGES), atol=1e-6)


class Rounding(nn.Module):
    """Answers the other way round where its weights are halves."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, dtype=dtype))

    def forward(self, images: Tensor) -> Tensor:
        way = 1 if self.weight.dtype == torch.float32 else -1
        return images.flatten(1)[:, :2] * self.weight * way


def test_success_is_what_the_deployed_precision_says() -> None:
    images, labels = torch.tensor([[[0.25, 0.75]], [[0.75, 0.25]]]), torch.tensor([0, 0])
    for dtype, expected in ((torch.float32, [True, False]), (torch.bfloat16, [False, False])):
        with Victim(Rounding(dtype)) as victim:
            logits, _, _ = victim.gradient(images, lambda logits: logits.sum(dim=1))
            assert Untargeted().is_met(logits, labels).tolist() == [True, False]
            assert victim.confirmed(Untargeted(), logits, images, labels).tolist() == expected
            targets = Targeted(torch.tensor([1, 0]))
            expected_targets = [dtype == torch.float32] * 2
            assert victim.confirmed(targets, logits, images, labels).tolist() == expected_targets


def test_success_is_counted_on_images_of_the_deployed_type() -> None:
    image = torch.tensor([[[0.5025]]])  # 0.5039 in bfloat16
    with Victim(lambda images: images.flatten(1).repeat(1, 2), dtype=torch.bfloat16) as victim:
        assert victim.logits(image)[0, 0].item() == pytest.approx(0.50390625)


def test_a_model_that_casts_inside_is_taken_as_it_is() -> None:
    class Casting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(72, 3).bfloat16()

        def forward(self, images: Tensor) -> Tensor:
            return self.head(images.flatten(1).bfloat16()).float()

    with Victim(Casting()) as victim:
        _, _, gradient = victim.gradient(IMAGES, lambda logits: logits[:, 0])
    assert gradient.dtype == torch.float32
    assert gradient.any()


def test_models_are_in_evaluation_mode_and_as_they_were_afterwards() -> None:
    model = network().train()
    before = {
        name: (id(value), value.clone(), value.stride())
        for name, value in model.state_dict(keep_vars=True).items()
    }
    with Victim(model) as victim:
        victim.gradient(IMAGES, loss)
        assert not model[1].training
        assert not model[0].weight.requires_grad
    with pytest.raises(IndexError), Victim(model) as victim:
        victim.gradient(IMAGES, lambda logits: logits[:, 4])
    assert all(part.training for part in model.modules())
    for name, value in model.state_dict(keep_vars=True).items():
        place, kept, stride = before[name]
        assert (id(value), value.stride()) == (place, stride)
        assert value.equal(kept)
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())


def test_gradients_are_there_wherever_the_caller_is() -> None:
    model = network()
    with torch.inference_mode(), Victim(model) as victim:
        _, _, gradient = victim.gradient(IMAGES, loss)
    assert gradient.any()


@pytest.mark.parametrize(
    "model",
    [
        lambda images: images.detach().flatten(1),
        lambda images: torch.zeros(len(images), 3, requires_grad=True) + 0.0,
        lambda images: images.flatten(1).argmax(dim=1, keepdim=True).float(),
    ],
)
def test_a_model_without_gradients_is_told_of_attacks_that_need_none(model) -> None:
    with Victim(model) as victim, pytest.raises(AttackError, match=r"no gradient comes back.*square"):
        victim.gradient(IMAGES, lambda logits: logits[:, 0])
    with Victim(model) as victim, pytest.raises(AttackError, match="no gradient comes back"):
        victim.jacobian(IMAGES, torch.zeros(7, 1, dtype=torch.long))


def test_the_attacks_named_need_no_gradients_and_are_all_of_these() -> None:
    without = []
    for name, attack in ATTACKS.items():
        for ball in (Linf(0.1), L2(0.5), L1(3.0), L0(2)):
            try:
                made = attack(ball)
            except AttackError:
                continue
            without += [name] if not made.needs_gradient else []
            break
    assert sorted(without) == sorted(victims.WITHOUT_GRADIENTS)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            lambda images: [len(images)],
            "the model gives a list, where a tensor of 7 x classes logits is wanted",
        ),
        (lambda images: images, "the model gives float32 of 7x2x6x6 for 7 images"),
        (lambda images: images.flatten(1)[:3], "the model gives float32 of 3x72 for 7 images"),
        (lambda images: images.flatten(1).long(), "the model gives int64 of 7x72 for 7 images"),
    ],
)
def test_what_are_no_logits_is_refused(model, sentence) -> None:
    with Victim(model, batch=100) as victim, pytest.raises(AttackError, match=sentence):
        victim.logits(IMAGES)


def test_what_cannot_be_called_is_no_model() -> None:
    with pytest.raises(AttackError, match="a model takes images and gives logits; a str cannot be called"):
        Victim("resnet18")


def test_errors_of_a_model_are_its_own() -> None:
    with Victim(nn.Linear(5, 2)) as victim, pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        victim.logits(torch.rand(2, 3, 4))


def test_only_the_model_as_deployed_computes_under_autocast() -> None:
    model = network().eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        deployed = model(IMAGES).float()
    with torch.autocast("cpu", torch.bfloat16):
        with Victim(model) as victim:
            assert (IMAGES[0, 0] @ IMAGES[0, 1]).dtype == torch.float32
            assert victim.logits(IMAGES).equal(deployed)
            precise, _, _ = victim.gradient(IMAGES, loss)
        assert (IMAGES[0, 0] @ IMAGES[0, 1]).dtype == torch.bfloat16
    assert precise.allclose(model(IMAGES), atol=1e-6)
    assert not precise.equal(deployed)


@pytest.mark.parametrize("name", ["colour", "spatial", "patch"])
def test_what_an_attack_does_to_images_is_not_rounded_by_autocast(name) -> None:
    images = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(2))

    def unsure(given: Tensor) -> Tensor:
        return given.mean(dim=(2, 3)) * torch.tensor([1.0, 1.1, 0.9])

    labels = unsure(images).argmax(dim=1)
    attack = ATTACKS[name](Linf(0.1))
    plain = attack(unsure, images, labels)
    with torch.autocast("cpu", torch.bfloat16):
        assert attack(unsure, images, labels).equal(plain)


@pytest.mark.parametrize("half", [False, True])
def test_norms_of_the_model_as_deployed_stay(half) -> None:
    """Folded into convolutions they would round elsewhere than where the model rounds that is deployed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    nn.init.uniform_(model[1].running_var, 0.5, 2)
    images = torch.rand(5, 1, 8, 8)
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        expected = model(images).float()
        with Victim(model) as victim:
            found = victim.logits(images)
            assert "forward" not in vars(model[1])
    assert found.allclose(expected, rtol=0, atol=1e-2 if half else 1e-6)
