"""Layers, blocks and tensor functions that torch lacks or does differently, in 1, 2 and 3 dimensions."""

from striate.nn.antialiasing import BlurPool, PolyphaseSampling
from striate.nn.axis_resampling import resample_axis
from striate.nn.blemishes import add_noise, erase, jitter, paste
from striate.nn.colours import recolour
from striate.nn.convolution import Conv
from striate.nn.corruptions import CORRUPTIONS, corrupt
from striate.nn.filters import FILTER_BORDERS, FILTERS, Filter, FixedFilter, find_filter, gabor
from striate.nn.foveation import foveate, glimpse
from striate.nn.heads import FlattenHead, GlobalAverageHead, GlobalMaxHead
from striate.nn.homographies import (
    cropping,
    mirroring,
    moving,
    resample,
    scaling,
    shearing,
    turning,
    viewing,
)
from striate.nn.jpeg import jpeg
from striate.nn.locally_connected import LocallyConnected
from striate.nn.mode_pooling import ModePool
from striate.nn.order_pooling import MedianPool
from striate.nn.pictures import filter_picture, make_visible
from striate.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, L2Pool, MaxPool, MinPool
from striate.nn.resampling import project, sample, shift_between, tilt, turn, zoom
from striate.nn.residual import AroundBranch, PreActivationBlock, Residual, ResidualBlock
from striate.nn.severities import SEVERITIES
from striate.nn.sliding import dense_as_conv
from striate.nn.softening import sharpen, soften
from striate.nn.tones import equalise, gamma, posterise, solarise, stretch
from striate.nn.warps import gather_warped, mirror, shift
from striate.nn.whitening import patches_in, whitening_filters

__all__ = [
    "CORRUPTIONS",
    "FILTERS",
    "FILTER_BORDERS",
    "SEVERITIES",
    "AroundBranch",
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
    "add_noise",
    "corrupt",
    "cropping",
    "dense_as_conv",
    "equalise",
    "erase",
    "filter_picture",
    "find_filter",
    "foveate",
    "gabor",
    "gamma",
    "gather_warped",
    "glimpse",
    "jitter",
    "jpeg",
    "make_visible",
    "mirror",
    "mirroring",
    "moving",
    "paste",
    "patches_in",
    "posterise",
    "project",
    "recolour",
    "resample",
    "resample_axis",
    "sample",
    "scaling",
    "sharpen",
    "shearing",
    "shift",
    "shift_between",
    "soften",
    "solarise",
    "stretch",
    "tilt",
    "turn",
    "turning",
    "viewing",
    "whitening_filters",
    "zoom",
]
