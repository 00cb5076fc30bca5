"""Steps of several hosts into rates: to the first and the last that is done, who was late, and how well it scaled."""

from __future__ import annotations

import pytest

from toolkit.measurement.cluster import Step, levels, sampled_pairs, steps_of
from toolkit.measurement.cluster_findings import FIRST_DONE, LAST_DONE, cluster_findings
from toolkit.measurement.stages import Stage

STAGE = Stage(
    metric="read.sequential",
    title="Read",
    unit="bytes_per_s",
    family="read",
    limits="",
    conditions={"cache": "warm", "threads": 1},
)


def line(times: dict[str, float], invocation: int = 0, step: Step | None = None) -> dict[str, object]:
    results = {
        worker: {
            "started_at": "2026-01-01T00:00:00Z", "elapsed_s": elapsed_s, "cpu_s": 0.1, "wire": None, "cache": None, "released_s": 0.0,
            "tally": {"operations": 1, "payload_bytes": 100, "images": 1, "pixels": 0},
        }
        for worker, elapsed_s in times.items()
    }  # fmt: skip
    made = step or Step(kind="stage", workers=tuple(times), stage=STAGE)
    return {"invocation": invocation, "order": 0, "step": made, "results": results, "hosts": {worker: worker for worker in times}}


def test_the_slowest_decides_what_counts_to_the_last_done_and_is_named() -> None:
    alone = [line({"a": 1.0}, n) for n in range(3)]
    four = [line({"a": 1.0, "b": 1.0, "c": 1.0, "d": 2.0}, n) for n in range(3)]
    by = {(m.conditions["nodes"], m.conditions["counted"]): m for m in cluster_findings([*alone, *four], 10.0)}
    assert set(by) == {(1, LAST_DONE), (4, FIRST_DONE), (4, LAST_DONE)}
    assert by[1, LAST_DONE].median == 100
    assert by[4, FIRST_DONE].median == pytest.approx(350)
    assert by[4, LAST_DONE].median == pytest.approx(200)
    assert by[4, LAST_DONE].stragglers == ("d",)
    assert "stragglers" in by[4, LAST_DONE].flags
    assert by[4, LAST_DONE].ceiling is not None
    assert by[4, LAST_DONE].ceiling_share == pytest.approx(0.5)  # half of what four times one would be
    assert by[1, LAST_DONE].ceiling is None
    assert [node.value for node in by[4, LAST_DONE].samples[0].nodes] == [100, 100, 100, 50]


def test_nobody_is_late_who_is_late_once() -> None:
    lines = [line({"a": 1.0, "b": 1.0, "c": 2.0 if n == 0 else 1.0}, n) for n in range(5)]
    assert all(m.stragglers == () for m in cluster_findings(lines, 10.0))


def test_links_are_kept_by_their_direction_and_a_ring_is_held_against_single_links() -> None:
    pair = Step(kind="link", workers=("b",), sender={"b": "a"})
    back = Step(kind="link", workers=("a",), sender={"a": "b"})
    ring = Step(kind="link", workers=("a", "b"), sender={"a": "b", "b": "a"}, is_at_once=True)
    found = cluster_findings(
        [line({"b": 1.0}, step=pair), line({"a": 4.0}, step=back), line({"a": 2.0, "b": 2.0}, step=ring)], 10.0
    )
    links = {(m.conditions["from"], m.conditions["to"]): m.median for m in found if m.metric == "cluster.link"}
    assert links == {("a", "b"): 100.0, ("b", "a"): 25.0}
    at_once = next(m for m in found if m.metric == "cluster.links_at_once" and m.conditions["counted"] == LAST_DONE)
    assert at_once.median == 100
    assert at_once.ceiling is not None
    assert at_once.ceiling.value == pytest.approx(2 * 62.5)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33])
def test_every_host_takes_part_and_every_level_is_there(count: int) -> None:
    workers = [f"w{n}" for n in range(count)]
    assert levels(count)[0] == 1
    assert levels(count)[-1] == count
    for invocation in range(3):
        pairs = sampled_pairs(count, invocation)
        assert all(a != b for a, b in pairs)
        assert len(set(pairs)) == len(pairs) <= max(12, 2 * count)
        if count > 1:
            assert {a for a, _ in pairs} == {b for _, b in pairs} == set(range(count))
        steps = steps_of([STAGE], workers, invocation)
        assert sorted(len(step.workers) for step in steps if step.stage is not None) == sorted(levels(count))
        for step in steps:
            if step.is_at_once:
                assert sorted(step.sender) == sorted(step.sender.values())  # each sends once and receives once
    first = {next(s.workers[0] for s in steps_of([STAGE], workers, n) if s.stage and len(s.workers) == 1) for n in range(count)}
    assert first == set(workers)  # one host alone is not always the same one
