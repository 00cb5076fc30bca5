"""Edges connect exactly what all pairs within the distance connect, on any hashes, crowded or not, in any memory."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from toolkit.curation import neighbours
from toolkit.curation.neighbours import near_edges

HASHES = st.integers(0, 2**64 - 1)


def labels(count, left, right):
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def same_partition(one, other) -> bool:
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def brute(hashes, distance):
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= distance
    return np.nonzero(np.triu(near, 1))


def check(hashes, distance, **options) -> None:
    left, right = near_edges(hashes, distance, **options)
    assert (left < right).all()
    assert (np.bitwise_count(left ^ right) <= distance).all()
    assert len({(int(a), int(b)) for a, b in zip(left, right, strict=True)}) == len(left)
    ends = np.searchsorted(hashes, left), np.searchsorted(hashes, right)
    assert same_partition(labels(len(hashes), *ends), labels(len(hashes), *brute(hashes, distance)))


@settings(max_examples=80)
@given(
    st.lists(HASHES, min_size=1, max_size=30),
    st.lists(st.lists(st.integers(0, 63), max_size=6), max_size=60),
    st.integers(0, 8),
    st.data(),
)
def test_edges_connect_what_pairs_connect(seeds, flips, distance, data) -> None:
    made = list(seeds)
    for bits in flips:
        near = made[data.draw(st.integers(0, len(made) - 1))]
        for bit in bits:
            near ^= 1 << bit
        made.append(near)
    hashes = np.unique(np.array(made, dtype=np.uint64))
    check(hashes, distance)
    check(hashes, distance, memory_bytes=1 + len(hashes) * 8, threads=1)


def test_a_crowd_costs_one_edge_a_member_and_is_connected_exactly(monkeypatch) -> None:
    rng = np.random.default_rng(4)
    monkeypatch.setattr(neighbours, "_LONG_RUN", 8)
    monkeypatch.setattr(neighbours, "_COMPARED", 5_000)
    crowds = []
    for centre in rng.integers(0, 2**64, 3, dtype=np.uint64):
        flips = np.zeros(500, dtype=np.uint64)
        for _ in range(6):
            flips ^= np.uint64(1) << rng.integers(0, 64, 500, dtype=np.uint64)
        crowds.append(centre ^ flips)
    hashes = np.unique(np.concatenate([*crowds, rng.integers(0, 2**64, 500, dtype=np.uint64)]))
    for distance in (2, 4, 6):
        check(hashes, distance)
    block = np.unique(rng.integers(0, 2**9, 400, dtype=np.uint64) << np.uint64(3))
    left, _ = near_edges(block, 4)
    pairs = len(brute(block, 4)[0])
    assert len(left) < pairs / 3


def test_no_hashes_and_one_hash_have_no_edges() -> None:
    for count in (0, 1):
        left, right = near_edges(np.arange(count, dtype=np.uint64), 4)
        assert len(left) == len(right) == 0
