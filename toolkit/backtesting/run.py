"""``toolkit.backtest``: what the toolkit predicts from small sizes, held against what larger ones then measure.

This module only wires: images are drawn, trials measured, laws fitted, predictions scored and saved.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit.backtesting.kinds import kinds_of
from toolkit.backtesting.samples import Sampler
from toolkit.backtesting.scoring import scored
from toolkit.backtesting.trials import Bench, Sizes, read_units, sizes_within, to_be_read
from toolkit.curation.sources.units import UNIT_BYTES, UNIT_ITEMS
from toolkit.dataset.reading import open_dataset
from toolkit.engine import core_count, engine
from toolkit.errors import TonnageError, UsageError
from toolkit.facts.backtests import Backtest
from toolkit.laws.extrapolating import INTERVAL_SHARE
from toolkit.measurement.environment import environment_of
from toolkit.notebook_progress import shows_progress

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from toolkit.dataset.reading import Dataset
    from toolkit.engine import Engine, Progress, Scheduler
    from toolkit.facts.backtests import Observation, Prediction

__all__ = ["backtest"]

_TRIALS: Final = 5
_LEAST_TRIALS: Final = 2
"""Trials that are made even if the time given is passed; one is enough for a limit below a minute."""
_LEAST_LIMIT_S: Final = 5.0
_SHORT_LIMIT_S: Final = 60.0
_SHORT_SHARE: Final = 0.25
"""Of requests and of the time of decoding, under a limit that is shorter: with all of them no trial would come near to it."""
_READ_UNIT_BYTES: Final = 24.0 * 2**20
"""The smallest dataset that is read: of less, opening files and a device's first reads are most, and tell nothing of more."""
_PILOT_IMAGES: Final = 16
_MOST_PILOT_IMAGES: Final = 2_048
_SPARE_SHARE: Final = 0.9
_LIMITS: Final = (
    "Sizes were curated and read on this machine; nothing is said of another one, or of a cluster's network.",
    "Larger collections were drawn from this dataset's own images: they are as varied as these are, not more.",
    "Eight times the size is what was tried; beyond it the laws may bend, as when memory or a drive is full.",
)


@shows_progress
def backtest(
    dataset: str | os.PathLike[str] | Dataset,
    *,
    limit_s: float = 300.0,
    seed: int = 0,
    scheduler: Scheduler | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Return how well sizes and times at up to eight times the data were predicted from small sizes; saved as well.

    Parameters
    ----------
    dataset : str, path or Dataset
        Its images are drawn into collections of several sizes, which are curated and read in a temporary folder.
    limit_s : float
        Time to take, in seconds: sizes are chosen to fit, and no trial is begun that would not end within it.
    seed : int
        Seed of the draws.
    scheduler : str or Client, optional
        An existing Dask cluster that curates; by default one is started on this machine.
    out : str or path, optional
        JSON file to write; by default ``DATASET/backtests/<UTC>.json``.
    progress : callable, optional
        Called as ``progress(stage, done, total, detail)``.

    Raises
    ------
    UsageError
        If the dataset has too few images, or the limit is too short.
    """
    opened = open_dataset(Path(dataset) if not isinstance(dataset, str) and hasattr(dataset, "__fspath__") else dataset)
    target = _checked(opened, limit_s, out)
    now, started_s = datetime.now(UTC), time.perf_counter()
    target = target or opened.location.path / "backtests" / f"{now:%Y%m%dT%H%M%SZ}.json"
    with _scratch(opened) as scratch, engine(scheduler) as running:
        is_short = limit_s < _SHORT_LIMIT_S
        bench = _bench(opened, scratch, running, seed, progress, effort_share=_SHORT_SHARE if is_short else 1.0)
        full_count = _unit_images(opened) * running.thread_count
        pilot = [bench.pilot(count) for count in _pilot_counts(full_count, limit_s)][1:]
        left_s = (limit_s - (time.perf_counter() - started_s)) * _SPARE_SHARE
        sizes, planned_count = sizes_within(left_s, pilot, full_count)
        smallest_bytes = _READ_UNIT_BYTES / 48 if is_short else _READ_UNIT_BYTES
        _check_room(opened, scratch, sizes, smallest_bytes)
        bench.reading = to_be_read(opened, scratch, smallest_bytes)
        bench.sampler = Sampler(opened, sizes.predicted[-1], seed)
        observed, trial_count = _trials(bench, sizes, planned_count, started_s + limit_s)
    laws, predictions, unmeasured = scored(kinds_of(bench.core_count), observed, opened.profile, bench.core_count)
    flags = (*unmeasured, *_flags(trial_count, is_short=sizes.smallest_count < full_count))
    found = Backtest(
        dataset=str(opened.location), dataset_version=opened.version, started_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        elapsed_s=time.perf_counter() - started_s, limit_s=limit_s, seed=seed, environment=environment_of(opened.location.path),
        trial_count=trial_count, fitted_image_counts=sizes.fitted, predicted_image_counts=sizes.predicted,
        varied_share=bench.sampler.varied_share, chance_share=_chance_share(predictions), laws=laws, predictions=predictions,
        observations=tuple(observed), flags=flags, limits=_LIMITS,
    )  # fmt: skip
    try:
        found.save(target)
    except OSError as fault:
        raise TonnageError(f"the back-test cannot be written to '{target}': {fault.strerror or fault}") from fault
    return found


def _checked(dataset: Dataset, limit_s: float, out: str | os.PathLike[str] | None) -> Path | None:
    if not len(dataset):
        raise UsageError(f"the dataset '{dataset.location}' has no images to test with")
    if not limit_s >= _LEAST_LIMIT_S:
        raise UsageError(f"the limit must be {_LEAST_LIMIT_S:g} s or more, not {limit_s:g} s")
    if out is not None and Path(out).suffix != ".json":
        raise UsageError(f"out must be a .json file, not '{out}'")
    return None if out is None else Path(out)


def _unit_images(dataset: Dataset) -> int:
    """Return the images that a thread takes at a time when it curates."""
    return max(1, min(UNIT_ITEMS, int(UNIT_BYTES * len(dataset) / max(1, dataset.state.image_bytes))))


def _bench(dataset: Dataset, scratch: Path, running: Engine, seed: int, progress: Progress | None, effort_share: float) -> Bench:
    def tell(done: int, total: int, detail: str) -> None:
        if progress is not None:
            progress("backtest", done, total, detail)

    sampler = Sampler(dataset, len(dataset), seed)
    return Bench(
        sampler=sampler, scratch=scratch, client=running.client, core_count=core_count(), seed=seed, tell=tell,
        effort_share=effort_share, reading={},
    )  # fmt: skip


def _check_room(dataset: Dataset, scratch: Path, sizes: Sizes, smallest_bytes: float) -> None:
    needed = 3 * sizes.predicted[-1] * dataset.state.image_bytes / len(dataset) + read_units() * smallest_bytes
    free = shutil.disk_usage(scratch).free
    if needed > free:
        from toolkit.units import show

        raise TonnageError(
            f"the back-test needs {show(needed, 'bytes')} beside '{dataset.location}', where {show(free, 'bytes')} are free; "
            "make room, or give it a shorter limit"
        )


def _pilot_counts(full_count: int, limit_s: float) -> tuple[int, int, int]:
    """Return the images of the pilots: the first warms what starts once and does not count; two fill all threads, if they may."""
    largest = max(4 * _PILOT_IMAGES, min(3 * full_count, _MOST_PILOT_IMAGES, int(limit_s) * 4))
    smaller = max(_PILOT_IMAGES, largest // 3)
    return smaller, smaller, largest


def _trials(bench: Bench, sizes: Sizes, planned_count: int, until_s: float) -> tuple[list[Observation], int]:
    """Measure trials until they are as many as planned, or the next would not end in time."""
    observed: list[Observation] = []
    begun_s, done = time.perf_counter(), 0
    least = _LEAST_TRIALS if until_s - begun_s > _SHORT_LIMIT_S / 2 else 1
    while done < planned_count:
        each_s = (time.perf_counter() - begun_s) / done if done else 0.0
        if done >= least and time.perf_counter() + each_s > until_s:
            break
        observed += bench.trial(sizes, done)
        done += 1
    return observed, done


def _chance_share(predictions: Sequence[Prediction]) -> float:
    from scipy.stats import binomtest

    if not predictions:
        return 1.0
    return float(binomtest(sum(p.is_covered for p in predictions), len(predictions), INTERVAL_SHARE).pvalue)


def _flags(trial_count: int, *, is_short: bool) -> list[str]:
    flags = []
    if trial_count < _TRIALS:
        flags.append(f"{trial_count} trials of {_TRIALS} fitted the time given: their intervals rest on little; give it longer")
    if is_short:
        flags.append("the smallest sizes do not fill all threads of a curation: its time at larger ones is known less well")
    return flags


@contextlib.contextmanager
def _scratch(dataset: Dataset) -> Iterator[Path]:
    """Give a folder on the dataset's filesystem, or elsewhere if it cannot be written; removed afterwards."""
    folder = dataset.location.path / "backtests"
    try:
        folder.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".running-", dir=folder))
    except OSError:
        scratch = Path(tempfile.mkdtemp(prefix="tonnage-backtest-"))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # only if it is empty
