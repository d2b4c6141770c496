"""Classes of samples are counted by any classifier, and what is missing is told from chance."""

import pytest
import torch
from torch import Tensor

from striate.core.errors import ShapeError
from striate.gan.class_shares import Jury, judge_classes, seen

CLASSES = 10


def by_brightness(images: Tensor) -> Tensor:
    """Ten classes: the tenths of the mean brightness."""
    tenth = (images.mean(dim=(1, 2, 3)) * CLASSES).long().clamp(0, CLASSES - 1)
    return torch.eye(CLASSES)[tenth]


def pictures(classes: list[int], count: int, seed: int = 0) -> Tensor:
    """So many pictures, of each of these classes as often as chance has it."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.tensor(classes)[torch.randint(len(classes), (count,), generator=generator)]
    return ((chosen + 0.5) / CLASSES)[:, None, None, None].expand(-1, 1, 4, 4)


@pytest.fixture(scope="module")
def jury() -> Jury:
    return Jury.instructed(by_brightness, pictures(list(range(CLASSES)), 1000), ())


def test_real_images_are_counted_by_the_same_eyes(jury):
    expected = seen(by_brightness, pictures(list(range(CLASSES)), 1000))[0].bincount() / 1000
    assert jury.real.tolist() == pytest.approx(expected.tolist())
    assert jury.names[3] == "class 3"


def test_samples_of_the_data_are_healthy_for_every_seed(jury):
    found = [judge_classes(jury, pictures(list(range(CLASSES)), 300, seed)) for seed in range(100)]
    assert {finding.verdict for finding in found} == {"healthy"}
    assert found[0].message == "300 samples lack none of 10 classes"


@pytest.mark.parametrize(
    ("classes", "verdict", "missing"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], "missing", 1),
        ([0, 1, 2, 3, 4, 5, 6], "missing", 3),
        ([0, 1, 2, 3], "collapsed", 6),
        ([7], "collapsed", 9),
    ],
)
def test_dropped_classes_are_found_for_every_seed(jury, classes, verdict, missing):
    for seed in range(20):
        finding = judge_classes(jury, pictures(classes, 300, seed))
        assert (finding.verdict, finding.value) == (verdict, missing)


def test_the_message_names_what_is_missing(jury):
    named = Jury(jury.judge, jury.real, ("bag", *map(str, range(1, CLASSES))))
    finding = judge_classes(named, pictures(list(range(1, CLASSES)), 400))
    assert "lack 1 of 10 classes: bag 0 % (" in finding.message
    assert finding.level == "warning"


def test_a_class_that_floods_the_samples_is_told(jury):
    finding = judge_classes(jury, pictures([*range(CLASSES), *[4] * 8], 500))
    assert finding.verdict == "uneven"
    assert "class 4" in finding.message


def test_few_samples_of_many_classes_accuse_no_class(jury):
    many = Jury(lambda images: torch.eye(200)[[0] * len(images)], torch.full((200,), 1 / 200), ("",) * 200)
    assert judge_classes(many, pictures([0], 32)).value == 0
    assert judge_classes(jury, pictures(list(range(CLASSES)), 32)).verdict == "healthy"


@pytest.mark.parametrize(
    "answers", [torch.zeros(5, 3), torch.zeros(4), torch.zeros(4, 1), torch.zeros(4, 3, 1)]
)
def test_answers_that_are_no_rows_of_classes_are_refused(answers):
    with pytest.raises(ShapeError, match="is wanted"):
        seen(lambda images: answers, torch.zeros(4, 1, 2, 2))  # noqa: ARG005


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="knows 10 classes, and 2 are named"):
        Jury.instructed(by_brightness, pictures([0], 40), ("a", "b"))
