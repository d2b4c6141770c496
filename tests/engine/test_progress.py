"""What people see of events: a bar on terminals, lines elsewhere, and the terminal left as it was."""

from __future__ import annotations

import io
import re

import pytest

from striate.core.events import Event
from striate.engine.progress import LiveBar, PlainLines, describe, printable, terminal_progress

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-8][;m]")

EVENTS = (
    Event("prepare", {"what": "decoding images", "done": 1, "total": 2, "unit": "images"}),
    Event("prepare", {"what": "decoding images", "done": 2, "total": 2, "unit": "images"}),
    Event(
        "start",
        {
            "images": {"train": 1200, "test": 0},
            "compute": "cpu",
            "rejected": 0,
            "in_memory": True,
            "resident": False,
        },
    ),
    Event("step", {"step": 1, "loss": 2.25, "share": 0.1, "images_per_second": 5120.4, "seconds_left": 75.2}),
    Event("epoch", {"epoch": 1, "train_loss": 1.5, "validation_accuracy": 0.912, "learning_rate": 0.1}),
    Event("step", {"step": 2, "loss": 1.25, "share": 0.6, "images_per_second": None, "seconds_left": None}),
    Event("warning", {"message": "3 files [red]left[/red] out: a\nb\x1b[2J.png"}),
    Event("saved", {"path": "runs/x/curves.png"}),
    Event("done", {"accuracy": 0.9}),
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal and cannot write everything."""

    encoding = "ascii"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def shown(stream: io.StringIO) -> str:
    with terminal_progress(stream) as on_event:
        for event in EVENTS:
            on_event(event)
    return stream.getvalue()


def test_no_terminal_gets_lines() -> None:
    assert shown(io.StringIO()).splitlines() == [
        "   images  train 1,200, test 0",
        "  compute  cpu",
        "in memory  yes",
        " resident  no",
        "epoch 1: loss 1.5000, validation accuracy 91.20 %",
        "warning: 3 files [red]left[/red] out: a\\nb\\x1b[2J.png",
        "saved runs/x/curves.png",
    ]


def test_steps_get_a_line_when_it_is_time() -> None:
    stream = io.StringIO()
    reader = PlainLines(stream, seconds=0)
    for event in EVENTS[:4]:
        reader(event)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "decoding images: 1 of 2 images"
    assert lines[-1] == "training 10%: loss 2.2500, 5,120 images/s, 1:15 left"


def test_a_terminal_gets_a_bar_and_keeps_the_lines() -> None:
    text = shown(Terminal())
    assert "decoding images" in text
    assert "5,120 images/s, 1:15 left" in text
    assert "loss 1.2500, accuracy 91.2%" in text
    for line in ("compute  cpu", "epoch 1: loss 1.5000", "saved runs/x/curves.png"):
        assert line in text
    assert "[red]left[/red] out: a\\nb\\x1b[2J.png" in text
    assert text.count(HIDE) == text.count(SHOW) > 0


def test_the_cursor_comes_back_after_a_crash() -> None:
    stream = Terminal()
    broken = (EVENTS[3], Event("epoch", {}))  # a row that lacks its epoch
    with pytest.raises(KeyError, match="epoch"), terminal_progress(stream) as on_event:
        list(map(on_event, broken))
    text = stream.getvalue()
    assert text.rindex(SHOW) > text.rindex(HIDE)


def test_an_unknown_total_is_counted() -> None:
    stream = Terminal()
    with terminal_progress(stream) as on_event:
        on_event(Event("prepare", {"what": "fetching", "done": 2_500_000, "total": None, "unit": "bytes"}))
    assert "2.5 MB" in stream.getvalue()


def test_frames_are_few() -> None:
    stream = Terminal()
    with terminal_progress(stream) as on_event:
        for step in range(2000):
            on_event(Event("step", {"step": step, "loss": 1.0, "share": step / 2000}))
    assert stream.getvalue().count("training") < 100


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert COLOUR.search(shown(Terminal()))
    assert "\x1b" not in shown(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(shown(Terminal()))


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(terminal_progress(Terminal()), LiveBar)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(terminal_progress(Terminal()), PlainLines)


def test_what_a_stream_cannot_encode_is_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    PlainLines(stream)(Event("note", {"message": "naïve \udce9 猫"}))
    stream.seek(0)
    assert stream.read() == "note: na?ve \\udce9 ?\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"epoch": 1.5, "seconds": 3661.04}, "epoch 1.5: 3661.0 s"),
        (
            {"epoch": 3, "validation_accuracy": None, "train_accuracy": 1.0},
            "epoch 3: training accuracy 100.00 %",
        ),
    ],
)
def test_an_epoch_says_what_it_knows(data: dict[str, float | None], expected: str) -> None:
    assert describe(Event("epoch", data)) == expected


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b", "\u202e", "\x00", "\u2028"])
def test_nothing_unprintable_remains(sign: str) -> None:
    assert printable(f"a{sign}b").isprintable()


def test_words_stay_as_they_are() -> None:
    assert printable("naïve 猫 photo.png") == "naïve 猫 photo.png"
