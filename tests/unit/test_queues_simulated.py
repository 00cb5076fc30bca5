"""Queues held against a simulation of their events that knows nothing of the formulas: arrivals, servers, departures."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from statistics import fmean, quantiles

import pytest

from toolkit.projection import inference, queueing


def waits_of(
    arrivals_per_s: float, servers: int, draw_service: Callable[[random.Random], float], count: int = 60_000, seed: int = 3
) -> list[float]:
    """Return the waits of customers served in order of arrival, event by event."""
    chance = random.Random(seed)
    free_at = [0.0] * servers
    heapq.heapify(free_at)
    now, waits = 0.0, []
    for _ in range(count):
        now += chance.expovariate(arrivals_per_s)
        start = max(now, heapq.heappop(free_at))
        heapq.heappush(free_at, start + draw_service(chance))
        waits.append(start - now)
    return waits[count // 10 :]


def blocked_share_of(arrivals_per_s: float, places: int, hold_s: float, count: int = 120_000) -> float:
    """Return the share of streams that find every place taken and leave."""
    chance = random.Random(5)
    leaving: list[float] = []
    now, lost = 0.0, 0
    for _ in range(count):
        now += chance.expovariate(arrivals_per_s)
        while leaving and leaving[0] <= now:
            heapq.heappop(leaving)
        if len(leaving) == places:
            lost += 1
        else:
            heapq.heappush(leaving, now + chance.expovariate(1 / hold_s))
    return lost / count


def batch_latencies_of(
    arrivals_per_s: float, single_s: float, offline_per_s: float, largest: int, count: int = 60_000, variation: float = 1.0
) -> list[float]:
    """Return latencies of a server that takes all that wait, up to the largest batch; two kinds of events, one clock."""
    chance = random.Random(11)
    arrivals = deque[float]()
    now = 0.0
    for _ in range(count):
        now += chance.gammavariate(1 / variation, variation / arrivals_per_s)
        arrivals.append(now)
    waiting, busy, done_at, found = deque[float](), list[float](), 0.0, list[float]()
    while arrivals or waiting or busy:
        if arrivals and (not busy or arrivals[0] <= done_at):
            now = arrivals[0]
            waiting.append(arrivals.popleft())
        else:
            now = done_at
            found += [now - came for came in busy]
            busy = []
        if not busy and waiting:
            busy = [waiting.popleft() for _ in range(min(largest, len(waiting)))]
            done_at = now + single_s + (len(busy) - 1) / offline_per_s
    return found[count // 10 :]


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (2, 0.8), (8, 0.75)])
def test_random_service_waits_as_erlang_c_says(servers: int, load: float) -> None:
    found = waits_of(load * servers, servers, lambda chance: chance.expovariate(1.0), count=200_000)
    assert fmean(found) == pytest.approx(queueing.mmc_wait(servers, load * servers, 1.0), rel=0.08)
    waiting = sum(wait > 0 for wait in found) / len(found)
    assert waiting == pytest.approx(queueing.erlang_c(servers, load * servers), rel=0.04)
    beyond = sum(wait > 1.0 for wait in found) / len(found)
    assert beyond == pytest.approx(queueing.mmc_wait_tail(servers, load * servers, 1.0, 1.0), rel=0.1)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_constant_service_waits_half_as_long(load: float) -> None:
    found = fmean(waits_of(load, 1, lambda chance: 1.0))
    assert found == pytest.approx(float(queueing.md1_wait(load, 1.0)), rel=0.06)


@pytest.mark.parametrize(("servers", "load"), [(2, 0.8), (4, 0.7)])
def test_constant_service_on_several_servers_waits_about_as_cosmetatos_says(servers: int, load: float) -> None:
    found = fmean(waits_of(load * servers, servers, lambda chance: 1.0, count=150_000))
    assert found == pytest.approx(queueing.mdc_wait(servers, load * servers, 1.0), rel=0.08)


def test_service_of_any_spread_waits_as_pollaczek_and_khinchin_say() -> None:
    # half of the services take 0.2 s, half 1.8 s: mean 1, squared variation 0.64
    found = fmean(waits_of(0.7, 1, lambda chance: 0.2 if chance.random() < 0.5 else 1.8, count=200_000))
    assert found == pytest.approx(float(queueing.mg1_wait(0.7, 1.0, 0.64)), rel=0.06)


@pytest.mark.parametrize(("places", "offered"), [(10, 5.0), (10, 9.0)])
def test_streams_that_hold_a_place_alone_are_turned_away_as_erlang_b_says(places: int, offered: float) -> None:
    assert blocked_share_of(offered / 30, places, 30.0) == pytest.approx(queueing.erlang_b(places, offered), rel=0.1)


@pytest.mark.parametrize(("load", "largest"), [(0.3, 8), (0.7, 8), (0.85, 32)])
def test_a_server_that_takes_batches_is_as_late_as_the_projection_says(load: float, largest: int) -> None:
    single_s, offline = 0.004, 1500.0
    rate = float(f"{load * largest / (single_s + (largest - 1) / offline):.3g}")
    found = batch_latencies_of(rate, single_s, offline, largest)
    ours = inference.latencies(rate, single_s, offline, largest)
    cuts = quantiles(found, n=100)
    assert ours.p50_s == pytest.approx(cuts[49], rel=0.05)
    assert ours.p95_s == pytest.approx(cuts[94], rel=0.10)
    assert ours.p99_s == pytest.approx(cuts[98], rel=0.15)


def test_the_capacity_under_an_objective_holds_in_the_simulation_and_little_more_does_not() -> None:
    single_s, offline, largest, objective_s = 0.004, 1500.0, 8, 0.03
    held = inference.capacity_at(objective_s, single_s, offline, largest)
    assert quantiles(batch_latencies_of(held * 0.97, single_s, offline, largest), n=100)[98] <= objective_s
    assert quantiles(batch_latencies_of(held * 1.04, single_s, offline, largest), n=100)[98] > objective_s


@pytest.mark.parametrize(("load", "variation"), [(0.5, 4.0), (0.7, 2.0), (0.7, 0.25)])
def test_arrivals_in_bursts_or_more_even_are_as_late_as_the_projection_says(load: float, variation: float) -> None:
    single_s, offline, largest = 0.004, 1500.0, 8
    rate = float(f"{load * largest / (single_s + (largest - 1) / offline):.3g}")
    cuts = quantiles(batch_latencies_of(rate, single_s, offline, largest, count=120_000, variation=variation), n=100)
    ours = inference.latencies(rate, single_s, offline, largest, variation)
    assert ours.p50_s == pytest.approx(cuts[49], rel=0.08)
    assert ours.p99_s == pytest.approx(cuts[98], rel=0.2)


def test_the_burstier_arrivals_are_the_less_a_device_answers_within_its_objective() -> None:
    even, poisson, bursts = (inference.capacity_at(0.03, 0.004, 1500.0, 8, variation) for variation in (0.25, 1.0, 4.0))
    assert even > poisson > bursts > 0
    assert poisson == inference.capacity_at(0.03, 0.004, 1500.0, 8)
