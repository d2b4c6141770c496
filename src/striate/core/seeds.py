"""Seeds derived from one seed by name, so that no random stream depends on how another was used."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """Derive an independent seed from a seed and a path of names.

    A stream that is derived for (epoch, step) needs no generator state in a checkpoint: a resumed
    run derives the same seed again.

    Args:
        seed: the user's seed.
        names: what the stream is for, such as ``"order", 3``.

    Returns:
        An integer in [0, 2**63).

    >>> derive(0, "order", 1) == derive(0, "order", 1)
    True
    >>> derive(0, "order", 1) == derive(0, "order", 2)
    False
    """
    text = "\x00".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
