"""How sizes, counts and receptive fields are written, in tables and in pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from striate.geometry.fields import ReceptiveField
from striate.geometry.traced import Fields, Trace

_UNITS = ("", "k", "M", "G", "T", "P", "E")


def spelled_shape(shape: Sequence[int]) -> str:
    """Write a shape.

    Args:
        shape: sizes.

    Returns:
        Such as ``64x56x56``.

    >>> spelled_shape((64, 56, 56))
    '64x56x56'
    """
    return "x".join(map(str, shape))


def spelled_count(count: int) -> str:
    """Write a count with three digits and a unit.

    Args:
        count: at least 0.

    Returns:
        Such as ``1.81 G``.

    >>> spelled_count(1814073344), spelled_count(900), spelled_count(999_999)
    ('1.81 G', '900', '1 M')
    """
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}".strip()


def spelled_bytes(count: int) -> str:
    """Write an amount of memory with three digits and a unit.

    Args:
        count: bytes, at least 0.

    Returns:
        Such as ``3.21 MB``.

    >>> spelled_bytes(3211264), spelled_bytes(40)
    ('3.21 MB', '40 B')
    """
    text = spelled_count(count)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def spelled_fields(fields: Fields | None, figure: Callable[[ReceptiveField], str]) -> str:
    """Write one figure of the receptive fields of a layer.

    Args:
        fields: one an axis.
        figure: of one field.

    Returns:
        Once where all axes agree, else one an axis; ``?`` where unknown; empty where there is none.
    """
    texts = ["?" if field is None else figure(field) for field in fields or ()]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def spelled_size(field: ReceptiveField) -> str:
    """Write the size of a receptive field.

    Args:
        field: along one axis.

    Returns:
        Its elements, or ``all`` where it is the whole input.
    """
    return "all" if field.whole else str(field.size)


def spelled_jump(field: ReceptiveField) -> str:
    """Write how far a receptive field moves from one element to the next.

    Args:
        field: along one axis.

    Returns:
        Input elements, as a fraction where they are one; empty where all elements see the same.
    """
    return str(field.jump) if field.jump else ""


def spelled_offset(field: ReceptiveField) -> str:
    """Write where the receptive field of the first element begins.

    Args:
        field: along one axis.

    Returns:
        The position, negative in the padding; empty where the field is the whole input.
    """
    return "" if field.whole else str(field.offset)


def spelled_totals(trace: Trace) -> list[str]:
    """Say what a network comes to.

    Args:
        trace: of the network.

    Returns:
        Sentences without a full stop: counts, and what the last feature map sees.
    """
    said = [
        f"{trace.parameters:,} parameters, {spelled_count(trace.multiply_adds)} multiply-adds and "
        f"{spelled_bytes(trace.activation_bytes)} of activations for one image"
    ]
    if trace.unused_parameters:
        said.append(f"{trace.unused_parameters:,} of the parameters are not used in evaluation")
    final = trace.final_field
    if final:
        field, jump = spelled_fields(final, spelled_size), spelled_fields(final, spelled_jump)
        said.append(
            f"each element of the last feature map sees {field} input elements along an axis, {jump} apart"
        )
    return said
