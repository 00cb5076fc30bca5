"""Figures of measurements say what was proven: cold is what came from the device, and no title contradicts its own marks."""

from __future__ import annotations

from typing import Any

import pytest
import reporting_facts as facts

from toolkit.facts import CacheProof, Measurement
from toolkit.reporting.figures_measurements import measurement_figures
from toolkit.reporting.measurement_words import measurement_name


def read(title: str, rate: float, meant: str, verdict: str, metric: str = "read.random", **changes: Any) -> Measurement:
    """A read that was meant to be of one cache state and proven to be of another."""
    import dataclasses

    usual = facts.measurement(metric, f"{title}, {meant}", "bytes_per_s", rate, 4e9, cache=meant, **changes)
    proof = CacheProof(intended=meant, verdict=verdict, evidence="read_bytes", device_bytes=0, payload_bytes=10**6)
    return dataclasses.replace(usual, samples=tuple(dataclasses.replace(s, cache=proof) for s in usual.samples))


def title(figure: Any) -> str:
    return str(figure.layout.title.text)


def test_a_read_that_was_not_proven_cold_is_not_drawn_as_cold() -> None:
    found = (
        read("Random read", 3e8, "cold", "warm"), read("Random read", 3e9, "warm", "warm"),
        read("Single files", 1e8, "cold", "cold", "read.raw_files"), read("Single files", 4e8, "warm", "warm", "read.raw_files"),
    )  # fmt: skip
    figure = measurement_figures(facts.measurements(*found))["cold_warm"]
    assert title(figure) == "Single files: 4 times as fast from memory as from the device"
    drawn = {trace.name: list(trace.x) for trace in figure.data if trace.name}
    assert drawn == {"proven cold: from the device": [1e8], "proven warm: from memory": [4e8]}
    assert figure.layout.meta["about"].endswith("Meant cold, but not proven so, and left out: Random read.")


def test_without_a_proven_cold_read_nothing_is_said_of_the_device() -> None:
    found = (read("Random read", 3e8, "cold", "mixed"), read("Random read", 3e9, "warm", "warm"))
    assert "cold_warm" not in measurement_figures(facts.measurements(*found))


def test_cold_and_warm_are_paired_only_under_the_same_conditions() -> None:
    one, eight = ({"cache": "cold", "threads": 1}, {"cache": "warm", "threads": 8})
    found = (
        read("Pieces", 3e8, "cold", "cold", conditions=one),
        read("Pieces", 3e9, "warm", "warm", conditions=eight),
    )
    assert "cold_warm" not in measurement_figures(facts.measurements(*found))


@pytest.mark.parametrize(
    ("meant", "verdict", "name"),
    [
        ("cold", "cold", "Random read, cold"),
        ("cold", "warm", "Random read, meant cold, found warm"),
        ("cold", "mixed", "Random read, meant cold, found partly from memory"),
        ("warm", "unverified", "Random read, meant warm, found unproven"),
    ],
)
def test_a_name_says_what_was_meant_and_what_was_found(meant: str, verdict: str, name: str) -> None:
    assert measurement_name(read("Random read", 1e9, meant, verdict)) == name


def test_the_slowest_stage_is_slower_than_every_mark_but_those_it_names() -> None:
    curated = facts.measurement("curate.write", "Curation of the last batch", "images_per_s", 3.3)
    figure = measurement_figures(facts.measurements(*facts.measurements().measurements, curated))["rates"]
    assert title(figure).startswith("The slowest stage on the way to training: Loader, decoded images, 37.2 MB/s")
    assert title(figure).endswith("; curation, which is done once, 81.4 kB/s")


def test_a_figure_of_rates_says_what_its_colours_are() -> None:
    figures = measurement_figures(facts.measurements())
    for name in ("ceilings", "rates"):
        named = {trace.name for trace in figures[name].data if trace.showlegend is not False}
        assert {"proven cold: from the device", "proven warm: from memory", "no cache in it, or none proven"} <= named, name
        assert figures[name].layout.showlegend


def test_whiskers_end_inside_the_axis_and_a_time_is_told_as_one() -> None:
    wide = facts.measurement("read.sequential", "Wide", "bytes_per_s", 1e9, 2e9, interval_high=4e11)
    first = facts.measurement("loader.time_to_first_batch", "First batch", "s", 0.2, 0.1, interval_low=1e-5)
    figure = measurement_figures(facts.measurements(wide, first))["ceilings"]
    end = figure.layout.xaxis.range[1]
    for trace in figure.data:
        for value, high in zip(trace.x, trace.error_x.array or [], strict=False):
            assert value + high <= end
    assert "cut where the axis ends" in figure.layout.meta["about"]
    assert any("200 ms at best 100 ms" in note.text for note in figure.layout.annotations)


def test_whiskers_of_rates_lie_on_the_logarithmic_axis() -> None:
    odd = facts.measurement("read.random", "Odd", "bytes_per_s", 1e6, 2e9, interval_low=-5.0, interval_high=7e10)
    figure = measurement_figures(facts.measurements(odd, *facts.measurements().measurements))["rates"]
    low, high = (10**end for end in figure.layout.xaxis.range)
    for trace in figure.data:
        for value, minus, plus in zip(trace.x, trace.error_x.arrayminus, trace.error_x.array, strict=True):
            assert low < value - minus <= value + plus < high


def test_names_are_whole_where_there_is_room() -> None:
    name = "Pieces of an image's size at random, 8 readers and more"
    figures = measurement_figures(facts.measurements(read(name, 1e8, "cold", "cold"), read(name, 1e9, "warm", "warm")))
    assert figures["cold_warm"].layout.meta["rows"] == [name]
    assert figures["rates"].layout.meta["rows"] == [f"{name}, warm", f"{name}, cold"]
