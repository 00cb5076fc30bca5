"""What sharing costs, and what this machine computes: runs of the real thing on a small dataset."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import psutil
import pytest
from attempts import until_it_holds
from measured_dataset import build

from toolkit.dataset.reading import open_dataset
from toolkit.measurement import compute, contention
from toolkit.measurement.caches import can_prove
from toolkit.measurement.compute import convolution, search_compute
from toolkit.measurement.contention import LOADS, search_contention
from toolkit.measurement.invocation import Job
from toolkit.measurement.plans import plan_named
from toolkit.measurement.probes import Bench
from toolkit.measurement.subject import Subject
from toolkit.measurement.values import value_line, values_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shared") / "dataset", 32)


def found_by(search: Any, dataset: Path, **options: Any) -> list[Any]:
    subject = Subject(open_dataset(dataset), plan_named("quick"))
    job = Job(dataset=str(dataset), version=subject.dataset.version, plan="quick", families=(), invocation=0)
    said: list[dict[str, Any]] = []
    with ExitStack() as stack:
        search(Bench(subject, stack), job, lambda kind, **line: said.append(line | {"kind": kind}), **options)
    return values_of([line for line in said if line["kind"] == "value"])


def test_a_load_on_every_core_costs_the_loader_time_and_leaves_nothing_behind(dataset: Path) -> None:
    until_it_holds(lambda: load_costs_time(dataset))


def load_costs_time(dataset: Path) -> None:
    found = {
        (m.metric, m.conditions["load"], m.conditions.get("percentile")): m
        for m in found_by(search_contention, dataset, works=["loader"])
    }
    loss = found["contention.loss", "cpu", None].median
    assert 0.1 < loss < 0.95
    assert {load for _, load, _ in found} == {"none", *LOADS}
    for load in LOADS:
        assert found["contention.batch_time", load, "p99"].median >= found["contention.batch_time", load, "p50"].median > 0
    left = [
        process
        for process in psutil.Process().children(recursive=True)
        if "toolkit.measurement.load" in " ".join(process.cmdline())
    ]
    assert left == []


def test_a_cold_read_and_a_transfer_are_disturbed_too_and_few_operations_are_said(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contention, "LEAST_S", 0.0)
    monkeypatch.setattr(contention, "SETTLE_S", 0.0)
    found = found_by(search_contention, dataset, works=["read", "transfer"])
    named = {(m.metric, m.conditions["load"], m.conditions.get("percentile")): m for m in found}
    for name, timed, load in (("read", "read_time", "disk"), ("transfer", "request_time", "network")):
        for state in ("none", load):
            assert named[f"contention.{name}_rate", state, None].unit == "bytes_per_s"
            middle, tail = (named[f"contention.{timed}", state, percentile] for percentile in ("p50", "p99"))
            assert 0 < middle.median <= tail.median
            is_few = tail.samples[0].operations < 100
            assert ("few_operations" in tail.flags) == is_few
            assert "few_operations" not in middle.flags
        assert named[f"contention.{name}_loss", load, None].median < 1
    read, sent = named["contention.read_rate", "disk", None], named["contention.transfer_rate", "network", None]
    assert read.cache_verdict == ("cold" if can_prove(dataset) else "unverified")
    assert sent.cache_verdict == ""
    assert sent.samples[0].cpu_s > 0
    assert "is_provable" not in read.conditions


def test_the_first_batch_of_each_epoch_is_not_counted_and_a_gain_is_not_hidden(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """An epoch of four batches; time passes only when one is asked for: a second before the first, a hundredth else."""

        now_s = 0.0

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __len__(self) -> int:
            return 4

        def set_epoch(self, epoch: int) -> None:
            pass

        def __iter__(self) -> Any:
            for number in range(4):
                self.now_s += 1.0 if number == 0 else 0.01
                yield number

    slow = Slow()
    bench = SimpleNamespace(subject=SimpleNamespace(warm=lambda: None, dataset=SimpleNamespace(loader=lambda **_: slow)))
    monkeypatch.setattr(contention, "time", SimpleNamespace(perf_counter=lambda: slow.now_s, process_time=lambda: 0.0))
    took = contention.batch_times(bench, 8, 2.5)  # type: ignore[arg-type]  # all that it asks of a bench
    assert took.times_s == pytest.approx([0.01] * len(took.times_s))
    assert took.amount_count == 8 * len(took.times_s) >= 48
    monkeypatch.undo()
    monkeypatch.setattr(
        contention, "_beside", lambda load, bench, take: contention._Took(amount_count=9, elapsed_s=1, times_s=[1])
    )
    monkeypatch.setattr(
        contention, "_taker", lambda *_: ({}, lambda _: contention._Took(amount_count=8, elapsed_s=1, times_s=[1]))
    )
    (loss,) = [m for m in found_by(search_contention, dataset, works=["transfer"]) if m.metric == "contention.transfer_loss"]
    assert loss.median == pytest.approx(-1 / 8)


def test_the_interval_of_a_loss_goes_by_what_is_kept() -> None:
    """Of rates of which 1.02, 0.98 and 0.9 are kept: below nought at one end, and never all at the other."""
    lines = [
        value_line("contention.loss", "", "share", 1 - kept, conditions={}, elapsed_s=1.0) | {"invocation": n, "order": 0}
        for n, kept in enumerate((1.02, 0.98, 0.9))
    ]
    (loss,) = values_of(lines)
    assert loss.median == pytest.approx(0.02)
    assert loss.interval_low < 0
    assert 0.1 < loss.interval_high < 0.25


@pytest.mark.parametrize("load", LOADS)
def test_a_load_takes_what_it_is_named_for_and_ends_with_its_parent(load: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toolkit.measurement.load", load, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        watched = psutil.Process(process.pid)

        def attempt() -> None:
            time.sleep(1.0)
            if load == "disk":
                assert watched.io_counters().write_bytes > 10e6
            else:
                assert sum(watched.cpu_times()[:2]) > 0.2

        until_it_holds(attempt, tries=10)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=10) == 0
    assert list(tmp_path.iterdir()) == []


def test_formats_with_fewer_bits_are_further_off(dataset: Path) -> None:
    found = {
        (m.metric, m.conditions["operation"], m.conditions["precision"]): m
        for m in found_by(search_compute, dataset)
        if m.conditions["library"] == "numpy"
    }
    errors = [found["compute.error", "matmul", precision].median for precision in ("float64", "float32", "float16")]
    assert errors[0] == 0
    assert 1e-8 < errors[1] < 1e-5 < errors[2] < 1e-1
    rates = {precision: found["compute.rate", "matmul", precision].median for precision in ("float64", "float32", "float16")}
    assert min(rates["float32"], rates["float64"]) > 5 * rates["float16"] > 0
    assert found["compute.rate", "convolution", "float32"].unit == "flop_per_s"


def test_a_format_without_a_kernel_is_said_and_the_others_go_on(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch on a processor may lack a convolution of halves; a fake of it here, as PyTorch is not always installed."""

    class Tensor:
        def __init__(self, values: Any, precision: str = "float64") -> None:
            self.values, self.precision = values, precision

        def to(self, where: str) -> Self:
            return type(self)(self.values, where if where.startswith(("float", "bfloat")) else self.precision)

        def double(self) -> Self:
            return self

        cpu = double

        def numpy(self) -> Any:
            return np.asarray(self.values)

    def convolve(images: Tensor, _kernels: Tensor) -> Tensor:
        if images.precision == "float16":
            raise RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'\nand more")
        return images

    names = {name: name for name in ("float64", "float32", "bfloat16", "float16")}
    fake = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: False), matmul=lambda left, _right: left, from_numpy=Tensor,
        nn=SimpleNamespace(functional=SimpleNamespace(conv2d=convolve)), **names,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setattr(compute, "_LEAST_S", 0.0)
    monkeypatch.setattr(compute, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda _: True)))
    faults: list[Any] = []
    subject = Subject(open_dataset(dataset), plan_named("quick"))
    job = Job(dataset=str(dataset), version=subject.dataset.version, plan="quick", families=(), invocation=0)
    said: list[Any] = []

    def say(kind: str, **line: Any) -> None:
        (faults if kind == "fault" else said).append(line)

    search_compute(SimpleNamespace(subject=subject), job, say)  # type: ignore[arg-type]  # all that it asks of a bench
    (fault,) = faults
    assert fault["message"] == "\"slow_conv2d_cpu\" not implemented for 'Half'"
    assert (fault["conditions"]["operation"], fault["conditions"]["precision"]) == ("convolution", "float16")
    by_torch = [line["conditions"] for line in said if line["conditions"]["library"] == "torch"]
    done = {(facts["operation"], facts["precision"]) for facts in by_torch}
    assert done == {(name, kind) for name in ("matmul", "convolution") for kind in names} - {("convolution", "float16")}


def test_a_convolution_is_the_sum_over_its_window() -> None:
    images, kernels = (
        np.random.default_rng(0).standard_normal((2, 3, 6, 5)),
        np.random.default_rng(1).standard_normal((4, 3, 3, 2)),
    )
    found = convolution(images, kernels)
    assert found.shape == (2, 4, 4, 4)
    assert found[1, 2, 3, 1] == pytest.approx(float((images[1, :, 3:6, 1:3] * kernels[2]).sum()))
