"""The two paths of a residual block are sampled at the same places."""

from __future__ import annotations

import pytest
import torch

from striate.models.layers import Layers
from striate.models.sampling import BlurBoth, KeepBoth, PolyphaseBoth


def test_a_stride_leaves_both_paths_alone() -> None:
    sampling = Layers().sampling_both(2, 3, stride=2)
    assert isinstance(sampling, KeepBoth)
    main, skip = torch.rand(1, 2, 4, 4), torch.rand(1, 3, 8, 8)
    assert sampling(main, skip) == (main, skip)
    assert isinstance(Layers(downsample="polyphase").sampling_both(2, 3, stride=1), KeepBoth)


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_skip_takes_the_component_that_the_main_path_chose(place) -> None:
    sampling = Layers(downsample="polyphase").sampling_both(2, 3, stride=2)
    assert isinstance(sampling, PolyphaseBoth)
    main, skip = torch.rand(1, 2, 6, 6), torch.rand(1, 3, 6, 6) * 9
    main[:, :, place[0] :: 2, place[1] :: 2] += 2
    sampled_main, sampled_skip = sampling(main, skip)
    assert sampled_main.equal(main[:, :, place[0] :: 2, place[1] :: 2])
    assert sampled_skip.equal(skip[:, :, place[0] :: 2, place[1] :: 2])


def test_blurring_takes_each_path_by_itself() -> None:
    sampling = Layers(downsample="blur").sampling_both(2, 3, stride=2)
    assert isinstance(sampling, BlurBoth)
    main, skip = torch.rand(1, 2, 6, 6), torch.rand(1, 3, 6, 6)
    both = sampling(main, skip)
    assert both[0].shape == (1, 2, 3, 3)
    assert both[1].shape == (1, 3, 3, 3)
    assert both[1].equal(sampling(main * 0, skip)[1])


def test_samplings_have_no_parameters_and_nothing_in_the_state() -> None:
    for downsample in ("stride", "blur", "polyphase"):
        sampling = Layers(downsample=downsample).sampling_both(2, 3, stride=2)
        assert list(sampling.parameters()) == []
        assert sampling.state_dict() == {}
