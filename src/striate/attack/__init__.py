"""Attacks on any classifier, evaluations that can be believed, and invariance."""

from striate.attack.apgd import APGDCE, APGDT
from striate.attack.attack import Attack, BallAttack
from striate.attack.ball import Ball
from striate.attack.balls import L0, L1, L2, Linf, parse_ball
from striate.attack.carlini_wagner import CarliniWagner
from striate.attack.catalogue import ATTACKS
from striate.attack.changes import Change, changes_for
from striate.attack.colour import Colour, Light
from striate.attack.curves import Curve, Invariance, Measured, Worst
from striate.attack.deep_fool import DeepFool
from striate.attack.draws import Draws
from striate.attack.ensemble import Ensemble
from striate.attack.equivariance import LayerShift, layer_shifts
from striate.attack.evaluated import Evaluation, RadiusPoint
from striate.attack.evaluation import evaluate
from striate.attack.fab import FABT
from striate.attack.goals import Goal, Targeted, Untargeted
from striate.attack.invariance import invariance
from striate.attack.iterative import BIM, FGSM, MIFGSM
from striate.attack.masking import Masking, masking
from striate.attack.patch import AdversarialPatch, Patch
from striate.attack.pgd import PGD
from striate.attack.placement import Placement
from striate.attack.random_points import RandomPoints
from striate.attack.sampling import stratified
from striate.attack.siege import Tried
from striate.attack.signs import Sign
from striate.attack.single_pixel import SinglePixel
from striate.attack.spatial import Motion, Spatial
from striate.attack.square import Square
from striate.attack.universal import Universal
from striate.attack.victim import Victim

__all__ = [
    "APGDCE",
    "APGDT",
    "ATTACKS",
    "BIM",
    "FABT",
    "FGSM",
    "L0",
    "L1",
    "L2",
    "MIFGSM",
    "PGD",
    "AdversarialPatch",
    "Attack",
    "Ball",
    "BallAttack",
    "CarliniWagner",
    "Change",
    "Colour",
    "Curve",
    "DeepFool",
    "Draws",
    "Ensemble",
    "Evaluation",
    "Goal",
    "Invariance",
    "LayerShift",
    "Light",
    "Linf",
    "Masking",
    "Measured",
    "Motion",
    "Patch",
    "Placement",
    "RadiusPoint",
    "RandomPoints",
    "Sign",
    "SinglePixel",
    "Spatial",
    "Square",
    "Targeted",
    "Tried",
    "Universal",
    "Untargeted",
    "Victim",
    "Worst",
    "changes_for",
    "evaluate",
    "invariance",
    "layer_shifts",
    "masking",
    "parse_ball",
    "stratified",
]
