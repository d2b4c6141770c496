"""Without a GPU, what is to be replayed is called, and every mark is past."""

from __future__ import annotations

import pytest
import torch

from striate.engine.replaying import Mark, host_tensor, on_device, replayable, waiting_refused


def test_without_a_gpu_work_is_called_and_only_when_it_is_asked_for() -> None:
    calls: list[str] = []
    repeat = replayable(lambda: calls.append("work"), device="cpu", before=lambda: calls.append("before"))
    assert calls == []
    repeat()
    repeat()
    assert calls == ["work", "work"]


def test_without_a_gpu_nothing_is_waited_for() -> None:
    mark = Mark("cpu")
    mark.wait()
    assert mark.is_past()
    with on_device("cpu"):
        assert not host_tensor(2, 3, dtype=torch.int64, device="cpu").is_pinned()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_recorded_work_is_repeated_and_waiting_is_refused() -> None:
    from striate.core.errors import TrainingError

    total, step = torch.zeros(1, device="cuda"), torch.zeros(1, device="cuda")

    def work() -> None:
        step.add_(1)
        total.add_(step)

    repeat = replayable(work, device="cuda", before=step.zero_)
    total.zero_()
    step.zero_()
    for _ in range(3):
        repeat()
    assert total.item() == 6
    with pytest.raises(TrainingError, match="wait"), waiting_refused():
        total.item()
    with pytest.raises(TrainingError, match="wait"):
        replayable(lambda: total.item(), device="cuda")
