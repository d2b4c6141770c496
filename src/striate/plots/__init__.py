"""Every picture that striate draws: PNG files, made without pyplot, and SVG drawings; whole or absent."""

from striate.plots.adversarial import AdversarialTile, adversarial_picture
from striate.plots.animation import animation
from striate.plots.attribution import MapTile, attribution_picture, attribution_sheet
from striate.plots.augmentation_sheet import AugmentedRow, augmentation_sheet
from striate.plots.concept_bars import concept_bars
from striate.plots.confusion import confusion_matrix
from striate.plots.curves import training_curves
from striate.plots.depth_study import depth_curves, depth_gradients
from striate.plots.feature_maps import contact_sheet, feature_map_sheet, filter_weights
from striate.plots.filter_sheet import FilterTile, filter_sheet
from striate.plots.generated import generated_rows, plane_sheet, sample_sheet
from striate.plots.gradient_flow import gradient_flow
from striate.plots.image_grid import image_grid
from striate.plots.invariance import invariance_curves, layer_shift_chart, worst_sheet
from striate.plots.label_bars import label_bars
from striate.plots.label_sheet import label_sheet
from striate.plots.learning_curve import learning_curve
from striate.plots.network import network_diagram, network_svg
from striate.plots.patches import patch_sheet
from striate.plots.representation import probe_curve, representation_map, similarity_map
from striate.plots.robust_curve import robust_curve
from striate.plots.search import search_coordinates, search_importance
from striate.plots.series_attribution import SeriesTile, series_attribution_picture
from striate.plots.sharing_study import sharing_accuracy
from striate.plots.sheet import prediction_sheet
from striate.plots.sticker import sticker_page
from striate.plots.unit import unit_picture
from striate.plots.unit_sheet import UnitRow, UnitTile, unit_sheet

__all__ = [
    "AdversarialTile",
    "AugmentedRow",
    "FilterTile",
    "MapTile",
    "SeriesTile",
    "UnitRow",
    "UnitTile",
    "adversarial_picture",
    "animation",
    "attribution_picture",
    "attribution_sheet",
    "augmentation_sheet",
    "concept_bars",
    "confusion_matrix",
    "contact_sheet",
    "depth_curves",
    "depth_gradients",
    "feature_map_sheet",
    "filter_sheet",
    "filter_weights",
    "generated_rows",
    "gradient_flow",
    "image_grid",
    "invariance_curves",
    "label_bars",
    "label_sheet",
    "layer_shift_chart",
    "learning_curve",
    "network_diagram",
    "network_svg",
    "patch_sheet",
    "plane_sheet",
    "prediction_sheet",
    "probe_curve",
    "representation_map",
    "robust_curve",
    "sample_sheet",
    "search_coordinates",
    "search_importance",
    "series_attribution_picture",
    "sharing_accuracy",
    "similarity_map",
    "sticker_page",
    "training_curves",
    "unit_picture",
    "unit_sheet",
    "worst_sheet",
]
