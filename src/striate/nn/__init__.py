"""Tensor functions that torch lacks: whitening filters and whole-batch warps."""

from striate.nn.warps import mirror, shift
from striate.nn.whitening import patches_in, whitening_filters

__all__ = ["mirror", "patches_in", "shift", "whitening_filters"]
