"""Train the feature networks in src/striate/gan/weights, by which generated images are scored and watched.

    python scripts/train_feature_networks.py [NAME ...]             # all of them where none is named
    python scripts/train_feature_networks.py NAME --out DIRECTORY   # elsewhere

Each is a classifier, trained on the training part and kept from its last step, so that nothing was chosen by
any other image; its accuracy on the test part is written into its file. The seeds are fixed, but on another
machine roundings differ, and so do the bytes. What is printed at the end goes into `EMBEDDED` of
`striate.gan.embedded_networks`: a file that scores were told by is never replaced; a new one has a new name.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

import striate
from striate.classifier import Classifier, load
from striate.core.errors import unknown_name
from striate.core.tensors import save_tensors
from striate.data import Dataset
from striate.gan.embedded_networks import EmbeddedNetwork
from striate.metrics import accuracy

TARGET = Path(__file__).resolve().parents[1] / "src" / "striate" / "gan" / "weights"


@dataclass(frozen=True)
class Plan:
    """How a feature network is trained.

    Args:
        data: the named set.
        layers: of the network, in the words of ``stacked``.
        epochs: how long.
        seed: of everything random.
    """

    data: str
    layers: str
    epochs: int
    seed: int


PLANS = {
    "striate-digits-v1": Plan("digits", "conv24,conv48,max2,conv96,conv64,mean", epochs=60, seed=11),
    "striate-fashion-v1": Plan(
        "fashion-mnist", "whitek4s2,conv48,max2,conv64,conv96,mean", epochs=12, seed=12
    ),
    "striate-fashion-watch-v1": Plan(
        "fashion-mnist", "conv24,max2,conv48,max2,conv64,max", epochs=8, seed=13
    ),
}


def main() -> None:
    """Train those that are named, and print their hashes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PLANS)}; default: all")
    parser.add_argument("--out", type=Path, default=TARGET, help="default: where the package has them")
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in PLANS:
            parser.error(unknown_name("feature network", name, PLANS))
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or PLANS:
        path = chosen.out / f"{name}.safetensors"
        write(path, trained(PLANS[name]))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f'    "{name}": "{digest}",  # {path.stat().st_size:,} bytes', flush=True)


def trained(plan: Plan) -> EmbeddedNetwork:
    """Train a feature network.

    Args:
        plan: how.

    Returns:
        It, its weights in half precision.
    """
    data = striate.open_dataset(plan.data)
    with tempfile.TemporaryDirectory() as folder:
        run = striate.train(
            data,
            out=Path(folder, "run"),
            model="stacked",
            layers=plan.layers,
            epochs=plan.epochs,
            seed=plan.seed,
            # Smoothed labels draw the features of a class together, which scores are to tell apart.
            label_smoothing=0.0,
            average_mirrored=False,
            device="cpu",
        )
        classifier = load(run.path / "last.safetensors", device="cpu", precision="float32")
    tensors = {
        key: tensor.half()
        for key, tensor in classifier.network.state_dict().items()
        if tensor.is_floating_point()
    }
    classifier.network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()}, strict=False)
    shown = classifier.preprocessing
    return EmbeddedNetwork(
        model=classifier.model,
        arguments=classifier.arguments,
        classes=classifier.classes,
        mean=shown.mean,
        std=shown.std,
        size=shown.size[0],
        channels=shown.channels,
        test_accuracy=round(accuracy_on_test(classifier, data), 4),
        trained=f"on the {len(data.train):,} training images of {plan.data}, {plan.epochs} epochs, seed "
        f"{plan.seed}, by scripts/train_feature_networks.py",
        tensors=tensors,
    )


def accuracy_on_test(classifier: Classifier, data: Dataset) -> float:
    """Measure a classifier on the test part.

    Args:
        classifier: with the weights that the file will have.
        data: that it was trained on.

    Returns:
        The share of images that it names rightly.
    """
    assert data.test is not None
    found = accuracy(classifier.logits(data.test.images), torch.from_numpy(data.test.labels))
    print(f"test accuracy {found:.4f} of {len(data.test):,} images", flush=True)
    return found


def write(path: Path, network: EmbeddedNetwork) -> None:
    """Write a feature network to its file.

    Args:
        path: the file.
        network: what it is to hold.
    """
    save_tensors(path, dict(network.tensors), network.to_metadata())


if __name__ == "__main__":
    main()
