"""Optimisers without torch's compiler: the same steps as torch's own, and the compiler stays away."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

import pytest
import torch
from torch import Tensor, nn

from striate.engine.uncompiled import uncompiled

KINDS = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "AdamW": {"weight_decay": 0.1},
    "Adam": {"betas": (0.5, 0.9), "fused": True},
    "LBFGS": {"line_search_fn": "strong_wolfe"},
}


def moved(kind: type[torch.optim.Optimizer], options: dict) -> tuple[Tensor, dict]:
    """Give where ten steps lead, half of them by an optimiser that is given the state of the first."""
    weights = nn.Parameter(torch.linspace(-2, 2, 6).view(2, 3))
    optimizer = kind([weights], lr=0.1, **options)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = ((weights - 1) ** 2).sum()
        value.backward()
        return value

    for step in range(10):
        if step == 5:
            kept = optimizer.state_dict()
            optimizer = kind([weights], lr=0.1, **options)
            optimizer.load_state_dict(kept)
        optimizer.step(loss)
    return weights.detach(), optimizer.state_dict()


@pytest.mark.parametrize("name", KINDS)
def test_steps_are_those_of_torch(name) -> None:
    kind = getattr(torch.optim, name)
    ours, theirs = moved(uncompiled(kind), KINDS[name]), moved(kind, KINDS[name])
    assert torch.equal(ours[0], theirs[0])
    assert (ours[0] - torch.linspace(-2, 2, 6).view(2, 3)).abs().max() > 0.1
    assert str(ours[1]) == str(theirs[1])


def test_a_kind_is_made_once_and_keeps_its_name() -> None:
    assert uncompiled(torch.optim.SGD) is uncompiled(torch.optim.SGD)
    assert uncompiled(torch.optim.SGD).__name__ == "SGD"


@pytest.mark.parametrize("chosen", ["muon", "adamw"])
def test_training_on_a_cpu_does_not_load_the_compiler(chosen, tmp_path: Path) -> None:
    program = (
        "import sys, numpy, striate\n"
        "images = numpy.zeros((40, 1, 12, 12), numpy.uint8); images[::2] = 255\n"
        "labels = numpy.arange(40) % 2\n"
        f"recipe = striate.Recipe(epochs=1, batch=8, optimizer={chosen!r})\n"
        "striate.train((images, labels), recipe=recipe, device='cpu', out=sys.argv[1])\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = run([sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "False"
