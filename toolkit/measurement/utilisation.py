"""How many accelerators the loader keeps busy here: paced consumers, more and more of them until they wait too long.

An accelerator is a wait: the published time of a step after each batch (see ``presets.py``). Utilisation is the share of the
time that it computes; the largest number at which it is what the preset asks for is found by trial.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.laws.storage_benchmark import least_sample_count
from toolkit.measurement.caches import can_prove, evict, proof_of
from toolkit.measurement.environment import core_count, memory_bytes
from toolkit.measurement.feeding import AHEAD_COUNT, HELD_BYTES
from toolkit.measurement.presets import DEFAULT_PRESETS, own_preset, preset_of, presets_named
from toolkit.measurement.rank_processes import RankProcesses, TrialResult
from toolkit.measurement.values import value_line
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.facts import CacheProof
    from toolkit.measurement.invocation import Job
    from toolkit.measurement.pacing import Paced
    from toolkit.measurement.plans import Plan
    from toolkit.measurement.presets import Preset
    from toolkit.measurement.probes import Bench

__all__ = ["LEAST_TRIAL_S", "TRIAL_WINDOWS", "chosen_presets", "largest_passing", "search_utilisation"]

_LEAST_STEPS: Final = 12
_RULE_STEPS: Final = 500
_PRECISION: Final = 20
TRIAL_WINDOWS: Final = 10
LEAST_TRIAL_S: Final = 1.5
_MOST_ACCELERATORS: Final = 32
_MOST_WIDE: Final = 128
_PATIENCE_FACTOR: Final = 2
"""A trial ends when it has taken this many times what it would if nothing waited: it has failed by then."""
_MEMORY_SHARE: Final = 0.25
_HELD_STEPS: Final = AHEAD_COUNT + 3
_PACKED_FACTOR: Final = 12
"""Pixels' bytes over those of the encoded image, at the most that is usual."""

_LIMITS: Final = (
    "Emulated: an accelerator is a wait of the published step time, nothing computes, batches are dropped in host memory, and "
    "no accelerator waits for another's step. One host, this toolkit's loader. Not an MLPerf Storage result."
)

_KINDS: Final[dict[str, tuple[str, Callable[[Paced], float]]]] = {
    "without_first_step": ("without the first step", lambda paced: paced.without_first_share),
    "with_first_step": ("with the first step", lambda paced: paced.with_first_share),
    "sustained": ("sustained, without what was made ahead", lambda paced: paced.sustained_share(AHEAD_COUNT)),
}
"""Utilisations: the second is what a run feels, the first what the benchmark defines, the last what decides here."""

_WHICH: Final = {"1": "one accelerator", "largest": "as many as are kept busy", "one more": "one more than are kept busy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """One preset under one set of conditions."""

    preset: Preset
    output: str
    decode: bool
    verify: bool
    cache: str


def chosen_presets(names: tuple[str, ...] | list[str], step_s: float | None, batch_count: int | None) -> list[dict[str, Any]]:
    """Return the presets that are asked for as plain JSON types: those named, an own step, or the default.

    Raises
    ------
    UsageError
        If a preset does not exist, or a step is not possible.

    Examples
    --------
    >>> [preset["name"] for preset in chosen_presets([], 0.012, None)], len(chosen_presets([], None, None))
    (['own'], 1)
    """
    import dataclasses

    presets = list(presets_named(names))
    if step_s is not None:
        presets.append(own_preset(step_s, 64 if batch_count is None else batch_count))
    return [dataclasses.asdict(preset) for preset in presets or presets_named(DEFAULT_PRESETS)]


def search_utilisation(bench: Bench, job: Job, say: Callable[..., None]) -> None:
    """Find the largest number of accelerators for each preset of a job, and say each value found as a line."""
    plan = bench.subject.plan
    presets = [preset_of(facts) for facts in job.options.get("presets") or chosen_presets([], None, None)]
    with RankProcesses() as processes:
        for setting in _settings(presets, plan, bench):
            _Search(bench, job, setting, processes, say).run()


def _settings(presets: list[Preset], plan: Plan, bench: Bench) -> Iterator[_Setting]:
    """Yield what is tried: images as the benchmark leaves them, and decoded as training needs them; cold where time allows."""
    fits = bench.subject.dataset.state.image_bytes <= plan.working_set_bytes
    for preset in presets:
        for cache in ("warm" if fits else "any", *(("cold",) if plan.is_wide else ())):
            yield _Setting(preset=preset, output="encoded", decode=False, verify=False, cache=cache)
            if preset.is_image:
                output = f"{preset.resize_px} px" if preset.resize_px else "full size"
                yield _Setting(preset=preset, output=output, decode=True, verify=True, cache=cache)


class _Search:
    """The trials of one setting in one invocation."""

    def __init__(self, bench: Bench, job: Job, setting: _Setting, processes: RankProcesses, say: Callable[..., None]) -> None:
        self.bench = bench
        self.job = job
        self.setting = setting
        self.processes = processes
        self.say = say
        self.dataset = bench.subject.dataset
        self.mean_bytes = bench.subject.mean_image_bytes
        self.is_provable = can_prove(bench.subject.scratch or self.dataset.location.path)
        trial_s = max(LEAST_TRIAL_S, TRIAL_WINDOWS * bench.subject.plan.window_s)
        self.step_count = max(_LEAST_STEPS, math.ceil(trial_s / setting.preset.step_s))
        self._said = 0

    def run(self) -> None:
        """Try numbers of accelerators until the largest that is kept busy is known."""
        begun_s = time.perf_counter()
        most = self._most()
        results: dict[int, TrialResult] = {}

        def is_busy(count: int) -> bool:
            results[count] = self._trial(count)
            return self._share(results[count]) >= self.setting.preset.least_share

        largest = largest_passing(is_busy, most, self._guess)
        self._say_trial("1", results[1], ("without_first_step", "with_first_step"))
        if largest:
            self._say_trial("largest", results[largest], tuple(_KINDS))
        if largest + 1 in results and largest:
            self._say_trial("one more", results[largest + 1], ("without_first_step", "with_first_step"))
        self._say_largest(largest, time.perf_counter() - begun_s, ["most_tried"] if largest == most else [])

    def _say_largest(self, largest: int, elapsed_s: float, flags: list[str]) -> None:
        """Say how many are kept busy, and how much data the benchmark's rule asks for at that number."""
        preset, count = self.setting.preset, max(1, largest)
        wanted_bytes, rule = self._rule(count)
        conditions = {name: value for name, value in self._conditions("").items() if name != "accelerators"}
        flags = flags + self._flags(count)
        title = f"{preset.title}: emulated accelerators kept {preset.least_share:.0%} busy, {self.setting.output}"
        self._say(
            "accelerators", title, "count", float(largest), conditions | {"least_share": preset.least_share}, elapsed_s=elapsed_s,
            flags=flags, limits=f"{rule} {_LIMITS}",
        )  # fmt: skip
        title = f"{preset.title}: data that the benchmark's rule asks for at that number"
        self._say("rule_bytes", title, "bytes", wanted_bytes, conditions, elapsed_s=0.0, flags=flags, limits=rule)

    def _share(self, result: TrialResult) -> float:
        """Return what decides: the utilisation that lasts, without what was made ahead while nothing was consumed."""
        return statistics.fmean(paced.sustained_share(AHEAD_COUNT) for paced in result.paced)

    def _trial(self, count: int, step_s: float | None = None) -> TrialResult:
        self.say("searching", what=f"{self.setting.preset.name}, {self.setting.output}: {count} accelerators")
        if self.setting.cache == "warm":
            self.bench.subject.warm()
        elif self.setting.cache == "cold":
            evict(self.dataset.shard_paths())
        return self.processes.run(
            dataset=str(self.dataset.location.path), version=self.dataset.version, preset=self.setting.preset, count=count,
            decode=self.setting.decode, verify=self.setting.verify, step_count=self.step_count, step_s=step_s,
            most_s=_PATIENCE_FACTOR * self.step_count * self.setting.preset.step_s,
            seed=self.job.invocation,
        )  # fmt: skip

    def _guess(self) -> int:
        """Return the number that the loader's rate without any waits would feed: where the search begins."""
        free = self._trial(core_count(), step_s=0.0)
        rate = free.image_count / free.elapsed_s * (self.mean_bytes if not self.setting.preset.is_image else 1)
        preset = self.setting.preset
        wanted = preset.batch_count / preset.step_s * (1 if preset.is_image else preset.sample_bytes)
        return int(rate / (wanted * preset.least_share))

    def _most(self) -> int:
        """Return the largest number that is tried: what images, and a quarter of the free memory, allow."""
        import psutil

        preset = self.setting.preset
        decoded_bytes = 3 * preset.resize_px**2 if preset.resize_px else _PACKED_FACTOR * self.mean_bytes
        sample_bytes = decoded_bytes if self.setting.decode else self.mean_bytes if preset.is_image else preset.sample_bytes
        step_bytes = preset.batch_count * sample_bytes
        held_bytes = step_bytes if preset.is_image else min(HELD_BYTES, step_bytes)
        held = int(_MEMORY_SHARE * psutil.virtual_memory().available / (_HELD_STEPS * held_bytes))
        most = _MOST_WIDE if self.bench.subject.plan.is_wide else _MOST_ACCELERATORS
        return max(1, min(most, held))

    def _conditions(self, which: str) -> dict[str, Any]:
        preset = self.setting.preset
        return {
            "preset": preset.name, "accelerators": which, "batch_size": preset.batch_count, "step_s": preset.step_s,
            "sample": "image" if preset.is_image else show(preset.sample_bytes, "bytes"), "output": self.setting.output,
            "verify": self.setting.verify, "cache": self.setting.cache, "steps": self.step_count,
        }  # fmt: skip

    def _rule(self, count: int) -> tuple[float, str]:
        """Return the bytes that the benchmark's rule asks for, and whether this dataset has them, in words."""
        preset = self.setting.preset
        sample_bytes = self.mean_bytes if preset.is_image else preset.sample_bytes
        samples = least_sample_count(preset.batch_count, count, memory_bytes(), sample_bytes)
        has_bytes = self.dataset.state.image_bytes
        verdict = "met" if has_bytes >= samples * sample_bytes else "not met: caches and repeats are in the figure"
        number = f"{count} accelerator{'s' if count > 1 else ''}"
        return samples * sample_bytes, (
            f"For {number} the benchmark's rule (500 steps of each, five times the memory) asks for {samples:,.0f} samples, "
            f"{show(samples * sample_bytes, 'bytes')}; the dataset has {show(has_bytes, 'bytes')}: {verdict}."
        )

    def _flags(self, count: int) -> list[str]:
        flags = [] if self.dataset.state.image_bytes >= self._rule(count)[0] else ["dataset_below_rule"]
        return flags + (["few_steps"] if self.step_count < _RULE_STEPS else [])

    def _say_trial(self, which: str, result: TrialResult, kinds: tuple[str, ...]) -> None:
        """Say what came of a trial: the shares asked for, and with the largest number what was consumed."""
        preset, flags = self.setting.preset, self._flags(len(result.paced))
        title = f"{preset.title}, {self.setting.output}, {_WHICH[which]}"
        facts: dict[str, Any] = {"elapsed_s": result.elapsed_s, "result": result, "flags": flags, "limits": _LIMITS}
        for name in kinds:
            words, share = _KINDS[name]
            value = statistics.fmean(share(paced) for paced in result.paced)
            self._say(name, f"{title}: busy {words}", "share", value, self._conditions(which), **facts)
        if which != "largest":
            return
        steps = sum(len(paced.finished_s) for paced in result.paced)
        span_s = max(paced.finished_s[-1] for paced in result.paced) - min(paced.begun_s for paced in result.paced)
        unit = "images_per_s" if preset.is_image else "per_s"
        self._say(
            "samples", f"{title}: samples consumed", unit, steps * preset.batch_count / span_s, self._conditions(which), **facts
        )

    def _say(
        self, name: str, title: str, unit: str, value: float, conditions: dict[str, Any], *, elapsed_s: float,
        flags: list[str], limits: str, result: TrialResult | None = None,
    ) -> None:  # fmt: skip
        line = value_line(
            f"utilisation.{name}", title, unit, value, conditions=conditions, elapsed_s=elapsed_s,
            cpu_s=0.0 if result is None else result.cpu_s, payload_bytes=0 if result is None else result.payload_bytes,
            images=0 if result is None else result.image_count, cache=None if result is None else self._proof(result),
            flags=flags, limits=limits,
        )  # fmt: skip
        self.say("value", invocation=self.job.invocation, order=self._said, **line)
        self._said += 1

    def _proof(self, result: TrialResult) -> CacheProof:
        return proof_of(self.setting.cache, result.device_bytes, result.payload_bytes, is_provable=self.is_provable)


def largest_passing(passes: Callable[[int], bool], most: int, guess: Callable[[], int]) -> int:
    """Return the largest number that passes, at most ``most``; 0 if 1 does not. Few trials if the guess is good.

    Numbers that pass are taken to lie below those that do not. Beyond 20 it is found within a twentieth.

    Examples
    --------
    >>> tried = []
    >>> largest_passing(lambda n: tried.append(n) or n <= 37, 256, lambda: 40), tried
    (37, [1, 40, 39, 37, 38])
    """
    if not passes(1):
        return 0
    low, high = 1, most + 1
    at, stride = max(2, guess()), 1
    while high - low > max(1, low // _PRECISION):
        at = min(max(at, low + 1), high - 1)
        is_passed = passes(at)
        low, high = (at, high) if is_passed else (low, at)
        if low > 1 and high <= most:
            at, stride = (low + high) // 2, 1
        else:
            at, stride = (at + stride, 2 * stride) if is_passed else (at - stride, 2 * stride)
    return low
