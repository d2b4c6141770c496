# /// script
# requires-python = ">=3.11"
# dependencies = ["fastai==2.8.12", "torch==2.13.0", "torchvision==0.28.0"]
# ///
"""A ResNet-18 trained from scratch by fastai's vision learner, with fastai's defaults.

torchvision's ResNet-18 under fastai's head, without weights from elsewhere; batches of 64, fastai's Adam and
its one cycle with its top at 0.001, as the learner has them where nothing is said; images in [0, 1]; float32.

What differs: images are taken from memory batch by batch, and it is not validated after each epoch, which
spares it that time. The cycle follows the budget, so that each budget is a process of its own.

Source: the documentation of ``vision_learner`` and ``Learner.fit_one_cycle`` at docs.fast.ai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "ResNet-18 from scratch by fastai's vision learner: one cycle, batches of 64"
LIBRARIES = ("fastai", "torch", "torchvision")
IMPORTS = ("fastai.vision.all",)
ENVIRONMENT: dict[str, str] = {}
BUDGETS: tuple[tuple[float, ...], ...] = ((2,),)
FOLDER = False

BATCH = 64


def train(job: Job) -> None:
    """Train the network once, for the last budget."""
    import torch.nn.functional as F
    from fastai.vision.all import DataLoaders, resnet18, vision_learner

    job.use_torch()
    loaders = DataLoaders(job.torch_batches(BATCH), [])
    job.begin()
    learner = vision_learner(
        loaders,
        resnet18,
        pretrained=False,
        n_in=job.images("train").shape[1],
        n_out=job.classes,
        loss_func=F.cross_entropy,
    )
    epochs = round(max(job.epochs))
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs)
    network = learner.model
    job.measure(epochs, lambda: job.torch_accuracy(network), operations=lambda: job.torch_operations(network))
