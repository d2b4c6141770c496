"""Layers, blocks and tensor functions that torch lacks or does differently, in 1, 2 and 3 dimensions."""

from striate.nn.antialiasing import BlurPool, PolyphaseSampling
from striate.nn.convolution import Conv
from striate.nn.corruptions import CORRUPTIONS, corrupt
from striate.nn.filters import FILTER_BORDERS, FILTERS, Filter, FixedFilter, find_filter, gabor
from striate.nn.heads import FlattenHead, GlobalAverageHead, GlobalMaxHead
from striate.nn.jpeg import jpeg
from striate.nn.locally_connected import LocallyConnected
from striate.nn.mode_pooling import ModePool
from striate.nn.order_pooling import MedianPool
from striate.nn.pictures import filter_picture, make_visible
from striate.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, L2Pool, MaxPool, MinPool
from striate.nn.resampling import project, sample, shift_between, tilt, turn, zoom
from striate.nn.residual import PreActivationBlock, Residual, ResidualBlock
from striate.nn.severities import SEVERITIES
from striate.nn.sliding import dense_as_conv
from striate.nn.warps import gather_warped, mirror, shift
from striate.nn.whitening import patches_in, whitening_filters

__all__ = [
    "CORRUPTIONS",
    "FILTERS",
    "FILTER_BORDERS",
    "SEVERITIES",
    "AveragePool",
    "BlurPool",
    "Conv",
    "Filter",
    "FixedFilter",
    "FlattenHead",
    "GlobalAverageHead",
    "GlobalAveragePool",
    "GlobalMaxHead",
    "GlobalMaxPool",
    "L2Pool",
    "LocallyConnected",
    "MaxPool",
    "MedianPool",
    "MinPool",
    "ModePool",
    "PolyphaseSampling",
    "PreActivationBlock",
    "Residual",
    "ResidualBlock",
    "corrupt",
    "dense_as_conv",
    "filter_picture",
    "find_filter",
    "gabor",
    "gather_warped",
    "jpeg",
    "make_visible",
    "mirror",
    "patches_in",
    "project",
    "sample",
    "shift",
    "shift_between",
    "tilt",
    "turn",
    "whitening_filters",
    "zoom",
]
