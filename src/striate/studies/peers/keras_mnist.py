# /// script
# requires-python = ">=3.11"
# dependencies = ["keras==3.15.1", "numpy==2.4.6", "tensorflow-cpu==2.21.0"]
# ///
"""Keras's simple MNIST convnet on TensorFlow, from its description: two convolutions, dropout, Adam.

Convolutions of 32 and 64 filters of 3x3 with rectifiers, maximum pooling of 2 after each, dropout of 0.5 and
a dense layer; Adam at Keras's default rate; batches of 128, 15 epochs; images in [0, 1]; float32.

What differs: it is not validated after each epoch, which spares it that time. Its rate does not depend on its
budget, so that each epoch is a budget of its own.

Source: the code example "Simple MNIST convnet" of keras.io.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "Keras 3's simple MNIST convnet on tensorflow-cpu: two convolutions, Adam, batches of 128"
LIBRARIES = ("keras", "tensorflow-cpu")
IMPORTS = ("tensorflow", "keras")
ENVIRONMENT: dict[str, str] = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
BUDGETS: tuple[tuple[float, ...], ...] = (tuple(range(1, 16)),)
FOLDER = False

BATCH = 128


def train(job: Job) -> None:
    """Train the convnet for as many epochs as the last budget has, and measure it at each."""
    import keras
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(job.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(job.threads)
    keras.utils.set_random_seed(job.seed)
    images, test_images = (
        job.images(part).transpose(0, 2, 3, 1).astype("float32") / 255 for part in ("train", "test")
    )
    labels, test_labels = (
        keras.utils.to_categorical(job.labels(part), job.classes) for part in ("train", "test")
    )
    job.begin()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Flatten(), layers.Dropout(0.5), layers.Dense(job.classes, activation="softmax")),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    for epoch in range(1, round(max(job.epochs)) + 1):
        model.fit(images, labels, batch_size=BATCH, initial_epoch=epoch - 1, epochs=epoch, verbose=0)
        if epoch in job.epochs:
            job.measure(
                epoch,
                lambda: float(model.evaluate(test_images, test_labels, batch_size=1000, verbose=0)[1]),
                operations=lambda: operations(images.shape[1:], job.classes),
            )


def operations(shape: tuple[int, int, int], classes: int) -> float:
    """Count the floating-point operations of training on one image of height x width x channels."""
    height, width, channels = shape
    first = (height - 2) * (width - 2) * 32 * 9 * channels
    height, width = (height - 2) // 2 - 2, (width - 2) // 2 - 2
    second = height * width * 64 * 9 * 32
    dense = (height // 2) * (width // 2) * 64 * classes
    # Forward, by the weights and by the input, which nobody needs of the images.
    return 2.0 * (3 * (first + second + dense) - first)
