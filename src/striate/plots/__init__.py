"""Every picture that striate draws: PNG files, made without pyplot, and SVG drawings; whole or absent."""

from striate.plots.confusion import confusion_matrix
from striate.plots.curves import training_curves
from striate.plots.depth_study import depth_curves, depth_gradients
from striate.plots.filter_sheet import FilterTile, filter_sheet
from striate.plots.gradient_flow import gradient_flow
from striate.plots.network import network_diagram, network_svg
from striate.plots.sharing_study import sharing_accuracy
from striate.plots.sheet import prediction_sheet

__all__ = [
    "FilterTile",
    "confusion_matrix",
    "depth_curves",
    "depth_gradients",
    "filter_sheet",
    "gradient_flow",
    "network_diagram",
    "network_svg",
    "prediction_sheet",
    "sharing_accuracy",
    "training_curves",
]
