"""A model file gives back the classifier, bit for bit, and a bad one gives a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from striate.classifier import Classifier, Preprocessing, load, read_header
from striate.core.device import Policy
from striate.core.errors import DeviceError, ModelFileError, RunError
from striate.models import build


@pytest.fixture
def path(tmp_path: Path, classifier: Classifier) -> Path:
    classifier.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def changed(path: Path, metadata: dict[str, object] | None = None, tensors=None, drop: str = "") -> Path:
    """Rewrite a model file with other texts or tensors; texts that are no strings become JSON."""
    with safe_open(path, "pt") as file:
        texts = file.metadata()
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no mapping)
    for name, value in (metadata or {}).items():
        texts[name] = value if isinstance(value, str) else json.dumps(value)
    texts.pop(drop, None)
    for name, tensor in (tensors or {}).items():
        state.pop(name, None)
        if tensor is not None:
            state[name] = tensor
    texts.pop("layouts")
    save_file(state, path, texts)
    return path


@pytest.mark.parametrize("channels_last", [True, False])
def test_everything_comes_back(tmp_path: Path, classifier: Classifier, channels_last: bool) -> None:
    classifier.network.to(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    ).train()
    classifier.save(tmp_path / "model.safetensors")
    back = load(tmp_path)  # as a run directory
    assert not back.training
    for name in ("model", "arguments", "classes", "preprocessing", "temperature"):
        assert getattr(back, name) == getattr(classifier, name), name
    assert {**back.details, **classifier.details} == back.details
    assert back.details["versions"]["torch"].startswith(torch.__version__.partition("+")[0])
    state = back.network.state_dict()
    for name, tensor in classifier.network.state_dict().items():
        assert torch.equal(state[name], tensor), name
        assert state[name].stride() == tensor.stride(), name
        assert state[name].dtype == tensor.dtype, name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_come_back_bit_for_bit(tmp_path: Path, classifier: Classifier, precision: str) -> None:
    classifier.policy = Policy("cpu", precision, True, "as the test asks")
    classifier.save(tmp_path / "model.safetensors")
    images = torch.randint(0, 256, (5, 3, 12, 10), dtype=torch.uint8)
    back = load(tmp_path / "model.safetensors", device="cpu", precision=precision)
    back.policy = classifier.policy
    assert torch.equal(back.logits(images), classifier.logits(images))


# Of each family the smallest member: the largest would write half a gigabyte each.
FAMILIES = ("compact-small", "lenet", "mlp", "mnist-convnet", "plain20", "preactresnet18", "resnet18")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_the_catalogue_comes_back(tmp_path: Path, name: str) -> None:
    arguments = {"classes": 2, "channels": 1, "size": [32, 32]}
    made = Classifier(
        build(name, **arguments),
        model=name,
        arguments=arguments,
        classes=("a", "b"),
        preprocessing=Preprocessing((32, 32), 1, (0.5,), (0.2,)),
    )
    made.save(tmp_path / "model.safetensors")
    images = torch.rand(1, 1, 32, 32)
    assert torch.equal(load(tmp_path).logits(images), made.logits(images))


def test_loading_leaves_the_random_stream_alone(path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load(path)
    assert torch.equal(torch.rand(3), expected)


def test_a_loaded_classifier_can_be_trained_on(path: Path) -> None:
    back = load(path, precision="float32").train()
    back(torch.rand(4, 3, 12, 10)).sum().backward()
    assert all(parameter.grad is not None for parameter in back.network.parameters())


def test_saving_again_keeps_the_versions_that_made_the_weights(path: Path) -> None:
    back = load(path)
    back.details["versions"]["torch"] = "2.11"
    back.save(path)
    assert read_header(path).details["versions"]["torch"] == "2.11"


def test_a_header_is_read_without_torch(path: Path) -> None:
    code = (
        "import sys; from striate.classifier import read_header; "
        "print(read_header(sys.argv[1]).model); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "compact-small\n"


def test_every_cut_is_found(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole), 1 + len(whole) // 50):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"cut short|not a safetensors"):
            load(path)


def test_a_pickle_is_refused(tmp_path: Path, classifier: Classifier) -> None:
    torch.save(classifier.state_dict(), tmp_path / "model.pth")
    with pytest.raises(ModelFileError, match="pickle"):
        load(tmp_path / "model.pth")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no model file"):
        load(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="no finished run"):
        load(tmp_path)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "theirs.safetensors")
    with pytest.raises(ModelFileError, match="not a classifier that striate saved"):
        load(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"format_version": "3"}, "newer"),
        ({"format_version": "1.0"}, "format version"),
        ({"format_version": "²"}, "format version"),
        ({"model": '"compact-smal"'}, "no model 'compact-smal'"),
        ({"model": ["compact-small"]}, "'model' in its header is of a wrong kind"),
        ({"arguments": "{"}, "'arguments' in its header is not JSON"),
        ({"arguments": "[" * 100_000}, "'arguments' in its header is not JSON"),
        ({"arguments": {"classes": 10**12}}, "an argument of 1e\\+12"),
        ({"arguments": {"classes": 4}}, "names 3 classes for a network of 4"),
        ({"arguments": {"channels": 10**12}}, "an argument of 1e\\+12"),
        ({"arguments": {"channels": {}}}, "of a wrong kind"),
        ({"arguments": {"widths": [1] * 1000}}, "1000 arguments"),
        ({"arguments": {"classes": 3, "channels": 3}}, "cannot be built"),
        ({"arguments": {"classes": 3, "channels": 3, "size": [12, 10], "deep": 3}}, "cannot be built"),
        ({"arguments": {"classes": 3, "channels": 3, "size": [64, 64]}}, "differ in size"),
        ({"arguments": {"classes": 3, "channels": 1, "size": [12, 10]}}, "differ in channels"),
        ({"classes": ["a", "b"]}, "names 2 classes for a network of 3"),
        ({"classes": ["a", "b", 3]}, "class names are not texts"),
        ({"classes": []}, "class names are not texts"),
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": "NaN"}, "temperature is nan"),
        ({"temperature": "true"}, "wrong kind"),
        ({"preprocessing": {"size": [12, 10]}}, "preprocessing is damaged"),
        ({"details": []}, "wrong kind"),
    ],
)
def test_a_wrong_header_is_refused(path: Path, metadata: dict[str, object], sentence: str) -> None:
    changed(path, metadata)
    with pytest.raises(ModelFileError, match=sentence) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("size", [0, 4], "size is"),
        ("size", [10**9, 4], "size is"),
        ("size", [4, 4, 4, 4], "size is"),
        ("size", [4], "its network and its preprocessing differ in size"),
        ("channels", 10**6, "channels is"),
        ("channels", True, "channels is"),
        ("mean", [0.1], "mean has 1 values for 3"),
        ("std", [0.0, 1.0, 1.0], "over 0"),
        ("std", ["a", "b", "c"], "finite numbers"),
        ("fill", [0, 0, 256], "0 to 255"),
        ("fit", "croop", "did you mean 'crop'"),
        ("colour", 1, "preprocessing is damaged"),
    ],
)
def test_a_wrong_preprocessing_is_refused(path: Path, name: str, value: object, sentence: str) -> None:
    changed(path, {"preprocessing": {**read_header(path).preprocessing.to_dict(), name: value}})
    with pytest.raises(ModelFileError, match=sentence):
        load(path)


@pytest.mark.parametrize("name", ["model", "arguments", "classes", "preprocessing", "temperature", "details"])
def test_a_missing_text_is_said(path: Path, name: str) -> None:
    changed(path, drop=name)
    with pytest.raises(ModelFileError, match=f"lacks '{name}'"):
        load(path)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"head.bias": None}, "lacks the tensor 'head.bias'"),
        ({"head.bias": None, "head.weight": None}, "and 1 more"),
        ({"tail.bias": torch.ones(3)}, "'tail.bias' too many"),
        ({"head.bias": torch.ones(4)}, "'head.bias' is F32 4, where F32 3 is wanted"),
        ({"head.bias": torch.ones(3, dtype=torch.int64)}, "is I64 3, where F32 3"),
        ({"head.bias": torch.ones(3, dtype=torch.float16)}, "is F16 3, where F32 3"),
        ({"head.bias": torch.ones(())}, "is F32 scalar"),
    ],
)
def test_wrong_tensors_are_refused(path: Path, tensors: dict[str, torch.Tensor], sentence: str) -> None:
    changed(path, tensors=tensors)
    with pytest.raises(ModelFileError, match=sentence):
        load(path)


def test_a_huge_network_is_refused_before_it_has_memory(path: Path) -> None:
    # 4096 x 4096 pixels make a deeper compact network; its weights would be allocated if not checked first.
    arguments = {"classes": 3, "channels": 3, "size": [4096, 4096]}
    preprocessing = {**read_header(path).preprocessing.to_dict(), "size": [4096, 4096]}
    changed(path, {"arguments": arguments, "preprocessing": preprocessing})
    with pytest.raises(ModelFileError, match="does not fit the network"):
        load(path)


def test_what_cannot_be_written_is_said(tmp_path: Path, classifier: Classifier) -> None:
    with pytest.raises(RunError, match="No such file or directory"):
        classifier.save(tmp_path / "absent" / "model.safetensors")


def test_an_absent_device_is_said(path: Path) -> None:
    with pytest.raises(DeviceError, match="did you mean 'cpu'"):
        load(path, device="cpv")
