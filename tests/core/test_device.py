"""The device policy: what this machine gets, what can be overridden, and what is refused."""

import pytest
import torch

from striate.core.device import Policy, choose_policy
from striate.core.errors import DeviceError

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def test_something_is_chosen_and_works():
    policy = choose_policy()
    images = torch.rand(2, 3, 8, 8, device=policy.device).to(memory_format=policy.memory_format)
    layer = torch.nn.Conv2d(3, 4, 3).to(policy.device)
    with policy.autocast():
        assert layer(images).dtype == getattr(torch, policy.precision)


@no_cuda
def test_without_cuda_a_cpu_or_mps_is_chosen_and_cuda_refused():
    assert choose_policy().device in ("cpu", "mps")
    with pytest.raises(DeviceError, match="no CUDA device that torch can use; device 'cpu' works"):
        choose_policy("cuda")
    with pytest.raises(DeviceError, match="no CUDA device"):
        choose_policy("cuda:1")


@cuda
def test_with_cuda_it_is_chosen_and_an_index_that_is_not_there_is_refused():
    assert choose_policy().device == "cuda"
    assert choose_policy("cuda:0").device == "cuda:0"
    for name in ("cuda:99", "cuda:x", "cuda:-1"):
        with pytest.raises(DeviceError, match="this machine has cuda:0 to"):
            choose_policy(name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_can_be_overridden_and_weights_stay_float32(precision):
    policy = choose_policy("cpu", precision)
    assert (policy.device, policy.precision, policy.why) == ("cpu", precision, "as asked")
    layer = torch.nn.Linear(4, 2)
    with policy.autocast():
        assert layer(torch.ones(1, 4)).dtype == getattr(torch, precision)
    assert layer.weight.dtype == torch.float32


def test_autocast_ends_with_its_block():
    with choose_policy("cpu", "bfloat16").autocast():
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")


def test_filters_and_images_lie_as_the_policy_says():
    last = Policy("cpu", "float32", channels_last=True, why="")
    first = Policy("cpu", "float32", channels_last=False, why="")
    assert last.memory_format == torch.channels_last
    assert first.memory_format == torch.contiguous_format


def test_what_the_hardware_computes_is_said():
    text = str(choose_policy("cpu"))
    assert text.startswith("cpu, ")
    assert "channels last" in text
    assert "this CPU has" in text
    assert "channels first" in str(Policy("mps", "float32", channels_last=False, why="Apple GPU"))


@pytest.mark.parametrize(
    ("name", "nearest"), [("cpuu", "cpu"), ("cudа", "cuda"), ("gpu", "cpu"), ("CPU", None)]
)
def test_an_unknown_device_suggests_the_nearest(name, nearest):
    with pytest.raises(DeviceError, match=f"no device '{name}'.*{nearest or 'there are: cpu, cuda, mps'}"):
        choose_policy(name)


def test_a_second_cpu_is_refused():
    assert choose_policy("cpu:0").device == "cpu:0"
    with pytest.raises(DeviceError, match="no device 'cpu:1'; 'cpu' works"):
        choose_policy("cpu:1")


@pytest.mark.parametrize("precision", ["float16", "bf16", "double"])
def test_an_unknown_precision_is_refused(precision):
    with pytest.raises(DeviceError, match="precision"):
        choose_policy("cpu", precision)


def test_a_policy_compares_by_value():
    assert choose_policy("cpu") == choose_policy("cpu")
    assert choose_policy("cpu", "float32") != choose_policy("cpu", "bfloat16")
