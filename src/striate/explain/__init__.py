"""Look into any network: what flows through its layers, forwards and backwards; nothing in it is changed."""

from striate.explain.flow import GradientFlow, LayerFlow
from striate.explain.gradient_flow import gradient_flow

__all__ = ["GradientFlow", "LayerFlow", "gradient_flow"]
