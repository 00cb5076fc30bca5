"""``toolkit.measure`` from end to end: fresh processes, Dask, files, an existing cluster, Ctrl-C, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from measured_dataset import build

import toolkit
from toolkit.cli import run
from toolkit.engine import engine
from toolkit.errors import MissingError, UsageError
from toolkit.facts import MeasurementSet
from toolkit.measurement.caches import can_prove
from toolkit.measurement.invocation import Job
from toolkit.measurement.task import parsed_lines, run_invocation

INTERRUPTED = """
import sys, toolkit

def say(stage, done, total, detail):
    sys.stderr.write(detail + "\\n")
    sys.stderr.flush()

if __name__ == "__main__":
    measured = toolkit.measure(sys.argv[1], only=["decode"], progress=say)
    print(len(measured.measurements), measured.environment.facts["is_interrupted"])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("measure") / "dataset", 24)


def test_reads_are_measured_saved_and_proven(place: Path) -> None:
    seen: list[tuple[str, int, int | None, str]] = []
    measured = toolkit.measure(place, only=["read"], progress=lambda *what: seen.append(what))
    [path] = (place / "measurements").glob("*.json")
    assert [p.name for p in (place / "measurements").iterdir() if p.name.startswith(".")] == []  # the scratch folder is gone
    assert path.stem.endswith("Z")
    assert len(path.stem) == len("20260101T000000Z")
    assert MeasurementSet.load(path) == measured
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    samples = pl.read_parquet(path.with_suffix(".parquet"))
    assert samples.height == sum(len(m.samples) for m in measured.measurements)
    assert seen[-1][1] == seen[-1][2]
    metrics = [m.metric for m in measured.measurements]
    assert {"read.sequential", "read.random", "read.raw_files", "ceiling.memory_copy", "ceiling.device_read"} <= set(metrics)
    assert not {metric.split(".")[0] for metric in metrics} - {"read", "ceiling", "metadata"}
    assert metrics == sorted(metrics, key=lambda metric: not metric.startswith("ceiling."))
    for m in measured.measurements:
        assert 0 < m.interval_low <= m.median <= m.interval_high
        bare = m.metric.startswith(("ceiling.", "metadata.")) or m.cache_verdict == "mixed"
        bare = bare or (m.metric == "read.first_touch" and m.cache_verdict == "warm")
        assert (m.ceiling is None) == bare
        assert m.limits
        assert "few_invocations" in m.flags
        assert {sample.invocation for sample in m.samples} <= {0, 1, 2, 3}
    assert len({sample.order for m in measured.measurements for sample in m.samples}) > 10
    if can_prove(place):
        for metric in ("read.sequential", "read.random", "read.raw_files"):
            for cache in ("cold", "warm"):
                m = measured.find(metric, cache=cache)
                assert m is not None
                assert m.cache_verdict == cache, (metric, cache)
    assert measured.environment.facts["core_count"] >= 1


def test_an_existing_cluster_measures_and_stays_open(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "found.json"
    with engine(workers=1, threads=1) as cluster:
        measured = toolkit.measure(place, only=["decode"], scheduler=cluster.client, out=out)
        assert cluster.client.submit(sum, [1, 2]).result() == 3
    assert MeasurementSet.load(out) == measured
    core, cores = measured.find("decode.core"), measured.find("decode.all_cores")
    pixels = measured.find("decode.pixels")
    assert core is not None
    assert cores is not None
    assert pixels is not None
    assert pixels.median / core.median == pytest.approx(120_000, rel=0.9)  # pixels of an image
    assert core.ceiling is not None
    assert cores.ceiling is not None
    is_several = measured.environment.facts["core_count"] > 1  # the codec on all cores at once, not as many times one
    assert cores.ceiling.metric == ("ceiling.decode_cores" if is_several else core.ceiling.metric)
    limit = measured.find(cores.ceiling.metric, output=cores.conditions["output"])
    assert limit is not None
    assert cores.ceiling.value == limit.median


def test_an_interrupted_run_keeps_what_it_has(place: Path, tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    before = set((place / "measurements").glob("*.json")) if (place / "measurements").exists() else set()
    with subprocess.Popen(
        [sys.executable, script, place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=toolkit.__path__[0] + "/..",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if " windows, " in line and int(line.split(":")[1].split()[0]) > 8:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    count, flagged = out.split()
    assert int(count) >= 3
    assert flagged == "True"
    [path] = set((place / "measurements").glob("*.json")) - before
    assert all("interrupted" in m.flags for m in MeasurementSet.load(path).measurements)


def test_what_cannot_be_measured_is_refused_before_anything_starts(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no plan 'slow'"):
        toolkit.measure(place, "slow")
    with pytest.raises(UsageError, match="cannot be measured; choose from read, decode, loader, transfer"):
        toolkit.measure(place, only=["cpu"])
    with pytest.raises(UsageError, match=r"must be a \.json file"):
        toolkit.measure(place, out=tmp_path / "found.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written to '.*file/m\.json': .*; name a file that can be, with out"):
        toolkit.measure(place, out=tmp_path / "file" / "m.json")
    with pytest.raises(UsageError, match="has no images"):
        toolkit.measure(build(tmp_path / "empty", 0))
    with pytest.raises(MissingError):
        toolkit.measure(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "resnet50-h100"], "presets: accelerators are emulated where utilisation is measured, and this run measures read, decode"),
        (["--step-time", "12 ms", "--step-images", "8"], "step_time_s, step_images: accelerators are emulated"),
        (["--only", "utilisation", "--step-images", "8"], "give its time as well"),
        (["--token", "secret"], "token: of the place that a transfer goes to, but none is named"),
        (["--storage-option", "region=x"], "storage_options: of the place that a transfer goes to, but none is named"),
        (["--only", ""], "only names nothing to measure; choose from read"),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(
    place: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.measurement.run.engine", None)  # nothing starts
    assert run(["measure", str(place), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_worker_that_does_not_see_the_dataset_says_so(tmp_path: Path) -> None:
    [line] = run_invocation({"job": {"dataset": str(tmp_path / "elsewhere")}, "lines_path": ""})
    assert (line["kind"], line["error"]) == ("fault", "ClusterError")


def test_an_invocation_that_fails_gives_its_last_words(place: Path) -> None:
    lines = run_invocation({"job": {"dataset": str(place), "nonsense": 1}, "lines_path": ""})
    assert lines[-1]["error"] == "TonnageError"
    assert "an invocation failed" in lines[-1]["message"]


def test_a_ceiling_can_be_taken_again_alone(place: Path) -> None:
    job = Job(dataset=str(place), version=0, plan="quick", families=("read",), invocation=3, retaken=("ceiling.mapped_sum",))
    lines = run_invocation({"job": dataclasses.asdict(job), "lines_path": ""})
    windows = [line for line in lines if line["kind"] == "window"]
    assert {line["metric"] for line in windows} == {"ceiling.mapped_sum"}
    assert {line["invocation"] for line in windows} == {3}
    assert [line for line in lines if line["kind"] == "fault"] == []


def test_lines_are_read_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"kind": "plan"}\n{"kind": "win')
    assert parsed_lines(path) == [{"kind": "plan"}]
    assert parsed_lines(tmp_path / "missing") == []
    assert parsed_lines(None) == []
