"""The processes that emulate accelerators: started once, at most one a core, and given trial after trial."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Self

from toolkit.errors import TonnageError
from toolkit.measurement.environment import core_count
from toolkit.measurement.pacing import Paced
from toolkit.measurement.ranks import Trial

if TYPE_CHECKING:
    from toolkit.measurement.presets import Preset

__all__ = ["RankProcesses", "TrialResult"]

_HEAD_START_S: Final = 0.3
"""Time to open the dataset before all begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What came of a trial over all processes."""

    paced: tuple[Paced, ...]
    """The consumers."""
    elapsed_s: float
    """Until the last was done."""
    cpu_s: float
    """Processor time of all."""
    image_count: int
    """Images that were read, those made ahead included."""
    payload_bytes: int
    """Their encoded bytes."""
    device_bytes: int | None
    """Bytes that came from the device; None where the kernel does not say."""


class RankProcesses:
    """Processes of emulated accelerators; several to a process when there are more than cores."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        for process in self._processes:
            with contextlib.suppress(OSError):
                _input(process).close()
        for process in self._processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _output(process).close()

    def run(
        self, *, dataset: str, version: int, preset: Preset, count: int, decode: bool, verify: bool, step_count: int,
        step_s: float | None, most_s: float, seed: int,
    ) -> TrialResult:  # fmt: skip
        """Run one trial of ``count`` accelerators; ``step_s`` replaces the preset's time of a step.

        Raises
        ------
        TonnageError
            If a consumer failed.
        """
        cores = core_count()
        used = min(count, cores)
        while len(self._processes) < used:
            self._processes.append(_started())
        paced = preset if step_s is None else dataclasses.replace(preset, step_s=step_s)
        trials = [
            Trial(
                dataset=dataset, version=version, preset=paced, ranks=tuple(range(n, count, used)), world_size=count,
                workers=max(1, cores // count), decode=decode, verify=verify, step_count=step_count, seed=seed, most_s=most_s,
                start_at_s=time.time() + _HEAD_START_S,
            )
            for n in range(used)
        ]  # fmt: skip
        for process, trial in zip(self._processes, trials, strict=False):
            _input(process).write(json.dumps(dataclasses.asdict(trial)) + "\n")
            _input(process).flush()
        return _together([_answer(process) for process in self._processes[:used]])


def _started() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "toolkit.measurement.ranks"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = _output(process).readline()
    facts: dict[str, Any] = json.loads(line) if line else {"fault": "a process of emulated accelerators ended early"}
    if "fault" in facts:
        raise TonnageError(f"the emulated accelerators failed: {facts['fault']}")
    return facts


def _together(said: list[dict[str, Any]]) -> TrialResult:
    device = [facts["device_bytes"] for facts in said]
    return TrialResult(
        paced=tuple(
            Paced(begun_s=p["begun_s"], finished_s=tuple(p["finished_s"]), step_s=p["step_s"]) for f in said for p in f["paced"]
        ),
        elapsed_s=max(facts["elapsed_s"] for facts in said),
        cpu_s=sum(facts["cpu_s"] for facts in said),
        image_count=sum(facts["images"] for facts in said),
        payload_bytes=sum(facts["payload_bytes"] for facts in said),
        device_bytes=None if None in device else sum(device),
    )


def _input(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None
    return process.stdin


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout
