# /// script
# requires-python = ">=3.11"
# dependencies = ["timm==1.0.31", "torch==2.13.0", "torchvision==0.28.0"]
# ///
"""timm's ResNet-18 on small images, trained with the defaults of timm's training script.

The network as timm makes it; batches of 128, SGD with Nesterov momentum 0.9 at a rate of 0.05 (0.1 for
batches of 256, in proportion), weight decay 2e-5, the rate rising for 5 epochs and then falling by a cosine,
label smoothing 0.1; random crops of 8 to 100 % of the image, mirroring, colours changed by up to 0.4, all by
timm's loader with a worker for each thread; images at their own size; float32.

What differs, since the script itself takes no arrays: the loop is our own; mean and deviation are those of
the images; and the rate rises for half of the budget where that has under 10 epochs, as it would otherwise
never fall. The cosine follows the budget, so that each budget is a process of its own.

Source: ``train.py`` of the repository huggingface/pytorch-image-models and its documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "timm's ResNet-18 with the defaults of its training script: SGD, batches of 128"
LIBRARIES = ("timm", "torch", "torchvision")
IMPORTS = ("timm", "timm.data", "timm.scheduler")
ENVIRONMENT: dict[str, str] = {}
BUDGETS: tuple[tuple[float, ...], ...] = ((2,),)
FOLDER = False

BATCH = 128
RATE = 0.1 * BATCH / 256
WARMUP_EPOCHS = 5


class Pictures:
    """Images as timm's loader wants them: Pillow's pictures, one by one, through its transform.

    Args:
        images: uint8, N x C x H x W.
        labels: N.
    """

    def __init__(self, images: Any, labels: Any) -> None:
        self._images, self._labels = images, labels
        self.transform: Any = None

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        pixels = self._images[index]
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        return self.transform(picture), int(self._labels[index])


def train(job: Job) -> None:
    """Train the network once, for the last budget."""
    import timm
    import torch
    from timm.data import create_loader
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2

    job.use_torch()
    images = job.images("train")
    mean = [float(images[:, each].mean() / 255) for each in range(images.shape[1])]
    deviation = [float(images[:, each].std() / 255) for each in range(images.shape[1])]
    loader = create_loader(
        Pictures(images, job.labels("train")),
        input_size=tuple(images.shape[1:]),
        batch_size=BATCH,
        is_training=True,
        use_prefetcher=False,
        no_aug=False,
        color_jitter=0.4,
        interpolation="random",
        mean=mean,
        std=deviation,
        num_workers=job.threads,
        device=torch.device("cpu"),
    )
    epochs = round(max(job.epochs))
    job.begin()
    network = timm.create_model(
        "resnet18", pretrained=False, num_classes=job.classes, in_chans=images.shape[1]
    )
    optimizer = create_optimizer_v2(network, opt="sgd", lr=RATE, weight_decay=2e-5, momentum=0.9)
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=epochs,
        warmup_epochs=min(WARMUP_EPOCHS, epochs // 2),
        warmup_lr=1e-5,
        min_lr=0.0,
    )
    loss = LabelSmoothingCrossEntropy(0.1)
    for epoch in range(epochs):
        network.train()
        for batch, labels in loader:
            optimizer.zero_grad()
            loss(network(batch), labels).backward()
            optimizer.step()
        schedule.step(epoch + 1)
    centre, scale = (torch.tensor(values).view(-1, 1, 1) for values in (mean, deviation))
    job.measure(
        epochs,
        lambda: job.torch_accuracy(network, lambda some: (some.float().div(255) - centre) / scale),
        operations=lambda: job.torch_operations(network),
    )
