"""The table holds torch's layers of each number of dimensions."""

from __future__ import annotations

import pytest

from striate.nn.by_dims import BY_DIMS


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_class_is_of_its_dimensions(dims) -> None:
    names = [kind.__name__ for kind in BY_DIMS[dims]]
    assert names == [
        f"{name}{dims}d"
        for name in (
            "Conv",
            "BatchNorm",
            "MaxPool",
            "AvgPool",
            "AdaptiveAvgPool",
            "ZeroPad",
            "CircularPad",
            "ReplicationPad",
        )
    ]
