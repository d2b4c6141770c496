"""Hashes of pictures turned in any way agree, and buckets find what comparing all pairs finds."""

import numpy as np
import pytest
from scipy.fft import dctn

from striate.data.hashing import (
    CROPS,
    MOST_BITS,
    TURNS,
    WHOLE,
    Buckets,
    candidates,
    hashes,
    seen_through,
    turned,
)
from striate.data.sketching import sketch


@pytest.fixture(scope="module")
def greys(photo_like):
    return sketch(np.stack([np.asarray(photo_like(seed)).transpose(2, 0, 1) for seed in range(60)])).greys


def bits(values):
    return np.unpackbits(np.ascontiguousarray(values).view(np.uint8)).reshape(len(values), 64)


def test_the_first_hash_has_the_signs_of_the_cosine_transform(greys):
    found = bits(hashes(greys)[:, 0])
    for row in range(5):
        wanted = dctn(greys[row].astype(float), type=2)[:8, :8].ravel() > 0
        assert (found[row, 1:] == wanted[1:]).mean() > 0.98  # but for those near 0
    assert not found[:, 0].any()


def test_the_second_hash_says_where_it_grows_brighter():
    ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (1, 32, 1))
    assert bits(hashes(ramp)[:, 1]).all()
    assert not bits(hashes(turned(ramp, 2))[:, 1]).any()


def test_the_eight_turns_are_all_different_and_undone_by_each_other(greys):
    seen = {turned(greys[:1], turn).tobytes() for turn in range(TURNS)}
    assert len(seen) == TURNS
    for turn in range(TURNS):
        back = [other for other in range(TURNS) if (turned(turned(greys, turn), other) == greys).all()]
        assert len(back) == 1
        np.testing.assert_array_equal(hashes(turned(greys, turn), turn=back[0]), hashes(greys))


def test_brightness_and_contrast_change_little(greys):
    changed = np.clip(greys * 0.6 + 40, 0, 255).astype(np.uint8)
    differing = np.bitwise_count(hashes(greys) ^ hashes(changed))
    assert differing.mean() < 1.5


def test_a_window_shows_what_cropping_would(greys):
    top, left, height, width = CROPS[0]
    cropped = seen_through(greys, turn=0, window=(top, left, height, width))
    assert (
        np.bitwise_count(hashes(greys, window=CROPS[0]) ^ hashes(np.rint(cropped).astype(np.uint8))) <= 2
    ).all()


def test_buckets_find_what_comparing_all_pairs_finds(greys):
    random = np.random.default_rng(0)
    noisy = np.clip(greys + random.normal(0, 6, greys.shape), 0, 255).astype(np.uint8)
    base, queries = hashes(greys), hashes(noisy)
    first, second, differing = Buckets(base).pairs(queries)
    found: dict[tuple[int, int], int] = {}
    for a, b, number in zip(first.tolist(), second.tolist(), differing.tolist(), strict=True):
        found[a, b] = min(number, found.get((a, b), 64))
    for kind in (0, 1):
        quarters = [
            np.ascontiguousarray(values[:, kind]).view(np.uint16).reshape(-1, 4) for values in (base, queries)
        ]
        for a in range(len(base)):
            for b in range(len(base)):
                distance = int(np.bitwise_count(base[a, kind] ^ queries[b, kind]))
                if a != b and distance <= MOST_BITS and (quarters[0][a] == quarters[1][b]).any():
                    assert found[a, b] <= distance
    assert all(a != b for a, b in found)
    assert all(number <= MOST_BITS for number in found.values())


def test_candidates_say_how_the_second_picture_has_to_be_turned(greys):
    for turn in range(TURNS):
        both = np.concatenate([greys, turned(greys[:6], turn)])
        found = candidates(both, windows=(WHOLE,))
        pairs = {
            (int(a), int(b)): int(t) for a, b, t in zip(found.first, found.second, found.turn, strict=True)
        }
        for row in range(6):
            pair = (row, 60 + row) if (row, 60 + row) in pairs else (60 + row, row)
            seen = turned(both[[pair[1]]], pairs[pair])
            np.testing.assert_array_equal(seen, both[[pair[0]]])


def test_pairs_of_one_part_are_left_out_and_one_picture_has_none(greys):
    both = np.concatenate([greys[:5], greys[:5]])
    of_one_side = candidates(both, windows=(WHOLE,), parts=np.zeros(10, np.int64))
    assert len(of_one_side.first) == 0
    across = candidates(both, windows=(WHOLE,), parts=np.repeat([0, 1], 5))
    assert len(across.first) >= 5
    for few in (greys[:0], greys[:1]):
        assert len(candidates(few, windows=(WHOLE, *CROPS)).first) == 0
