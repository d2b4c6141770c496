"""Which device computes, in which precision and memory format, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from striate.core.errors import DeviceError, unknown_name

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("bfloat16", "float32")


@dataclass(frozen=True)
class Policy:
    """Where and how a network computes.

    Args:
        device: ``cpu``, ``cuda`` (or ``cuda:1``, ...) or ``mps``.
        precision: ``bfloat16`` (weights stay float32) or ``float32``.
        channels_last: whether images and filters lie with channels last in memory.
        why: one clause for the user.
    """

    device: str
    precision: str
    channels_last: bool
    why: str

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory format of images and filters."""
        import torch

        return torch.channels_last if self.channels_last else torch.contiguous_format

    def memory_format_of(self, dims: int) -> torch.memory_format:
        """Give the memory format of what has so many spatial axes.

        Args:
            dims: 1 (series), 2 (images) or 3 (volumes).

        Returns:
            Channels last where images are so, but for series, which have no such format.
        """
        import torch

        if dims == 3 and self.channels_last:
            return torch.channels_last_3d
        return self.memory_format if dims == 2 else torch.contiguous_format

    def suited_to(self, dims: int) -> Policy:
        """Give a policy whose gradients are right: float32 for series and volumes on a CPU.

        With torch 2.13 the gradients of the filters of bfloat16 convolutions are memory that nobody wrote
        where
        an axis is short: of volumes of 2 slices and windows of 3, and of one value and windows of 3 at a
        stride of 2.

        Args:
            dims: spatial axes: 1 (series), 2 (images) or 3 (volumes).

        Returns:
            The same policy for images, for float32, and elsewhere.

        >>> Policy("cpu", "bfloat16", True, "as asked").suited_to(1).precision
        'float32'
        """
        if dims == 2 or self.device != "cpu" or self.precision != "bfloat16":
            return self
        return replace(
            self, precision="float32", why="bfloat16 gradients of series and volumes are wrong on CPUs"
        )

    def autocast(self) -> AbstractContextManager[object]:
        """Give the context in which the network computes in this precision.

        Returns:
            A context manager; with float32 it changes nothing.
        """
        import torch

        kind = self.device.partition(":")[0]
        return torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16")

    def __str__(self) -> str:
        order = "channels last" if self.channels_last else "channels first"
        return f"{self.device}, {self.precision}, {order} ({self.why})"


def choose_policy(device: str | None = None, precision: str | None = None) -> Policy:
    """Choose device, precision and memory format: CUDA, then Apple MPS, then CPU.

    bfloat16 with channels last where the hardware computes bfloat16 natively, else float32; both
    can be overridden.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        precision: ``bfloat16`` or ``float32``; ``None`` chooses.

    Returns:
        The policy.

    Raises:
        DeviceError: where the device is unknown or this machine does not have it.

    >>> choose_policy("cpu", "float32").precision
    'float32'
    """
    import torch

    name = device or _best_device()
    kind, _, index = name.partition(":")
    if kind not in DEVICES:
        raise DeviceError(unknown_name("device", name, DEVICES))
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise DeviceError("this machine has no CUDA device that torch can use; device 'cpu' works")
        if index and not (index.isdigit() and int(index) < count):
            raise DeviceError(f"there is no device '{name}'; this machine has cuda:0 to cuda:{count - 1}")
    elif index not in ("", "0"):
        raise DeviceError(f"there is no device '{name}'; '{kind}' works")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("this machine has no Apple MPS device that torch can use; device 'cpu' works")
    native, why = _bfloat16_is_native(kind)
    if precision is not None and precision not in PRECISIONS:
        raise DeviceError(unknown_name("precision", precision, PRECISIONS))
    chosen = precision or ("bfloat16" if native else "float32")
    if chosen == "bfloat16" and kind == "mps":
        raise DeviceError("bfloat16 training is not supported on mps; precision 'float32' works")
    return Policy(name, chosen, channels_last=kind != "mps", why=why if precision is None else "as asked")


def _best_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@cache
def _bfloat16_is_native(kind: str) -> tuple[bool, str]:
    import torch

    if kind == "cuda":
        native = torch.cuda.get_device_capability()[0] >= 8
        return native, "bfloat16 units" if native else "no bfloat16 units"
    if kind == "mps":
        return False, "Apple GPU"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    for name in ("amx_bf16", "avx512_bf16"):
        if capabilities.get(name) or (name == "avx512_bf16" and torch.cpu._is_avx512_bf16_supported()):
            return True, f"this CPU has {name}"
    return False, "this CPU has no bfloat16 units"
