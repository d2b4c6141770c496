"""Look into any network: what flows through it, what it looks at, what it has learned; nothing is changed."""

from striate.explain.attribution import Attribution
from striate.explain.class_activation import grad_cam, grad_cam_plus_plus, layer_cam
from striate.explain.concept_kit import concept_kit
from striate.explain.concept_parts import class_objects, class_parts
from striate.explain.concept_patterns import generated_patterns
from striate.explain.concepts import Concept, ConceptFamily, ConceptSet, concepts_in
from striate.explain.deep_lift import deep_lift
from striate.explain.detectors import DetectorExamples, detector_examples
from striate.explain.dissected import ConceptFigures, Dissection, LayerDissection, UnitFinding
from striate.explain.dissection import dissect, dissected_layers
from striate.explain.features import features, layer_features
from striate.explain.filters import Filters, first_filters
from striate.explain.flow import GradientFlow, LayerFlow
from striate.explain.gradient_flow import gradient_flow
from striate.explain.guided_backprop import guided_backprop
from striate.explain.integrated_gradients import integrated_gradients
from striate.explain.layers import activations, find_layer, last_spatial_layer, spatial_layers
from striate.explain.maps import FeatureMaps, all_feature_maps, feature_maps
from striate.explain.methods import METHODS
from striate.explain.neighbours import Neighbours, nearest_images
from striate.explain.occlusion import occlusion
from striate.explain.patches import TopPatches, top_patches
from striate.explain.probes import Probe, linear_probe, probe_layers
from striate.explain.projection import Projection, principal_components, project
from striate.explain.randomisation import Cascade, cascade
from striate.explain.receptive import LayerField, layer_field
from striate.explain.removal import RemovalCurve, deletion, insertion
from striate.explain.rise import rise
from striate.explain.saliency import gradient_times_input, saliency, smooth_grad
from striate.explain.sanity import Sanity, sanity
from striate.explain.score_cam import score_cam
from striate.explain.similarity import Similarity, layer_similarity, linear_cka
from striate.explain.twin import untrained_twin
from striate.explain.units import Unit, explain_unit
from striate.explain.units_page import units_page
from striate.explain.visualisation import visualise
from striate.explain.visualised import Ascent, Visualisation

__all__ = [
    "METHODS",
    "Ascent",
    "Attribution",
    "Cascade",
    "Concept",
    "ConceptFamily",
    "ConceptFigures",
    "ConceptSet",
    "DetectorExamples",
    "Dissection",
    "FeatureMaps",
    "Filters",
    "GradientFlow",
    "LayerDissection",
    "LayerField",
    "LayerFlow",
    "Neighbours",
    "Probe",
    "Projection",
    "RemovalCurve",
    "Sanity",
    "Similarity",
    "TopPatches",
    "Unit",
    "UnitFinding",
    "Visualisation",
    "activations",
    "all_feature_maps",
    "cascade",
    "class_objects",
    "class_parts",
    "concept_kit",
    "concepts_in",
    "deep_lift",
    "deletion",
    "detector_examples",
    "dissect",
    "dissected_layers",
    "explain_unit",
    "feature_maps",
    "features",
    "find_layer",
    "first_filters",
    "generated_patterns",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient_flow",
    "gradient_times_input",
    "guided_backprop",
    "insertion",
    "integrated_gradients",
    "last_spatial_layer",
    "layer_cam",
    "layer_features",
    "layer_field",
    "layer_similarity",
    "linear_cka",
    "linear_probe",
    "nearest_images",
    "occlusion",
    "principal_components",
    "probe_layers",
    "project",
    "rise",
    "saliency",
    "sanity",
    "score_cam",
    "smooth_grad",
    "spatial_layers",
    "top_patches",
    "units_page",
    "untrained_twin",
    "visualise",
]
