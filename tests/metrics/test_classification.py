"""Accuracy and top-k accuracy against scikit-learn and torchmetrics."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, top_k_accuracy_score
from torchmetrics.functional.classification import multiclass_accuracy

from striate.core.errors import ShapeError, TrainingError
from striate.metrics import accuracy, negative_log_likelihood, top_k_accuracy


def batch(seed: int, images: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator) * 3
    return logits, torch.randint(classes, (images,), generator=generator)


@given(seed=st.integers(0, 1000), images=st.integers(1, 40), classes=st.integers(1, 12))
def test_accuracy_agrees_with_scikit_learn(seed, images, classes):
    logits, labels = batch(seed, images, classes)
    assert accuracy(logits, labels) == pytest.approx(accuracy_score(labels, logits.argmax(1)))


@given(seed=st.integers(0, 1000), images=st.integers(1, 40), classes=st.integers(3, 12), data=st.data())
def test_top_k_agrees_with_scikit_learn_and_torchmetrics(seed, images, classes, data):
    logits, labels = batch(seed, images, classes)
    k = data.draw(st.integers(1, classes - 1))
    ours = top_k_accuracy(logits, labels, k)
    assert ours == pytest.approx(top_k_accuracy_score(labels, logits, k=k, labels=range(classes)))
    theirs = multiclass_accuracy(logits, labels, num_classes=classes, top_k=k, average="micro")
    assert ours == pytest.approx(float(theirs))


@given(seed=st.integers(0, 1000), classes=st.integers(2, 9))
def test_top_k_grows_with_k_up_to_one(seed, classes):
    logits, labels = batch(seed, 20, classes)
    shares = [top_k_accuracy(logits, labels, k) for k in range(1, classes + 1)]
    assert shares == sorted(shares)
    assert shares[0] == accuracy(logits, labels)
    assert shares[-1] == 1


def test_ties_earn_no_more_than_the_first_classes_are_worth():
    logits, labels = torch.zeros(10, 10), torch.arange(10)
    assert accuracy(logits, labels) == 0.1
    assert top_k_accuracy(logits, labels, 5) == 0.5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("label_dtype", [torch.uint8, torch.int32, torch.int64])
def test_any_float_and_any_whole_number_type_will_do(dtype, label_dtype):
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]], dtype=dtype)
    assert accuracy(logits, torch.tensor([0, 1], dtype=label_dtype)) == 1


def test_logits_that_need_gradients_are_read_only():
    logits = torch.tensor([[2.0, 1.0]], requires_grad=True)
    assert accuracy(logits, torch.tensor([0])) == 1
    assert logits.grad is None


@pytest.mark.parametrize("k", [0, -1, 4])
def test_a_k_out_of_range_names_the_range(k):
    with pytest.raises(ShapeError, match=r"k can be 1 to 3"):
        top_k_accuracy(torch.zeros(2, 3), torch.tensor([0, 1]), k)


@pytest.mark.parametrize("metric", [accuracy, negative_log_likelihood])
@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), "at least one image"),
        (torch.zeros(2, 0), torch.zeros(2, dtype=torch.long), "at least one image and one class"),
        (torch.zeros(3), torch.zeros(3, dtype=torch.long), r"float32 of the shape \(3,\)"),
        (torch.zeros(2, 3, 1), torch.zeros(2, dtype=torch.long), r"\(2, 3, 1\)"),
        (torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, dtype=torch.long), "int64"),
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.long), r"labels have the shape \(3,\)"),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.long), r"fits \(2,\)"),
        (torch.zeros(2, 3), torch.zeros(2), "whole numbers"),
        (torch.zeros(2, 3), torch.zeros(2, dtype=torch.bool), "whole numbers"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "labels run from 0 to 3"),
        (torch.zeros(2, 3), torch.tensor([-1, 2]), "labels run from -1 to 2"),
        (torch.zeros(2, 1), torch.tensor([0, 1]), "1 class, which is 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_shape(metric, logits, labels, sentence):
    with pytest.raises(ShapeError, match=sentence) as caught:
        metric(logits, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_no_numbers_are_counted(value):
    logits = torch.zeros(4, 3)
    logits[1, 2] = logits[3, 0] = value
    with pytest.raises(TrainingError, match=r"2 of 4 images are not finite"):
        accuracy(logits, torch.tensor([0, 1, 2, 0]))
