"""The trained generator, and its file: one safetensors file whose header says how to rebuild it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from striate.classifier.fitting import check_fit, entries_of
from striate.core.device import Policy, choose_policy
from striate.core.errors import LayerError, ModelFileError, RunError, StriateError, unknown_name
from striate.core.seeds import derive
from striate.core.tensors import load_tensors, save_tensors
from striate.core.version import VERSION
from striate.gan.generator_header import GeneratorHeader, generator_path, read_generator_header
from striate.gan.latent import draw_latents, images_of, rendered
from striate.models.adversarial import Generator
from striate.models.gan_catalogue import GAN_FAMILIES, build_generator


@dataclass(eq=False)
class TrainedGenerator:
    """A generator's network with what is known of its training.

    Args:
        network: in evaluation mode.
        family: its name in `striate.models.GAN_FAMILIES`.
        width: with which it was built.
        class_names: of the classes that it can be told to make; empty where it is told none.
        class_shares: of the images that it learnt from, by class.
        policy: where and how it computes.
        details: its recipe, the source and fingerprint of the data, versions.

    >>> network = build_generator("dense", size=8, latent_size=4, width=8)
    >>> generator = TrainedGenerator(network.eval(), family="dense", width=8)
    >>> generator.images(generator.latents(3, seed=1)).shape
    torch.Size([3, 1, 8, 8])
    """

    network: Generator
    family: str
    width: int
    class_names: tuple[str, ...] = ()
    class_shares: tuple[float, ...] = ()
    policy: Policy = field(default_factory=lambda: choose_policy("cpu", "float32"))
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def latent_size(self) -> int:
        """How many numbers a latent has."""
        return self.network.latent_size

    @property
    def size(self) -> int:
        """The side of its images, pixels."""
        return self.network.size

    @property
    def channels(self) -> int:
        """Channels of its images: 1 for grey, 3 for colour."""
        return self.network.channels

    @property
    def classes(self) -> int | None:
        """How many classes it can be told to make; ``None`` where it is told none."""
        return self.network.classes

    def latents(self, count: int, *, seed: int) -> Tensor:
        """Draw latents.

        Args:
            count: how many, at least 1.
            seed: the same seed gives the same latents, however many are drawn.

        Returns:
            count x latent_size, float32, standard normal, on the CPU.
        """
        return draw_latents(count, self.latent_size, seed=seed)

    def labels(self, count: int, *, seed: int) -> Tensor | None:
        """Draw classes as often as they occur among the images that it learnt from.

        Args:
            count: how many, at least 1.
            seed: the same seed gives the same classes.

        Returns:
            (count) int64, on the CPU; ``None`` where it is told no classes.
        """
        if self.classes is None:
            return None
        source = torch.Generator().manual_seed(derive(seed, "labels"))
        shares = torch.tensor(self.class_shares, dtype=torch.float64)
        return torch.multinomial(shares, count, replacement=True, generator=source)

    def images(
        self, latents: Tensor, labels: Tensor | None = None, *, differentiable: bool = False
    ) -> Tensor:
        """Make the images of latents.

        Args:
            latents: N x latent_size.
            labels: (N) int64, the class of each, where it can be told classes; from `labels` or chosen.
            differentiable: keep what derivatives by the latents need; all are then computed at once, where
                the network is.

        Returns:
            N x C x S x S, float32 in [0, 1].

        Raises:
            ShapeError: where latents are of a wrong length, or the labels of another number.
            LayerError: where it wants classes and gets none, or the reverse, or one is no class.
        """
        if self.classes is not None and labels is None:
            raise LayerError(
                f"this generator makes images of {self.classes} classes and is told which: give labels, such "
                "as those of .labels(n, seed=0)"
            )
        with self.policy.autocast():
            if differentiable:
                return rendered(self.network, latents, labels)
            return images_of(self.network, latents, labels)

    def save(self, path: Path | str) -> None:
        """Write it to one safetensors file, atomically.

        Args:
            path: the file to be made or replaced.

        Raises:
            RunError: where the file cannot be written; what was there is then untouched.
        """
        arguments = {
            "size": self.size,
            "channels": self.channels,
            "latent_size": self.latent_size,
            "width": self.width,
            "classes": self.classes,
        }
        header = GeneratorHeader(
            family=self.family,
            arguments=arguments,
            class_names=self.class_names,
            class_shares=self.class_shares,
            details={"versions": _versions(), **self.details},
        )
        try:
            save_tensors(path, self.network.state_dict(), header.to_metadata())
        except OSError as error:
            raise RunError(f"cannot write the generator {path}: {error.strerror or error}") from error


def load_generator(
    path: Path | str, *, device: str | None = None, precision: str = "float32"
) -> TrainedGenerator:
    """Read a generator from its file.

    The header is checked before anything is built, and the network is built without memory and held against
    the header before it gets any; a file can so ask for no more than its own size.

    Args:
        path: such a file, or the directory of a run, of which its ``generator.safetensors`` is read.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        precision: ``float32``, or ``bfloat16``, whose images are off by up to 1/256.

    Returns:
        The generator, in evaluation mode, its tensors in the memory formats they were saved in.

    Raises:
        ModelFileError: where the file is missing, damaged, not ours, of a newer format, or does not fit the
            network that it names.
        DeviceError: where this machine does not have the device.
    """
    file = generator_path(path)
    header = read_generator_header(file)
    policy = choose_policy(device, precision)
    if header.family not in GAN_FAMILIES:
        raise ModelFileError(f"{file}: {unknown_name('family of GANs', header.family[:80], GAN_FAMILIES)}")
    with torch.device("meta"):
        wanted = entries_of(_built(header, file).state_dict())
    check_fit(wanted, header.tensors, file=file, model=header.family)
    with torch.random.fork_rng(devices=[]):
        network = _built(header, file)
    state, _ = load_tensors(file)
    network.load_state_dict(state, assign=True)
    return TrainedGenerator(
        network.to(policy.device).eval().requires_grad_(False),
        family=header.family,
        width=header.arguments["width"] or 1,
        class_names=header.class_names,
        class_shares=header.class_shares,
        policy=policy,
        details=header.details,
    )


def _built(header: GeneratorHeader, file: Path) -> Generator:
    arguments: dict[str, Any] = dict(header.arguments)
    try:
        return build_generator(header.family, **arguments)
    except (StriateError, TypeError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ModelFileError(
            f"{file} is damaged: the family '{header.family}' cannot be built as its header says: {error}"
        ) from error


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("torch", "safetensors", "numpy")}
    return {"striate": VERSION, **libraries, "python": platform.python_version()}
