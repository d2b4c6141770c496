"""What several labels minimise: torch's losses, weights by which answers count alike, what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from striate.core.errors import RecipeError
from striate.core.recipe import Recipe
from striate.metrics import mean_average_precision
from striate.training.multi_label_objective import (
    MOST_WEIGHT,
    MultiLabelObjective,
    answer_weights,
    suited_to_labels,
)


def drawn(images: int = 40, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, classes, generator=generator)
    return logits, (torch.rand(images, classes, generator=generator) < torch.tensor([0.5, 0.3, 0.1])).float()


def test_the_loss_is_the_mean_of_binary_cross_entropies() -> None:
    logits, labels = drawn()
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)
    objective = MultiLabelObjective()
    assert torch.allclose(objective.losses(logits, labels), each)
    assert torch.allclose(objective.loss(logits, labels), each.mean())
    counts = torch.arange(40.0)
    assert torch.allclose(objective.loss(logits, labels, counts), (each * counts).mean())
    smooth = F.binary_cross_entropy_with_logits(logits, 0.9 * labels + 0.05, reduction="none")
    smoothed = MultiLabelObjective(label_smoothing=0.1).loss(logits, labels)
    assert torch.allclose(smoothed, smooth.mean())


def test_weights_are_those_of_torch_up_to_a_factor_a_label() -> None:
    logits, labels = drawn()
    weights = answer_weights(labels)
    having = labels.sum(dim=0)
    lacking = len(labels) - having
    assert torch.allclose(weights * torch.stack([having, lacking]), torch.full((2, 3), len(labels) / 2))
    theirs = F.binary_cross_entropy_with_logits(
        logits, labels, pos_weight=lacking / having, reduction="none"
    ) * (len(labels) / (2 * lacking))
    ours = MultiLabelObjective(class_weights=weights).loss(logits, labels)
    assert torch.allclose(ours, theirs.mean())
    assert answer_weights(torch.eye(1, 1000).T).max() == MOST_WEIGHT
    assert torch.isfinite(answer_weights(torch.zeros(5, 2))).all()


def test_the_gradient_is_that_of_differences() -> None:
    logits, labels = (each.double() for each in drawn(4))
    objective = MultiLabelObjective(label_smoothing=0.2, class_weights=answer_weights(labels).double())
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0]).double()
    assert torch.autograd.gradcheck(lambda x: objective.loss(x, labels, weights), logits.requires_grad_())


def test_an_image_is_right_with_all_of_its_labels() -> None:
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.7, 0.3]])
    assert MultiLabelObjective().hits(logits, labels).tolist() == [True, False, True, True]


def test_a_row_has_the_figure_it_is_judged_by() -> None:
    logits, labels = drawn()
    objective = MultiLabelObjective()
    row = objective.figures(logits, labels.to(torch.uint8))
    assert objective.column == "validation_mean_average_precision"
    assert row[objective.column] == mean_average_precision(logits, labels)
    assert row["validation_loss"] == pytest.approx(objective.losses(logits, labels).mean().item())
    assert row["validation_accuracy"] == objective.hits(logits, labels).double().mean().item()
    by_loss = MultiLabelObjective("loss").figures(logits, labels)
    assert set(by_loss) == {"validation_loss", "validation_accuracy"}
    broken = objective.figures(torch.full_like(logits, torch.nan), labels)
    assert broken[objective.column] == 0


def test_several_labels_decide_what_they_have_to() -> None:
    decided = suited_to_labels(Recipe(), several=True)
    assert (decided.choose_by, decided.label_smoothing) == ("mean-average-precision", 0)
    kept = suited_to_labels(Recipe(choose_by="loss", label_smoothing=0.1, balance="weights"), several=True)
    assert (kept.choose_by, kept.label_smoothing, kept.balance) == ("loss", 0.1, "weights")
    assert suited_to_labels(Recipe(), several=False) == Recipe()


@pytest.mark.parametrize(
    ("fields", "several", "words"),
    [
        ({"robust": "linf:8/255"}, True, "attacks turn one class into another"),
        ({"choose_by": "accuracy"}, True, "'mean-average-precision' and 'loss' work"),
        ({"choose_by": "macro-f1"}, True, "'mean-average-precision' and 'loss' work"),
        ({"balance": "sampling"}, True, "'weights' works"),
        ({"choose_by": "mean-average-precision"}, False, "'accuracy' and 'macro-f1' work"),
    ],
)
def test_what_does_not_go_with_the_labels_is_refused(fields, several, words) -> None:
    with pytest.raises(RecipeError, match=words):
        suited_to_labels(Recipe(**fields), several=several)
