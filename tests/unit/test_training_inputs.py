"""What goes into training follows what it is of: precision, optimizer, megapixels, bytes, and the drives that are bought."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SAMPLE
from reporting_facts import measurement, measurements
from reporting_facts import profile as made_profile

import toolkit
from toolkit.cli import run
from toolkit.errors import ScenarioError
from toolkit.projection.result import Projection

SMALL: dict[str, Any] = {
    "name": "small", "horizon_months": 1, "dataset": {"images": 1_281_167, "image_size": "110 kB", "pixels": "0.3 Mpx"},
    "growth": {"kind": "linear", "images_per_month": 100_000, "uncertainty": 0}, "training": {"epochs": 90, "deadline": "4 h"},
}  # fmt: skip


def asked(draws: int = 60, **parts: dict[str, Any]) -> Projection:
    changed = SMALL | {name: SMALL.get(name, {}) | part for name, part in parts.items()}
    found: Projection = toolkit.project(changed, draws=draws)
    return found


def given(projection: Projection, name: str) -> float:
    return dict(projection.assumptions.select("name", "value").iter_rows())[name]


@pytest.fixture(scope="module")
def by_precision() -> dict[str, Projection]:
    return {name: asked(training={"precision": name, "accelerator_count": 8}) for name in ("fp32", "tf32", "bf16", "fp16", "fp8")}


def test_a_published_rate_holds_for_its_own_precision_alone(by_precision: dict[str, Projection]) -> None:
    times = {name: found.value("training.elapsed_s") for name, found in by_precision.items()}
    assert times["fp32"] > 1.5 * times["tf32"] > 1.5 * 1.5 * times["bf16"] > 1.1 * times["fp8"]
    assert times["bf16"] == times["fp16"]
    # 67 of 989 TFLOPS: arithmetic alone would take 15 times as long, memory alone twice
    assert 2 < times["fp32"] / times["bf16"] < 15


def test_memory_and_checkpoints_follow_the_precision_and_the_optimizer(by_precision: dict[str, Projection]) -> None:
    memory = {name: found.value("training.memory_bytes") for name, found in by_precision.items()}
    assert memory["fp32"] == pytest.approx(2 * memory["bf16"], rel=0.05)
    assert memory["fp8"] < memory["bf16"]
    params = 25.6e6
    for precision, optimizer, state, checkpoint in (
        ("fp32", "adam", 16, 12), ("fp32", "sgd", 12, 8), ("bf16", "adam", 16, 14), ("bf16", "sgd", 12, 8), ("fp8", "adam", 15, 13),
    ):  # fmt: skip
        found = asked(5, training={"precision": precision, "optimizer": optimizer})
        assert found.value("training.device_state_bytes") == pytest.approx(state * params), (precision, optimizer)
        assert found.value("training.checkpoint_bytes") == pytest.approx(checkpoint * params), (precision, optimizer)


def test_what_a_precision_does_to_accuracy_is_said(by_precision: dict[str, Projection]) -> None:
    for name, found in by_precision.items():
        said = [limit for limit in found.limits if f" {name}: " in limit]
        assert len(said) == 1
        assert "bits" in said[0]


def test_activations_of_a_transformer_are_counted_from_its_shape() -> None:
    """Published: 34 + 5 a s / h bytes for each token, width and layer (arXiv 2205.05198, eq. 2)."""
    found = asked(5, training={"model": "vit_b16"})
    assert given(found, "model.activation_bytes") == pytest.approx(197 * 768 * 12 * (34 + 5 * 12 * 197 / 768))
    assert "counted from its shape" in str(found.explain("training.memory_bytes"))


def test_an_encoder_that_is_run_and_not_trained_takes_time() -> None:
    kept, run = (asked(5, training={"model": name}) for name in ("dit_xl2", "dit_xl2_encoding"))
    assert run.value("training.flop") / kept.value("training.flop") == pytest.approx(1 + 2 * 136 / (6 * 118.64), rel=1e-3)
    assert given(run, "device.utilisation_share") == given(kept, "device.utilisation_share")
    assert run.value("training.needed_count") >= kept.value("training.needed_count")


def test_cores_that_decode_follow_the_pixels_and_the_format() -> None:
    rates = [given(asked(5, dataset={"pixels": f"{size} Mpx"}), "supply.core_images_per_s") for size in (0.003, 0.3, 3, 300)]
    assert rates == sorted(rates, reverse=True)
    assert 600 < rates[1] < 800  # measured: 700 of 0.29 Mpx and 106 kB
    assert rates[1] / rates[2] == pytest.approx(10, rel=0.05)
    assert rates[0] < 100 * rates[1]  # however small, an image takes its time
    png = asked(5, dataset={"format": "png"})
    assert given(png, "supply.core_images_per_s") < rates[1] / 2
    assert any("PNG of 0.3 Mpx" in flag for flag in png.flags)


def test_what_curation_takes_beside_decoding_follows_the_bytes() -> None:
    light, heavy = (asked(5, dataset={"pixels": "1 Mpx", "image_size": size, "format": "tiff"}) for size in ("1 MB", "100 MB"))
    seconds = [found.value("curation.examination_s") / found.value("curation.batch_images") for found in (light, heavy)]
    assert seconds[1] - seconds[0] == pytest.approx(99e6 * 1.6e-9, rel=0.15)


def test_no_batch_moves_faster_than_its_link_or_the_storage() -> None:
    archive = toolkit.project(SAMPLE / "scenarios" / "medical_archive.yaml", draws=50)
    assert archive.value("bandwidth.curation_bytes_per_s") <= 5e9 * 1.001  # stated: what the archive's vendor says it gives
    assert archive.value("curation.elapsed_s") > 30
    slow = asked(20, dataset={"image_size": "50 MB", "format": "tiff"}, network={"node_link": "1 Gb/s"})
    assert slow.value("bandwidth.curation_bytes_per_s") <= 0.125e9 * 1.1


def test_a_measured_rate_is_taken_as_it_is_and_scaled_to_other_images() -> None:
    measured, profile = measurements(measurement("decode.core", "decoding", "images_per_s", 640.0)), made_profile()
    plain = {"name": "x", "horizon_months": 1}
    own = toolkit.project(plain, profile, measured, draws=20)
    assert given(own, "supply.core_images_per_s") == pytest.approx(640)
    other = toolkit.project(plain | {"dataset": {"pixels": 20 * profile.mean_pixels}}, profile, measured, draws=20)
    assert given(other, "supply.core_images_per_s") == pytest.approx(640 / 20, rel=0.15)
    assert "scaled to" in str(other.explain("curation.elapsed_s"))
    pngs = dataclasses.replace(profile, formats={"PNG": profile.image_count})
    unmeasured = toolkit.project(plain, pngs, draws=20)
    assert any("is assumed for PNG" in flag for flag in unmeasured.flags)


def test_a_checkpoint_is_written_by_all_nodes_to_all_drives() -> None:
    small = asked(20, training={"accelerator_count": 8})
    large = asked(20, training={"accelerator_count": 64}, dataset={"images": 1e9, "image_size": "500 kB"})
    assert small.value("bandwidth.storage_write_bytes_per_s") <= 12.5e9  # one node's link
    assert large.value("bandwidth.storage_write_bytes_per_s") > 50e9
    assert large.value("bandwidth.storage_write_bytes_per_s") <= 8 * 12.5e9  # eight nodes' links
    assert large.value("training.restore_s") < small.value("training.restore_s")


def test_a_machine_that_is_named_brings_its_devices_cores_and_price() -> None:
    rented = asked(5, training={"accelerator": "h100_sxm", "instance": "p5_48xlarge", "processor": "xeon_8480"})
    assert given(rented, "price.device_usd_per_s") == pytest.approx(55.04 / 8 / 3600)
    assert given(rented, "training.devices_per_node") == 8
    assert given(rented, "training.cores_per_node") == 2 * 56
    assert "AWS p5.48xlarge" in str(rented.explain("training.cost_usd"))
    with pytest.raises(ScenarioError, match=r"'training.instance' \('p4d_24xlarge'\): has 8 x a100_sxm_40gb, not 8 x h100_sxm"):
        asked(5, training={"accelerator": "h100_sxm", "instance": "p4d_24xlarge"})
    with pytest.raises(ScenarioError, match=r"not 4 x h100_sxm"):
        asked(5, training={"accelerator": "h100_sxm", "instance": "p5_48xlarge", "accelerators_per_node": 4})


def test_draws_and_seed_can_be_given_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(yaml.safe_dump(SMALL))
    told = []
    for seed in ("1", "1", "2"):
        assert run(["project", str(scenario), "--draws", "20", "--seed", seed, "--json"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] != told[2]
    assert run(["project", str(scenario), "--draws", "0"]) == 2
