"""Layers and tensor functions that torch lacks: residual bodies, whitening filters, whole-batch warps."""

from striate.nn.blocks import Residual
from striate.nn.warps import mirror, shift
from striate.nn.whitening import whitening_filters

__all__ = ["Residual", "mirror", "shift", "whitening_filters"]
