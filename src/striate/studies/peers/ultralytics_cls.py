# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0", "torchvision==0.28.0", "ultralytics==8.4.190"]
# ///
"""Ultralytics' smallest YOLO11 classifier, trained from scratch on a folder by its documented call.

``YOLO("yolo11n-cls.yaml").train(data=FOLDER, epochs=..., imgsz=...)`` with its defaults, such as batches of
16; images at their own size, which it rounds up to a multiple of 32; float32 on a CPU.

What differs: it is trained from scratch, where the documentation begins with weights of ImageNet, since all
sides begin without; its clock stands still while it validates and saves after each epoch, and it draws no
plots, which spares it that time. Its rates follow the budget, so that each budget is a process of its own.

Source: the pages on classification and on the set Fashion-MNIST at docs.ultralytics.com.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "Ultralytics' YOLO11n classifier from scratch, with its defaults: batches of 16"
LIBRARIES = ("torch", "torchvision", "ultralytics")
IMPORTS = ("ultralytics", "torchvision")
# It would look for updates, and install what it misses.
ENVIRONMENT: dict[str, str] = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
BUDGETS: tuple[tuple[float, ...], ...] = ((3,),)
FOLDER = True


def train(job: Job) -> None:
    """Train the classifier once, for the last budget."""
    with tempfile.TemporaryDirectory() as scratch:
        from ultralytics import YOLO

        job.use_torch()
        model = YOLO("yolo11n-cls.yaml", task="classify")
        model.add_callback("on_train_epoch_start", lambda _: job.begin())
        model.add_callback("on_train_epoch_end", lambda _: job.pause())
        epochs = round(max(job.epochs))
        common: dict[str, Any] = {
            "data": str(job.folder),
            "imgsz": max(job.images("train").shape[2:]),
            "device": "cpu",
            "workers": job.threads,
            "project": scratch,
            "plots": False,
        }
        model.train(epochs=epochs, seed=job.seed, name="train", **common)
        job.measure(epochs, lambda: float(model.val(split="test", name="test", **common).top1))
