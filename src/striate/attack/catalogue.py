"""The attacks by name, each as a function of the ball that it stays in."""

from __future__ import annotations

from collections.abc import Callable

from striate.attack.apgd import APGDCE, APGDT
from striate.attack.attack import Attack
from striate.attack.ball import Ball
from striate.attack.carlini_wagner import CarliniWagner
from striate.attack.colour import Colour
from striate.attack.deep_fool import DeepFool
from striate.attack.ensemble import Ensemble
from striate.attack.fab import FABT
from striate.attack.iterative import BIM, FGSM, MIFGSM
from striate.attack.patch import AdversarialPatch
from striate.attack.pgd import PGD
from striate.attack.single_pixel import SinglePixel
from striate.attack.spatial import Spatial
from striate.attack.square import Square
from striate.attack.universal import Universal

ATTACKS: dict[str, Callable[[Ball], Attack]] = {
    "fgsm": FGSM,
    "bim": BIM,
    "mi-fgsm": MIFGSM,
    "pgd": PGD,
    "apgd-ce": APGDCE,
    "apgd-t": APGDT,
    "deepfool": DeepFool,
    "carlini-wagner": CarliniWagner,
    "fab-t": FABT,
    "square": Square,
    "ensemble": Ensemble,
    "single-pixel": lambda ball: SinglePixel(ball, population=100, generations=30),
    "universal": Universal,
    "patch": lambda _: AdversarialPatch(),
    "spatial": lambda _: Spatial(),
    "colour": lambda _: Colour(),
}
"""Name -> the attack with its defaults, which take seconds on small networks; where an attack is defined for
one norm, it says so."""
