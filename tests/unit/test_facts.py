import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from toolkit.errors import DatasetError, MissingError
from toolkit.facts import (
    QUANTILE_SHARES,
    CacheProof,
    Ceiling,
    DatasetProfile,
    Environment,
    Measurement,
    MeasurementSet,
    NodeShare,
    Quantiles,
    Sample,
    VersionFacts,
    Wire,
    faults_of,
    statement_of,
)

SKETCH = Quantiles(count=2, mean=1.5, values=tuple(float(i) for i in range(len(QUANTILE_SHARES))))
VERSION = VersionFacts(
    version=0, committed_at="2026-01-01T00:00:00Z", kind="batch", batch="b", image_count=2, size_bytes=3, shard_count=1
)
PROFILE = DatasetProfile(
    name="d", location="/d", version=0, source_count=4, source_bytes=8, image_count=2, image_bytes=3, shard_count=1, shard_bytes=5,
    pixel_count=6, image_size_bytes=SKETCH, image_pixels=SKETCH, states={"kept": 2, "duplicate": 2}, reasons={"exact": 2},
    other_files={}, formats={"jpeg": 2}, modes={"RGB": 2}, labels={"<script>": 2}, label_count=1, splits={"train": 2},
    near_duplicate_group_count=0, near_duplicate_image_count=0, versions=(VERSION,), curation={"elapsed_s": 1.0},
)  # fmt: skip


def sample(invocation: int, value: float, cache: CacheProof | None = None) -> Sample:
    return Sample(
        invocation=invocation, order=0, started_at="2026-01-01T00:00:00Z", elapsed_s=1, cpu_s=1, operations=1,
        payload_bytes=10, images=1, value=value, cache=cache,
    )  # fmt: skip


def measured(verdicts: tuple[str, ...] = ("cold", "cold"), flags: tuple[str, ...] = ()) -> Measurement:
    proofs = [CacheProof(intended="cold", verdict=v, evidence="read_bytes", device_bytes=10, payload_bytes=10) for v in verdicts]
    return Measurement(
        metric="read.sequential", title="read", unit="bytes_per_s", conditions={"cache": "cold"},
        samples=tuple(sample(i, 5.0, proof) for i, proof in enumerate(proofs)), median=5.0, interval_low=4.0, interval_high=6.0,
        ceiling=Ceiling(metric="ceiling.device_read", value=10.0, explanation="the device"), flags=flags,
    )  # fmt: skip


SET = MeasurementSet(
    dataset="/d", dataset_version=0, plan="quick", started_at="2026-01-01T00:00:00Z", elapsed_s=2.0,
    environment=Environment(host="h", facts={"core_count": 2}), measurements=(measured(),),
)  # fmt: skip


def test_a_profile_survives_json() -> None:
    assert DatasetProfile.from_dict(json.loads(json.dumps(PROFILE.to_dict()))) == PROFILE
    assert (PROFILE.mean_image_bytes, PROFILE.kept_share) == (1.5, 0.5)
    assert SKETCH.median == QUANTILE_SHARES.index(0.5)


def test_a_profile_from_before_groups_were_looked_at_across_splits_still_loads() -> None:
    facts = PROFILE.to_dict()
    del facts["straddling_group_count"]
    assert DatasetProfile.from_dict(facts) == PROFILE


def test_measurements_survive_a_file_and_keep_every_sample(tmp_path: Path) -> None:
    path = SET.save(tmp_path / "deep" / "m.json")
    assert MeasurementSet.load(path) == SET
    samples = pl.read_parquet(path.with_suffix(".parquet"))
    assert samples.height == 2
    assert samples["cache_verdict"].to_list() == ["cold", "cold"]
    assert SET.frame().select("ceiling_share", "cache").row(0) == (0.5, "cold")


def test_what_a_transfer_took_and_who_did_what_survive_a_file(tmp_path: Path) -> None:
    wire = Wire(
        path="remote", interface="eth0", latency_p50_s=0.1, latency_p99_s=0.2, latency_mean_s=0.11, first_byte_p50_s=None,
        first_byte_p99_s=None, client_cpu_s=0.3, server_cpu_s=None, wire_bytes=11, retransmit_count=0, retransmit_evidence="snmp",
    )  # fmt: skip
    late = NodeShare(worker="tcp://b", host="b", elapsed_s=2, payload_bytes=5, images=1, value=2.5, is_straggler=True)
    nodes = (dataclasses.replace(late, worker="tcp://a", is_straggler=False), late)
    samples = (sample(0, 5.0), dataclasses.replace(sample(1, 5.0), wire=wire, nodes=nodes))
    together = dataclasses.replace(measured(), samples=samples)
    found = dataclasses.replace(SET, measurements=(together,))
    assert MeasurementSet.load(found.save(tmp_path / "m.json")) == found
    assert together.stragglers == ("tcp://b",)
    rows = pl.read_parquet(tmp_path / "m.parquet")
    assert rows["wire_wire_bytes"].to_list() == [None, 11]
    assert json.loads(rows["nodes"][1])[1]["worker"] == "tcp://b"


def test_a_file_from_before_transfers_told_more_still_loads() -> None:
    facts = json.loads(json.dumps(SET.to_dict()))
    for name in ("wire", "nodes"):
        del facts["measurements"][0]["samples"][0][name]
    assert MeasurementSet.from_dict(facts) == SET


def test_the_frame_of_no_measurements_is_empty() -> None:
    none = MeasurementSet(
        dataset="/d", dataset_version=0, plan="quick", started_at="", elapsed_s=0, environment=SET.environment, measurements=()
    )
    assert none.frame().is_empty()


def test_a_share_is_not_shown_against_an_understated_ceiling() -> None:
    assert measured().ceiling_share == 0.5
    assert measured(flags=("ceiling_understated",)).ceiling_share is None


def test_samples_that_disagree_on_the_cache_are_mixed() -> None:
    assert measured().cache_verdict == "cold"
    assert measured(("cold", "warm")).cache_verdict == "mixed"
    assert measured(()).cache_verdict == ""


def test_find_wants_every_condition() -> None:
    assert SET.find("read.sequential", cache="cold") is SET.measurements[0]
    assert SET.find("read.sequential", cache="warm") is None


def test_other_files_and_other_schemas_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no measurements file at"):
        MeasurementSet.load(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(DatasetError, match="cannot be read as a measurements file"):
        MeasurementSet.load(tmp_path / "text.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DatasetError, match="holds no JSON object"):
        MeasurementSet.load(tmp_path / "list.json")
    with pytest.raises(DatasetError, match=r"of schema 'tonnage.profile/1' was expected, but 'tonnage.measurements/1' was found"):
        DatasetProfile.from_dict(SET.to_dict())
    with pytest.raises(DatasetError, match="lacks 'name'"):
        DatasetProfile.from_dict({key: value for key, value in PROFILE.to_dict().items() if key != "name"})


def test_what_failed_is_told_once_for_each_reason() -> None:
    faults = {
        "transfer.object_get (streams 1)": "the endpoint is an emulator",
        "transfer.object_get (streams 4)": "the endpoint is an emulator",
        "device.read (depth 1)": "reads past the page cache are not possible on this filesystem",
        "contention": "no room",
    }
    found = dataclasses.replace(SET, environment=Environment(host="h", facts={"not_measured": faults}))
    assert faults_of(found) == (
        "transfer.object_get in 2 settings: the endpoint is an emulator",
        "device.read: reads past the page cache are not possible on this filesystem",
        "contention: no room",
    )
    assert faults_of(SET) == ()


def test_what_the_figures_do_not_say_is_said_where_it_applies() -> None:
    calm = " ".join(statement_of(SET))
    for said in ("Python interface", "cold for this kernel", "Durability is not measured", "middle window", "One host at a time"):
        assert said in calm
    for unsaid in ("accelerator", "loopback", "NFS"):
        assert unsaid not in calm
    loader = dataclasses.replace(measured(flags=("loopback", "cache_unverified")), metric="loader.decoded")
    written = dataclasses.replace(measured(), metric="write.fsync")
    told = " ".join(statement_of(dataclasses.replace(SET, measurements=(loader, written))))
    for said in ("no copy to an accelerator", "not of a network", "NFS, FUSE", "a synced write returned"):
        assert said in told
    assert statement_of(dataclasses.replace(SET, measurements=())) == ()


def test_the_interval_of_a_share_survives_a_file_and_older_files_have_none(tmp_path: Path) -> None:
    known = dataclasses.replace(SET, measurements=(dataclasses.replace(measured(), ceiling_share_interval=(0.4, 0.6)),))
    assert MeasurementSet.load(known.save(tmp_path / "m.json")) == known
    assert known.frame()["ceiling_share_high"].to_list() == [0.6]
    older = SET.to_dict()
    del older["measurements"][0]["ceiling_share_interval"]
    assert MeasurementSet.from_dict(older) == SET
