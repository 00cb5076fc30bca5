"""The order of an epoch, over any sizes: nothing lost, nothing twice, and each rank reads little more than its share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolkit.dataset.order import Order, epoch_windows, share_of

COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def given_rows(counts: list[int], order: Order, position: int = 0) -> list[tuple[int, int]]:
    """Return (group, row) in the order in which a rank gives them."""
    rows = []
    for window in epoch_windows(counts, order, position):
        held = [(piece.group, row) for piece in window.pieces for row in range(piece.start, piece.stop)]
        rows += [held[at] for at in window.order]
    return rows


@given(COUNTS, st.integers(1, 12), st.booleans(), st.integers(0, 5), st.integers(1, 9))
def test_the_shares_of_all_ranks_are_every_row_once(counts, world_size, is_shuffled, epoch, window_groups) -> None:
    shares = [
        given_rows(
            counts, Order(epoch=epoch, is_shuffled=is_shuffled, rank=rank, world_size=world_size, window_groups=window_groups)
        )
        for rank in range(world_size)
    ]
    every = [(group, row) for group, count in enumerate(counts) for row in range(count)]
    assert sorted(row for share in shares for row in share) == every
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    if not is_shuffled:
        assert [row for share in shares for row in share] == every


@given(COUNTS, st.integers(1, 12))
def test_equal_shares_leave_out_less_than_one_image_a_rank(counts, world_size) -> None:
    shares = [given_rows(counts, Order(rank=rank, world_size=world_size, is_equal=True)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {sum(counts) // world_size}
    assert len({row for share in shares for row in share}) == world_size * (sum(counts) // world_size)


@given(COUNTS, st.integers(1, 4), st.integers(0, 3), st.data())
def test_an_epoch_goes_on_exactly_where_it_was_stopped(counts, world_size, epoch, data) -> None:
    order = Order(epoch=epoch, rank=data.draw(st.integers(0, world_size - 1)), world_size=world_size, window_groups=3)
    whole = given_rows(counts, order)
    position = data.draw(st.integers(0, len(whole)))
    assert given_rows(counts, order, position) == whole[position:]


@given(COUNTS, st.integers(1, 12))
def test_all_ranks_together_open_each_group_once_and_one_more_at_each_cut(counts, world_size) -> None:
    opened = [
        piece.group
        for rank in range(world_size)
        for window in epoch_windows(counts, Order(rank=rank, world_size=world_size))
        for piece in window.pieces
    ]
    assert len(opened) <= len(counts) + world_size - 1


def test_rows_are_mixed_over_the_whole_dataset_and_anew_in_each_epoch() -> None:
    counts = [64] * 64
    orders = [given_rows(counts, Order(epoch=epoch)) for epoch in (0, 1)]
    assert orders[0] != orders[1]
    places = np.array([group * 64 + row for group, row in orders[0]])
    # 64 groups in random order have a correlation near 0 (standard error 1/8); an order that follows the shards has 1
    assert abs(np.corrcoef(places, np.arange(len(places)))[0, 1]) < 0.4
    neighbours = np.abs(np.diff(places)) == 1
    assert neighbours.mean() < 0.02


def test_a_share_is_empty_where_there_are_more_ranks_than_images() -> None:
    assert [share_of(2, Order(rank=rank, world_size=4)) for rank in range(4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert given_rows([2], Order(rank=0, world_size=4)) == []
