"""Models of measurements: which sweeps are fitted, what is said beside what was measured, how it is kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.facts import Ceiling, Environment, Measurement, MeasurementSet, Sample
from toolkit.facts.models import Model, Prediction
from toolkit.laws.forms import scalability_rate, transfer_s
from toolkit.measurement.models import models_of


def measured(
    metric: str, rates: list[float], unit: str = "images_per_s", ceiling: float | None = None, **conditions: Any
) -> Measurement:
    samples = tuple(
        Sample(
            invocation=n, order=n, started_at="", elapsed_s=1.0, cpu_s=1.0, operations=1, payload_bytes=1, images=1, value=rate
        )
        for n, rate in enumerate(rates)
    )
    middle = float(np.median(rates))
    limit = None if ceiling is None else Ceiling(metric="ceiling.x", value=ceiling, explanation="")
    return Measurement(
        metric=metric, title=metric, unit=unit, conditions=conditions, samples=samples, median=middle, interval_low=min(rates),
        interval_high=max(rates), ceiling=limit, bytes_per_image=100_000.0,
    )  # fmt: skip


def sweep(name: str, levels: list[int], rate: Any, **more: Any) -> list[Measurement]:
    random = np.random.default_rng(0)
    return [
        measured("read.random", list(rate(level) * np.exp(0.02 * random.standard_normal(6))), **{name: level}, **more)
        for level in levels
    ]


def is_inside(said: Prediction) -> bool:
    assert said.value is not None
    assert said.low is not None
    assert said.high is not None
    return said.low < said.value < said.high


def said_at(model: Model, level: float) -> Prediction:
    said = model.at(level)
    assert said is not None
    return said


def test_a_sweep_of_threads_is_fitted_and_predicted_beside_what_was_measured() -> None:
    (model,) = models_of(sweep("threads", [1, 2, 4, 8, 16], lambda n: scalability_rate(n, 50.0, 0.05, 0.0), cache="warm"))
    assert (model.swept, model.unit, dict(model.conditions)) == ("threads", "images_per_s", {"cache": "warm"})
    for said in model.predictions[:5]:
        assert said.measured is not None
        assert not said.is_beyond_data
        assert said.value == pytest.approx(said.measured, rel=0.05)
        assert is_inside(said)
    twice = model.at(32.0)
    assert twice is not None
    assert twice.is_beyond_data
    assert twice.measured is None
    assert twice.value == pytest.approx(scalability_rate(32, 50.0, 0.05, 0.0), rel=0.15)
    assert said_at(model, 256.0).value is None


def test_a_sweep_of_sizes_gives_latency_and_bandwidth() -> None:
    levels = [4096, 65536, 2**20, 2**23]
    (model,) = models_of(
        sweep("read_bytes", levels, lambda size: size / transfer_s(size, 1e-3, 2e9), unit="bytes_per_s", depth=1)
    )
    assert (model.law, model.unit) == ("Hockney", "s")
    assert model.parameters["latency_s"] == pytest.approx(1e-3, rel=0.05)
    assert model.parameters["bandwidth_bytes_per_s"] == pytest.approx(2e9, rel=0.1)
    assert said_at(model, 4096.0).value == pytest.approx(said_at(model, 4096.0).measured, rel=0.05)


@pytest.mark.parametrize("members", [{"depth": 16}, {"streams": 4}, {"threads": 8, "nodes": 2}])
def test_the_latency_of_a_request_is_not_divided_by_those_in_flight_beside_it(members: dict[str, int]) -> None:
    count = int(np.prod(list(members.values())))
    levels = [4096, 65536, 2**20, 2**23]
    (model,) = models_of(
        sweep("range_bytes", levels, lambda size: count * size / transfer_s(size, 1e-3, 2e8), unit="bytes_per_s", **members)
    )
    assert model.parameters["latency_s"] == pytest.approx(1e-3, rel=0.05)
    assert model.parameters["bandwidth_bytes_per_s"] == pytest.approx(2e8, rel=0.1)


def test_predictions_stay_under_the_ceiling() -> None:
    found = sweep("streams", [1, 2, 4], lambda n: 100.0 * n, ceiling=450.0)
    (model,) = models_of(found)
    assert said_at(model, 8.0).value == said_at(model, 8.0).high == 450.0


def test_what_differs_in_more_than_one_condition_or_has_two_levels_is_not_fitted() -> None:
    found = sweep("threads", [1, 2], lambda n: 10.0 * n) + sweep("threads", [4], lambda n: 10.0 * n, cache="cold")
    assert models_of(found) == ()


def loader_and_stages(loader_rate: float = 900.0) -> list[Measurement]:
    return [
        measured("read.sequential", [3e8, 3e8, 3.1e8], unit="bytes_per_s", cache="warm"),
        measured("hash.sha256", [1.5e9, 1.5e9, 1.5e9], unit="bytes_per_s"),
        measured("decode.core", [500.0, 510.0, 490.0], output="full size"),
        measured("loader.decoded", [loader_rate] * 3, workers=2, output="full size", verify=True, cache="warm"),
    ]


def test_the_roofline_of_a_loader_stands_beside_what_it_did() -> None:
    roofline, shared = models_of(loader_and_stages())
    assert roofline.law == "stage roofline"
    assert "decode binds" in roofline.title
    assert roofline.parameters == pytest.approx(
        {"read_images_per_s": 6000, "hash_images_per_s": 30_000, "decode_images_per_s": 1000}
    )
    (said,) = roofline.predictions
    assert (said.value, said.measured) == (pytest.approx(1000), 900.0)
    assert is_inside(said)
    assert shared.predictions[0].value == pytest.approx(2 / (1 / 3000 + 1 / 15_000 + 1 / 500))


def test_a_loader_is_held_against_stages_with_as_many_threads_where_they_were_measured() -> None:
    """Two readers are not twice one, nor all cores as many times one: what was measured goes before what would be hoped."""
    wide = [
        measured("read.row_groups", [4e8] * 3, unit="bytes_per_s", cache="warm", threads=2),
        measured("read.row_groups", [9e8] * 3, unit="bytes_per_s", cache="warm", threads=8),
        measured("decode.all_cores", [800.0] * 3, output="full size", threads=2),
        measured("hash.crc32", [6e9] * 3, unit="bytes_per_s", threads=1),
    ]
    *stages, loader = loader_and_stages()
    roofline, shared = models_of([*stages, *wide, loader])
    assert roofline.parameters == pytest.approx(
        {"read_images_per_s": 4000, "hash_images_per_s": 30_000, "decode_images_per_s": 800}
    )
    assert shared.predictions[0].value == pytest.approx(2 / (2 / 4000 + 1 / 15_000 + 2 / 800))
    pages = dataclasses.replace(loader, conditions=dict(loader.conditions) | {"verify": "pages"})
    assert models_of([*stages, *wide, pages])[0].parameters["hash_images_per_s"] == pytest.approx(120_000)


def test_models_survive_their_file_and_older_files_have_none(tmp_path: Path) -> None:
    found = tuple(sweep("threads", [1, 2, 4, 8], lambda n: 50.0 * n) + loader_and_stages())
    kept = MeasurementSet(
        dataset="d", dataset_version=0, plan="quick", started_at="", elapsed_s=1.0, environment=Environment(host="h", facts={}),
        measurements=found, models=models_of(found),
    )  # fmt: skip
    assert len(kept.models) == 3
    assert MeasurementSet.load(kept.save(tmp_path / "m.json")).models == kept.models
    older = kept.to_dict()
    del older["models"]
    assert MeasurementSet.from_dict(older).models == ()
