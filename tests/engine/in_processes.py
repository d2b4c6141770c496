"""What each of three processes checks of the world that they share; test_distributed.py starts them.

Writes ``RANK.json`` into the folder that is its argument: name of each check -> what was wrong, or nothing.
"""

from __future__ import annotations

import copy
import json
import sys
import traceback
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from striate.core.errors import DeviceError, ProcessError, RunError, TrainingError
from striate.engine import gradients
from striate.engine.gradients import SummedGradients
from striate.engine.synchronised_norm import SynchronisedNorm, synchronise_norms
from striate.engine.world import World, join

FOLDER = Path(sys.argv[-1])
UNEQUAL = [slice(0, 5), slice(5, 8), slice(8, 8)]
"""Shares of eight images, of which the last process has none."""


def refusal(call, kind: type[Exception]) -> str:
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def check_place(world: World) -> None:
    assert (world.size, world.place.local_rank, world.place.local_size) == (3, world.place.rank, 3)
    assert join() is world
    assert world.sum([world.is_writer]) == [1]


def check_figures_add_up(world: World) -> None:
    assert world.sum([world.place.rank + 1, 0.5, False]) == [6, 1.5, 0]
    assert world.told(world.place.rank + 7.25) == 7.25


def check_rows_come_from_all(world: World) -> None:
    torch.manual_seed(1)
    for count in (7, 2, 0):
        rows = torch.randn(count, 4)
        asked = []
        found = world.in_shares(count, lambda share, x=rows, said=asked: said.append(share) or x[share])
        assert found.equal(rows)
        assert asked == [world.share(count)]


def check_the_writer_acts(world: World) -> None:
    acted = []
    assert world.by_writer(lambda: acted.append(1)) == b""
    assert bool(acted) == world.is_writer
    assert world.by_writer(lambda: b"\0told") == b"\0told"


def check_the_writers_error_is_everyones(world: World) -> None:
    def fail() -> None:
        raise RunError("the disk is fuller than \udcff")

    assert refusal(lambda: world.by_writer(fail), RunError) == "the disk is fuller than \udcff"


def check_the_writers_file_is_everyones(world: World) -> None:
    path = FOLDER / "only-the-writer-has-it"
    if world.is_writer:
        path.write_bytes(bytes(range(256)))
    with world.file_of_writer(path) as found:
        assert (found == path) == world.is_writer
        assert found.read_bytes() == bytes(range(256))
    assert found.exists() == world.is_writer


def check_the_first_of_a_machine_goes_first(world: World) -> None:
    path = FOLDER / "prepared"
    with world.machine_first():
        assert path.exists() == (world.place.local_rank > 0)
        path.touch()


def check_an_error_of_the_first_does_not_hold_the_others(world: World) -> None:
    def prepare() -> None:
        with world.machine_first():
            raise RunError("no")

    refusal(prepare, RunError)


def check_tensors_are_the_writers(world: World) -> None:
    torch.manual_seed(world.place.rank)
    filters = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    count = torch.tensor(world.place.rank)
    strides = filters.stride()
    world.copy_from_writer([filters, count])
    torch.manual_seed(0)
    assert filters.equal(torch.randn(4, 3, 5, 5))
    assert filters.stride() == strides
    assert count == 0


def check_texts_are_compared(world: World) -> None:
    world.check_same({"the recipes": "a", "the data": "b"})
    other = {"the recipes": "a", "the data": "b" if world.place.rank < 2 else "c"}
    sentence = refusal(lambda: world.check_same(other), ProcessError)
    assert sentence.startswith("the data of 1 of the 3 processes differ")


def check_tensors_are_compared_bit_by_bit(world: World) -> None:
    torch.manual_seed(0)
    tensors = {
        "filters": torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last),
        "momentum": torch.full((2,), torch.nan),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "count": torch.tensor(3),
    }
    world.check_alike(tensors)
    if world.place.rank == 1:
        value = tensors["filters"][1, 2, 3, 4]
        value.copy_(torch.nextafter(value, torch.tensor(9.0)))
    sentence = refusal(lambda: world.check_alike(tensors), TrainingError)
    assert "filters differs" in sentence


def check_a_sentence_is_said_once(world: World) -> None:
    for sentence in ("one", "two"):
        assert world.sum([world.is_first_to_say(sentence)]) == [1]


def check_devices(world: World) -> None:
    assert world.own_device("cpu") == "cpu"
    assert "'cpu' works" in refusal(lambda: world.own_device("mps"), DeviceError)
    assert "cannot share" in refusal(lambda: world.own_device("cuda:1"), DeviceError)
    if torch.cuda.device_count() < 3:
        sentence = refusal(lambda: world.own_device("cuda"), DeviceError)
        assert sentence.startswith("there are 3 processes on this machine and")


def _norms() -> list[tuple[nn.Module, torch.Tensor]]:
    torch.manual_seed(2)
    images = torch.randn(8, 6, 5, 4) * 3 + 20
    return [
        (nn.BatchNorm1d(6), torch.randn(8, 6)),
        (nn.BatchNorm1d(6, momentum=None), torch.randn(8, 6, 7)),
        (nn.BatchNorm2d(6, momentum=0.4), images),
        (nn.BatchNorm2d(6, eps=1e-3), images.contiguous(memory_format=torch.channels_last)),
        (nn.BatchNorm2d(6, affine=False), images),
        (nn.BatchNorm2d(6, track_running_stats=False), images),
        (nn.BatchNorm3d(6), torch.randn(8, 6, 2, 3, 2)),
        (nn.BatchNorm2d(6).double(), images.double()),
    ]


def check_norms_are_those_of_the_whole_batch(world: World) -> None:
    for norm, images in _norms():
        for parameter in norm.parameters():
            nn.init.uniform_(parameter, 0.5, 2)
        network = nn.Sequential(copy.deepcopy(norm))
        names = list(network.state_dict())
        synchronise_norms(network, world, device="cpu")
        assert isinstance(network[0], SynchronisedNorm)
        assert list(network.state_dict()) == names
        mine = UNEQUAL[world.place.rank]
        towards = torch.randn_like(images)
        for _ in range(2):  # running figures are those of two batches
            whole = images.clone().requires_grad_()
            expected = norm(whole)
            expected.backward(towards)
            part = images[mine].clone().requires_grad_()
            found = network(part)
            found.backward(towards[mine])
            torch.testing.assert_close(found, expected[mine], rtol=1e-5, atol=1e-5)
            assert part.grad is not None
            assert whole.grad is not None
            torch.testing.assert_close(part.grad, whole.grad[mine], rtol=1e-5, atol=1e-5)
        for name, parameter in norm.named_parameters():
            gradient = network.get_parameter(f"0.{name}").grad.clone()
            world.add_up(gradient)
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-5, atol=1e-4)
        for name, buffer in norm.named_buffers():
            torch.testing.assert_close(network.get_buffer(f"0.{name}"), buffer, rtol=1e-5, atol=1e-6)
        if norm.track_running_stats:
            torch.testing.assert_close(network.eval()(images), norm.eval()(images), rtol=1e-5, atol=1e-5)


def check_norms_in_bfloat16(world: World) -> None:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(16)
    network = nn.Sequential(copy.deepcopy(norm))
    synchronise_norms(network, world, device="cpu")
    images = (torch.randn(8, 16, 9, 9) + 2).bfloat16().contiguous(memory_format=torch.channels_last)
    towards = torch.randn_like(images)
    whole, part = images.clone().requires_grad_(), images[UNEQUAL[world.place.rank]].clone().requires_grad_()
    expected, found = norm(whole), network(part)
    expected.backward(towards)
    found.backward(towards[UNEQUAL[world.place.rank]])
    assert found.dtype == part.grad.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected[UNEQUAL[world.place.rank]], rtol=0.01, atol=0.01)
    torch.testing.assert_close(part.grad, whole.grad[UNEQUAL[world.place.rank]], rtol=0.02, atol=0.02)
    torch.testing.assert_close(network[0].running_var, norm.running_var, rtol=1e-5, atol=1e-5)


def _network() -> nn.Sequential:
    torch.manual_seed(4)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5), nn.Linear(5, 3))
    network[0].to(memory_format=torch.channels_last)
    network[3].weight.requires_grad_(False)
    network.unused = nn.Parameter(torch.ones(3))
    return network


def _loss(network: nn.Sequential, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    features = images
    for layer in list(network)[:5]:
        features = layer(features)
    return F.cross_entropy(features, labels, reduction="sum") / 8


def check_gradients_add_up(world: World) -> None:
    gradients.BUCKET_BYTES = 64  # so that there are several buckets
    network, alone = _network(), _network()
    summed = SummedGradients(network.parameters(), world)
    assert len(summed._buckets) > 2
    mine = UNEQUAL[world.place.rank]
    for step in range(2):
        torch.manual_seed(step)
        images, labels = torch.randn(8, 1, 6, 6), torch.randint(3, (8,))
        _loss(network, images[mine], labels[mine]).backward()
        summed.collect()
        _loss(alone, images, labels).backward()
        named = dict(alone.named_parameters())
        for name, parameter in network.named_parameters():
            if named[name].grad is None:
                assert parameter.grad is None, name
            else:
                torch.testing.assert_close(parameter.grad, named[name].grad, rtol=1e-5, atol=1e-6)
        world.check_alike({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
        network.zero_grad(set_to_none=True)
        alone.zero_grad(set_to_none=True)


def main() -> None:
    world = join()
    found = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check(world)
                found[name] = ""
            except Exception:  # noqa: BLE001 (the test says it)
                found[name] = traceback.format_exc()
    (FOLDER / f"{world.place.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
