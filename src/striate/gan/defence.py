"""Defense-GAN: let a classifier see what a generator makes of an image, and not the image itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn

from striate.engine.borrowing import borrowed
from striate.gan.projection import Descent, LatentSearch
from striate.models.adversarial import Generator


def projected(
    network: Generator,
    classifier: Callable[[Tensor], Tensor],
    *,
    descent: Descent | None = None,
    straight_through: bool = True,
    seed: int = 0,
) -> Callable[[Tensor], Tensor]:
    """Put a generator in front of a classifier: images are projected, and what is found is classified.

    With the generator ``G``, the answer for an image ``x`` is ``f(G(z))`` for the latent ``z`` that makes
    ``|G(z) - x|^2`` smallest. The idea is that what an attack adds is nothing that the generator can make.

    No derivative comes back through a search, which makes attacks fail that need one and nothing safer. With
    ``straight_through`` the backward pass takes the projection for the identity (BPDA), so that these attacks
    work: a defence is to be judged with that. The same image gets the same answer, whatever is beside it.

    Args:
        network: the generator.
        classifier: takes images in [0, 1] and gives logits; a module computes in evaluation mode.
        descent: how to look for a latent; ``None``: 8 starts, 200 steps, all of them at each answer.
        straight_through: whether derivatives pass by the projection as if it were not there.
        seed: of the draws from which descents start.

    Returns:
        A callable from images, N x C x S x S in [0, 1], to logits, as `striate.attack.evaluate` takes it.

    Raises:
        LayerError: when it is called, as `project`.
        ShapeError: when it is called, as `project`.

    Source: Samangouei, Kabkab and Chellappa, Defense-GAN (2018), section 3; Adam in place of plain descent,
    and it starts from the nearest of many draws. Straight through: Athalye, Carlini and Wagner, Obfuscated
    gradients give a false sense of security (2018), sections 4.1 and 5.4.2.
    """
    search = LatentSearch(network, descent=descent, seed=seed)

    def answer(images: Tensor) -> Tensor:
        found = search.find(images.float()).images.to(images.device, images.dtype)
        with _in_evaluation(classifier):
            # In value what was found, in slope the image itself.
            return classifier(images + (found - images).detach() if straight_through else found)

    return answer


def _in_evaluation(classifier: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    return borrowed(classifier) if isinstance(classifier, nn.Module) else nullcontext()
