"""How strong and how fast attacks are beside foolbox, torchattacks and pyautoattack, and what verdicts say.

All of it on one network, trained here for Fashion-MNIST against single steps at an L-infinity radius of 0.1
(`attacked_networks.py`): so some images fall early, and others stand. Both sides get the same network,
images, radius, steps and threads, in float32, in one process, and take turns, round by round. A peer's batch
is the fastest of four, found on a quarter of the images; where speed is compared, it is also called as ours
is, with all images at once. Success is counted by one function: a wrong answer, inside the ball and [0, 1].
What is not named here is the peer's default.

- strength: FGSM, PGD, MI-FGSM, APGD and Square on the same images, and the median L2 of DeepFool and of
  Carlini and Wagner's attack. Wanted: as many successes, within one standard error, and no larger median.
- speed: PGD with 40 steps on the first 1,000 test images, of which a third falls early, wrong answers among
  them; also on a network with batch norms and pools that was trained alike. Wanted: half the time of each
  peer.
- ensemble: ours and pyautoattack's standard one on 200 images, paired. Wanted: at most one more survivor, and
  a third of the time.
- verdicts: what `striate.attack.evaluate` and `masking` say of this network, of one that was trained plainly,
  and of fake defences around that.

    python benchmarks/attacks.py                         # all of it
    python benchmarks/attacks.py --only speed --weights folder

With ``--weights`` networks are read from there, or written there after they were trained. Run speed and
ensemble with nothing else running. The peers are installed by pip: foolbox 3.3.4, torchattacks 3.5.1,
pyautoattack 0.2.0.

Speed, measured on 2 cores of a shared AMD EPYC, torch 2.13.0, nothing else running, ``--rounds 5``: on the
strided network ours takes 0.74 s (334 images fall); torchattacks 1.69 times as long at its best batch (330)
and 2.70 times as it is called (335), foolbox 2.11 (334) and 2.84 times (332). On the pooled one ours takes
3.48 s (322); torchattacks 2.22 (321) and 6.60 times as long (321), foolbox 2.49 (321) and 6.89 times (319).
On another such machine the strided network took 0.92 s, and the peers 1.75, 1.81, 2.83 and 2.08 times as
long (10 rounds). Ensemble, likewise, once: ours takes 8.3 s, pyautoattack 40.3 s, 4.84 times as long, and
the same 152 of 200 images stand.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from attacked_networks import EPS, NETWORKS, remembered, trained
from striate.attack import APGDCE, FGSM, L2, MIFGSM, PGD, BallAttack, CarliniWagner, DeepFool, Linf, evaluate
from striate.attack.ensemble import Ensemble
from striate.attack.square import Square

PARTS = ("strength", "speed", "ensemble", "verdicts")
PEERS = ("foolbox", "torchattacks", "pyautoattack")
QUERIES = 1000

Attacking = Callable[[Tensor, Tensor], Tensor]


def felled(network: nn.Module, clean: Tensor, changed: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Say which images fell inside the ball and [0, 1]."""
    with torch.no_grad():
        wrong = network(changed).argmax(dim=1) != labels
    inside = (changed - clean).flatten(1).abs().amax(dim=1) <= eps + 1e-6
    return wrong & inside & (changed.flatten(1).amin(1) >= 0) & (changed.flatten(1).amax(1) <= 1)


def distances(network: nn.Module, clean: Tensor, changed: Tensor, labels: Tensor) -> Tensor:
    """Give the L2 size of each change that fells its image; inf where none does."""
    with torch.no_grad():
        wrong = network(changed).argmax(dim=1) != labels
    return torch.where(wrong, (changed - clean).flatten(1).norm(dim=1), torch.inf)


def ours(network: nn.Module, attack: BallAttack) -> Attacking:
    """Give one of our attacks as a function of images and labels."""
    return lambda images, labels: attack(network, images, labels)


def of_torchattacks(network: nn.Module, name: str, **options: Any) -> Attacking:
    """Give an attack of torchattacks."""
    import torchattacks

    attack = getattr(torchattacks, name)(network, **options)
    return lambda images, labels: attack(images, labels).detach()


def of_foolbox(network: nn.Module, name: str, eps: float | None = EPS, **options: Any) -> Attacking:
    """Give an attack of foolbox."""
    import foolbox

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack = getattr(foolbox.attacks, name)(**options)
    return lambda images, labels: attack(model, images, labels, epsilons=eps)[1 if eps else 0].detach()


def in_batches(work: Attacking, batch: int) -> Attacking:
    """Attack some images at a time."""

    def parts(images: Tensor, labels: Tensor) -> Tensor:
        pairs = zip(images.split(batch), labels.split(batch), strict=True)
        return torch.cat([work(some, own) for some, own in pairs])

    return parts


def tuned(work: Attacking, images: Tensor, labels: Tensor) -> Attacking:
    """Give an attack with the batch that is fastest on a quarter of the images."""
    some, own = images[: max(1, len(images) // 4)], labels[: max(1, len(images) // 4)]
    choices = [in_batches(work, batch) for batch in (32, 64, 128, 250)]
    return min(choices, key=lambda choice: min(timed(lambda: choice(some, own))[0] for _ in range(2)))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Give the seconds that work takes, and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def there(*names: str) -> bool:
    """Say whether peers are installed."""
    return all(importlib.util.find_spec(name) for name in names)


def strength(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Print how many images fall to each side's attacks, and how far they had to be changed."""
    ball, alpha = Linf(EPS), 2.5 / 40
    pgd = {"eps": EPS, "alpha": alpha * EPS, "steps": 40}
    rows: list[tuple[str, Attacking, Attacking | None, Attacking | None]] = [
        (
            "FGSM",
            ours(network, FGSM(ball)),
            of_torchattacks(network, "FGSM", eps=EPS),
            of_foolbox(network, "LinfFastGradientAttack"),
        ),
        (
            "PGD, 40 steps",
            ours(network, PGD(ball, steps=40)),
            of_torchattacks(network, "PGD", **pgd),
            of_foolbox(network, "LinfProjectedGradientDescentAttack", rel_stepsize=alpha, steps=40),
        ),
        (
            "MI-FGSM, 10 steps",
            ours(network, MIFGSM(ball, steps=10)),
            of_torchattacks(network, "MIFGSM", eps=EPS, alpha=EPS / 10, steps=10),
            of_foolbox(network, "LinfMomentumIterativeFastGradientMethod", rel_stepsize=0.1, steps=10),
        ),
        (
            "APGD-CE, 100 steps",
            ours(network, APGDCE(ball, steps=100)),
            of_torchattacks(network, "APGD", eps=EPS, steps=100),
            None,
        ),
        (
            f"Square, {QUERIES:,} queries",
            ours(network, Square(ball, queries=QUERIES)),
            of_torchattacks(network, "Square", eps=EPS, n_queries=QUERIES),
            None,
        ),
    ]
    count = len(images)
    print(
        f"\n| attack | fell of {count}: striate | torchattacks | foolbox | standard error |\n"
        "|---|---|---|---|---|"
    )
    for name, *sides in rows:
        fell = [
            None if side is None else int(felled(network, images, side(images, labels), labels, EPS).sum())
            for side in sides
        ]
        share = max(each or 0 for each in fell) / count
        error = math.sqrt(count * share * (1 - share))
        print(
            f"| {name} | {' | '.join('' if each is None else str(each) for each in fell)} | {error:.1f} |",
            flush=True,
        )
    smallest(network, images[:200], labels[:200])


def smallest(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Print how far each side's attacks of smallest change had to go."""
    free = L2(math.inf)
    search = {"binary_search_steps": 6, "steps": 200, "stepsize": 0.01, "initial_const": 0.1}
    rows = [
        (
            "DeepFool",
            ours(network, DeepFool(free)),
            of_torchattacks(network, "DeepFool"),
            of_foolbox(network, "L2DeepFoolAttack", None),
        ),
        (
            "Carlini-Wagner, 6 weights, 200 steps",
            ours(network, CarliniWagner(free, weights=6, steps=200)),
            of_torchattacks(network, "CW", c=1, steps=200),
            of_foolbox(network, "L2CarliniWagnerAttack", None, **search),
        ),
    ]
    print(
        f"\n| attack, median L2 (fell) of {len(images)} | striate | torchattacks | foolbox |\n"
        "|---|---|---|---|"
    )
    for name, *sides in rows:
        sizes = [distances(network, images, side(images, labels), labels) for side in sides]
        cells = [f"{each.median():.4f} ({int(each.isfinite().sum())})" for each in sizes]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def speed(kind: str, network: nn.Module, images: Tensor, labels: Tensor, rounds: int) -> None:
    """Print how long PGD with 40 steps takes on each side with a kind of network."""
    alpha = 2.5 / 40
    peers = {
        "torchattacks": of_torchattacks(network, "PGD", eps=EPS, alpha=alpha * EPS, steps=40),
        "foolbox": of_foolbox(network, "LinfProjectedGradientDescentAttack", rel_stepsize=alpha, steps=40),
    }
    sides = {"striate": ours(network, PGD(Linf(EPS), steps=40))}
    for name, peer in peers.items():
        sides |= {f"{name}, its best batch": tuned(peer, images, labels), f"{name}, as it is called": peer}
    for side in sides.values():
        side(images[:64], labels[:64])
    took: dict[str, list[float]] = {name: [] for name in sides}
    fell = {}
    for _ in range(rounds):
        for name, side in sides.items():
            seconds, changed = timed(lambda side=side: side(images, labels))
            took[name].append(seconds)
            fell[name] = int(felled(network, images, changed, labels, EPS).sum())
    print(
        f"\n| PGD, 40 steps, {len(images):,} images, {kind} network | seconds (n = {rounds}) | fell | "
        "times as long |\n"
        "|---|---|---|---|"
    )
    for name, seconds in took.items():
        ratio = statistics.median(other / one for one, other in zip(took["striate"], seconds, strict=True))
        print(f"| {name} | {statistics.median(seconds):.2f} | {fell[name]} | {ratio:.2f} |")


def ensemble(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Print who survives each side's ensemble, and how long they take."""
    from pyautoattack import AutoAttack

    took, changed = timed(lambda: Ensemble(Linf(EPS))(network, images, labels))
    best = math.inf
    for batch in (64, 250):
        peer = AutoAttack(network, eps=EPS, norm="Linf", version="standard", seed=0)
        seconds, (other, _) = timed(
            lambda peer=peer, batch=batch: peer.run_standard_evaluation(images, labels, batch_size=batch)
        )
        best = min(best, seconds)
    mine = felled(network, images, changed, labels, EPS)
    yours = felled(network, images, other, labels, EPS)
    print(
        f"\nensemble on {len(images)} images: striate leaves {int((~mine).sum())} in {took:.1f} s, "
        f"pyautoattack {int((~yours).sum())} in {best:.1f} s, {best / took:.2f} times as long; only ours "
        f"left {int((~mine & yours).sum())}, only theirs {int((mine & ~yours).sum())}",
        flush=True,
    )


class Fake(nn.Module):
    """A network with a defence that hides its gradients, or itself behind chance."""

    def __init__(self, network: nn.Module, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, images: Tensor) -> Tensor:
        if self.kind == "input in 8 levels":
            images = (images * 7).round() / 7
        elif self.kind == "random noise of 0.2":
            images = images + 0.2 * torch.randn_like(images)
        elif self.kind == "rounded outside of torch":
            images = torch.from_numpy((images.detach().numpy() * 255).round() / 255).float()
        logits: Tensor = self.network(images)
        return logits * 1000 if self.kind == "logits times 1,000" else logits


FAKES = ("input in 8 levels", "logits times 1,000", "random noise of 0.2", "rounded outside of torch")


def verdicts(robust: nn.Module, plain: nn.Module, images: Tensor, labels: Tensor, seconds: float) -> None:
    """Print what an evaluation finds of honest networks and of fake defences."""
    subjects = {"trained against FGSM": robust, "trained plainly": plain}
    subjects |= {kind: Fake(plain, kind) for kind in FAKES}
    print(
        "\n| network | clean | robust (95 % interval), n | level | masking suspected by |\n"
        "|---|---|---|---|---|"
    )
    for name, network in subjects.items():
        found = evaluate(network, images, labels, ball=Linf(EPS), seconds=seconds)
        signs = "not looked for"
        if found.masking is not None:
            signs = ", ".join(sign.name for sign in found.masking.signs if sign.suspected) or "nothing"
        print(
            f"| {name} | {found.clean.value:.1%} | {found.robust.value:.1%} ({found.robust.low:.1%} to "
            f"{found.robust.high:.1%}), {found.images} | {found.level} | {signs} |",
            flush=True,
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts [default: all]")
    parser.add_argument("--weights", type=Path, help="the folder in which networks' weights are, or shall be")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each evaluation of the verdicts")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = options.only or PARTS
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PEERS if there(name)]
    print(f"torch {torch.__version__}, {', '.join(versions)}, {options.threads} threads", flush=True)
    import striate

    data = striate.open_dataset("fashion-mnist")
    known = torch.tensor(data.train.images).float() / 255, torch.tensor(data.train.labels).long()
    network = remembered(options.weights, "strided", known)
    images, labels = torch.tensor(data.test.images).float() / 255, torch.tensor(data.test.labels).long()
    with torch.no_grad():
        right = (network(images).argmax(dim=1) == labels).nonzero().squeeze(1)
    print(f"clean accuracy {len(right) / len(images):.2%}")
    some, own = images[right[: options.images]], labels[right[: options.images]]
    if "strength" in parts and there("foolbox", "torchattacks"):
        strength(network, some, own)
    if "speed" in parts and there("foolbox", "torchattacks"):
        for kind in NETWORKS:
            attacked = remembered(options.weights, kind, known)
            speed(kind, attacked, images[: options.images], labels[: options.images], options.rounds)
    if "ensemble" in parts and there("pyautoattack"):
        ensemble(network, some[:200], own[:200])
    if "verdicts" in parts:
        verdicts(network, trained(*known, eps=0.0), images[:1000], labels[:1000], options.seconds)


if __name__ == "__main__":
    main()
