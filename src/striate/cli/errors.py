"""What a command ends with: its result, one sentence of an error, or the report of a defect of ours."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import typer

from striate.core.errors import StriateError
from striate.core.files import cache_directory, write_text
from striate.core.version import VERSION
from striate.engine.progress import printable
from striate.engine.world import is_first_to_say, place

INPUT_ERROR, DEFECT, INTERRUPTED, BROKEN_PIPE = 2, 70, 130, 1

# What typer raises for wrong usage is above its `BadParameter`; it has no public name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Interrupted(Exception):
    """Raised by a verb after Ctrl-C; the message says where that leaves the user."""


class Command(Protocol):
    """A command of typer."""

    def main(self, args: Sequence[str], *, prog_name: str, standalone_mode: bool) -> object:
        """Run on arguments; without ``standalone_mode`` errors pass, and an exit is returned."""


def run(command: Command, arguments: Sequence[str]) -> int:
    """Run a command and say what went wrong, if anything did, in one sentence on standard error.

    Args:
        command: all verbs.
        arguments: of this process; ``--debug`` may stand anywhere before ``--``.

    Returns:
        The exit status: 0; 2 for an error of the input, or where standard output cannot be written; 130
        after Ctrl-C; 1 where the reader of the output has gone; 70 for a defect of ours, whose traceback
        is then kept in a file.
    """
    debug, arguments = _without_debug(arguments)
    try:
        status = command.main(arguments, prog_name="striate", standalone_mode=False)
        sys.stdout.flush()
    except StriateError as error:
        _say_once(f"error: {_sentence(error)}")
        return INPUT_ERROR
    except _UsageError as error:
        return _usage(error)
    except Interrupted as error:
        if place().rank == 0:  # all are interrupted together
            _say(_sentence(error))
        return INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED  # which newer versions of typer give for Ctrl-C by themselves
    except BrokenPipeError:
        _drop_output()  # whoever read it has gone, which is no error
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 (the one place where a defect of ours ends up)
        if isinstance(error, OSError) and error.filename is None and (reason := _why_output_fails()):
            _drop_output()
            _say(f"error: cannot write the output: {reason}")
            return INPUT_ERROR
        return _defect(error, arguments, debug=debug)
    if status == INTERRUPTED:
        _say_once("interrupted")
    return status if isinstance(status, int) else 0


def _why_output_fails() -> str:
    """Say why standard output cannot be written, such as a full disk; nothing where it can."""
    try:
        # A line more, since Python forgets what it could not write.
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _drop_output() -> None:
    # What is still waiting must not be an error once more when the process ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _without_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(kept) < end, [*kept, *arguments[end:]]


def _usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "striate"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    _say_once(f"error: {_sentence(message)}; try '{path} --help'")
    return INPUT_ERROR


def _defect(error: Exception, arguments: Sequence[str], *, debug: bool) -> int:
    text = "".join(traceback.format_exception(error))
    if debug:
        _say(text)
        return DEFECT
    said = f"{type(error).__name__}: {_sentence(error)}"
    try:
        kept = _keep_traceback(text, arguments)
    except OSError as failure:
        _say(f"{text}\nthis is a defect of striate ({said}); its traceback cannot be kept: {failure}")
        return DEFECT
    _say(f"this is a defect of striate ({said}); its traceback is in {kept}, and --debug shows it at once")
    return DEFECT


def _keep_traceback(text: str, arguments: Sequence[str]) -> Path:
    folder = cache_directory() / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    command = shlex.join(["striate", *arguments])
    versions = f"striate {VERSION}, python {platform.python_version()}, {platform.platform()}"
    # A file name that is no text is written with its escapes.
    body = f"{command}\n{versions}\n\n{text}".encode("utf-8", "backslashreplace").decode()
    write_text(path, body)
    return path


def _sentence(error: object) -> str:
    """Bring a message to one line."""
    return printable(" ".join(str(error).split())).rstrip(".")


def _say_once(text: str) -> None:
    """Say what every process that torchrun started has to say, in one of them."""
    if is_first_to_say(text):
        _say(text)


def _say(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=sys.stderr)  # noqa: T201
