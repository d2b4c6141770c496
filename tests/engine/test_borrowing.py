"""A network is as it was, to the last bit, however the measurement ends."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.engine.borrowing import borrowed, borrowed_for_gradients, borrowed_in_training
from striate.explain import gradient_flow


class Failing(torch.autograd.Function):
    """Passes on, and fails on the way back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx, gradient
        raise KeyError("on the way back")


class Network(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten()
        )
        self.frozen = nn.BatchNorm1d(16).eval()
        self.head = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        values = self.frozen(self.body(images))
        if self.how == "forwards":
            raise KeyError("on the way forwards")
        if self.how == "as torch":
            raise RuntimeError("sizes do not fit")
        return self.head(Failing.apply(values) if self.how == "backwards" else values)


def state_of(network: nn.Module) -> dict[str, Any]:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_always_called")
    return {
        "tensors": {name: tensor.clone() for name, tensor in network.state_dict().items()},
        "buffers": {name: id(buffer) for name, buffer in network.named_buffers()},
        "weights": {name: id(weight) for name, weight in network.named_parameters()},
        "gradients": {name: weight.grad for name, weight in network.named_parameters()},
        "trained": {name: weight.requires_grad for name, weight in network.named_parameters()},
        "modes": {name: module.training for name, module in network.named_modules()},
        "hooks": {
            name: [len(getattr(module, kind)) for kind in hooks] for name, module in network.named_modules()
        },
        "generator": torch.get_rng_state(),
        "differentiating": torch.is_grad_enabled(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for kind in ("buffers", "weights", "trained", "modes", "hooks", "differentiating"):
        assert after[kind] == before[kind], kind
    for name, tensor in before["tensors"].items():
        assert tensor.equal(after["tensors"][name]), name
    assert before["generator"].equal(after["generator"])
    for name, gradient in before["gradients"].items():
        assert after["gradients"][name] is gradient, name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("how", "error"),
    [("well", None), ("forwards", KeyError), ("as torch", LayerError), ("backwards", KeyError)],
)
def test_nothing_is_changed_also_after_a_crash(training, how, error) -> None:
    torch.manual_seed(3)
    network = Network(how).train(training)
    network.frozen.eval()
    network.body[0].weight.requires_grad_(False)
    network.head.weight.grad = torch.ones(3, 16)
    images, labels = torch.rand(6, 1, 4, 4), torch.arange(6) % 3
    kept = images.clone()
    before = state_of(network)
    if error is None:
        gradient_flow(network, images, labels)
    else:
        with pytest.raises(error):
            gradient_flow(network, images, labels)
    assert_same(before, state_of(network))
    assert network.head.weight.grad.equal(torch.ones(3, 16))
    assert images.equal(kept)
    assert images.grad is None
    # No mode of torch is left on: a rectifier after it is nobody's business.
    assert torch.overrides._get_current_function_mode() is None


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(context) -> None:
    torch.manual_seed(0)
    network, images, labels = Network("well"), torch.rand(6, 1, 4, 4), torch.arange(6) % 3
    outside = gradient_flow(network, images, labels)
    with context():
        inside = gradient_flow(network, images, labels)
        assert not torch.is_grad_enabled()
    assert inside == outside


def test_dropout_drops_the_same_units_each_time() -> None:
    network, images, labels = Network("well"), torch.rand(6, 1, 4, 4), torch.arange(6) % 3
    one = gradient_flow(network, images, labels)
    torch.rand(5)
    assert gradient_flow(network, images, labels) == one


def test_a_norm_in_evaluation_mode_is_measured_as_it_will_train() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    images, labels = 3 + torch.rand(8, 4), torch.arange(8) % 2
    training = gradient_flow(network.train(), images, labels)
    assert gradient_flow(network.eval(), images, labels) == training


class Frozen(nn.Sequential):
    """Keeps its norms in evaluation mode, as fine-tuning does."""

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self


def test_norms_that_the_network_itself_keeps_frozen_stay_frozen() -> None:
    seen = []
    network = Frozen(nn.Linear(4, 4), nn.BatchNorm1d(4))
    network[1].register_forward_hook(lambda module, *_: seen.append(module.training))
    gradient_flow(network, torch.rand(5, 4), torch.zeros(5).long())
    assert seen == [False]
    assert len(network[1]._forward_hooks) == 1


def test_a_buffer_that_is_replaced_is_put_back() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

    network = Counting()
    buffer = network.calls
    with borrowed_in_training(network):
        network.calls = network.calls + 1
        assert network.calls.item() == 1
    assert network.calls is buffer
    assert network.calls.item() == 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("borrow", [borrowed, borrowed_for_gradients])
@pytest.mark.parametrize("how", ["well", "forwards"])
def test_a_borrowed_network_is_as_it_was(training, borrow, how) -> None:
    torch.manual_seed(3)
    network = Network(how).train(training)
    network.frozen.eval()
    network.body[0].weight.requires_grad_(False)
    network.head.weight.grad = torch.ones(3, 16)
    images = torch.rand(6, 1, 4, 4)
    before = state_of(network)
    error = pytest.raises(KeyError) if how == "forwards" else nullcontext()
    with error, borrow(network):
        assert not any(module.training for module in network.modules())
        assert not any(weight.requires_grad for weight in network.parameters())
        network.body[1].running_mean.add_(1)
        network.body[1].running_var = torch.ones(4)
        network(images)
    assert_same(before, state_of(network))


def test_a_graph_of_another_survives_borrowing() -> None:
    norm = nn.BatchNorm1d(2).eval()
    values = torch.rand(3, 2, requires_grad=True)
    loss = norm(values).sum()
    with borrowed(norm):
        norm(torch.rand(3, 2))
    loss.backward()
    assert values.grad is not None


def test_derivatives_are_taken_wherever_the_caller_is() -> None:
    layer = nn.Linear(2, 2)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            images = torch.rand(1, 2)
            with borrowed_for_gradients(layer):
                leaf = images.clone().requires_grad_()
                layer(leaf).sum().backward()
            assert leaf.grad is not None
        assert layer.weight.grad is None


def test_lazy_layers_are_refused_and_stay_lazy() -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(3), nn.LazyBatchNorm1d())
    with pytest.raises(LayerError, match="lazy layers, whose sizes are not known yet"), borrowed(network):
        pass
    assert nn.parameter.is_lazy(network[1].weight)
