"""Every way of explaining by its name, all called alike: for the command line, for checks, and for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.explain.attribution import Attribution
from striate.explain.class_activation import grad_cam, grad_cam_plus_plus, layer_cam
from striate.explain.deep_lift import deep_lift
from striate.explain.guided_backprop import guided_backprop
from striate.explain.integrated_gradients import integrated_gradients
from striate.explain.occlusion import occlusion
from striate.explain.rise import rise
from striate.explain.saliency import gradient_times_input, saliency, smooth_grad
from striate.explain.score_cam import score_cam
from striate.explain.scoring import Targets

AT_A_LAYER = ("gradcam", "gradcam++", "layercam", "scorecam")
"""The methods that look at one layer, which can be named."""


class NamedMethod(Protocol):
    """A way of explaining with its own defaults, and what all of them can be told."""

    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        targets: Targets = None,
        *,
        generator: Generator | None = None,
        layer: str | None = None,
        on_event: OnEvent = ignore,
    ) -> Attribution:
        """Explain images; methods without chance ignore the generator."""


def _called_alike(function: Callable[..., Attribution], *takes: str) -> NamedMethod:
    """Pass on what a function takes of ``generator`` and ``layer``."""

    def method(
        network: nn.Module,
        images: Tensor,
        targets: Targets = None,
        *,
        generator: Generator | None = None,
        layer: str | None = None,
        on_event: OnEvent = ignore,
    ) -> Attribution:
        if layer is not None and "layer" not in takes:
            raise LayerError(
                f"{function.__name__} looks at the whole network, not at layer '{layer}'; leave the layer "
                f"out, or take one of {', '.join(AT_A_LAYER)}"
            )
        given = {"generator": generator, "layer": layer}
        named = {name: given[name] for name in takes}
        return function(network, images, targets, on_event=on_event, **named)

    return method


METHODS: dict[str, NamedMethod] = {
    "deeplift": _called_alike(deep_lift),
    "gradcam": _called_alike(grad_cam, "layer"),
    "gradcam++": _called_alike(grad_cam_plus_plus, "layer"),
    "gradient-x-input": _called_alike(gradient_times_input),
    "guided-backprop": _called_alike(guided_backprop),
    "integrated-gradients": _called_alike(integrated_gradients),
    "layercam": _called_alike(layer_cam, "layer"),
    "occlusion": _called_alike(occlusion),
    "rise": _called_alike(rise, "generator"),
    "saliency": _called_alike(saliency),
    "scorecam": _called_alike(score_cam, "layer"),
    "smoothgrad": _called_alike(smooth_grad, "generator"),
}
"""Name -> the way of explaining: a function of network, images and targets, with its own defaults."""
