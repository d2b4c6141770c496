"""The curve of robust accuracy: drawn from any figures, and the same gives the same bytes."""

import warnings

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import robust_curve


@pytest.mark.parametrize("count", [1, 2, 8])
def test_any_number_of_radii_is_drawn(tmp_path, count):
    radii = np.linspace(0, 0.1, count).tolist()
    accuracies = np.linspace(1, 0, count).tolist()
    intervals = [(max(value - 0.1, 0), min(value + 0.1, 1)) for value in accuracies]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a.png", "b.png"):
            robust_curve(
                radii, accuracies, intervals, tmp_path / name, title="$ 猫", axis="L2 radius", chance=0.1
            )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.size[0] > 800
        assert np.asarray(drawn.convert("RGB")).std() > 5


@pytest.mark.parametrize(("radii", "accuracies"), [([], []), ([0, 1], [0.5])])
def test_what_does_not_fit_is_refused(tmp_path, radii, accuracies):
    with pytest.raises(ShapeError, match=f"{len(radii)} radii, {len(accuracies)} accuracies and 1 intervals"):
        robust_curve(radii, accuracies, [(0.0, 1.0)], tmp_path / "a.png", title="x", axis="x")
    assert list(tmp_path.iterdir()) == []
