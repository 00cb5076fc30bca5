"""How fast this machine multiplies matrices and convolves, per number format, and how far each format is off.

NumPy always; PyTorch where it is installed, on the processor and on a CUDA device. The error is that of the result against
the same operation in 64 bits.
"""

from __future__ import annotations

import importlib.util
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from toolkit.measurement.values import value_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolkit.measurement.invocation import Job
    from toolkit.measurement.probes import Bench

__all__ = ["convolution", "search_compute"]

_SIDE: Final = 768
_SIDE_CUDA: Final = 8192
_SIDE_HALF: Final = 96
"""Without hardware for 16 bits NumPy converts each number: a small matrix shows that as well."""

_IMAGES: Final = (4, 16, 34, 34)
_KERNELS: Final = (32, 16, 3, 3)
_LEAST_S: Final = 0.2
_LIMITS: Final = (
    "One operation over and over on operands that stay in cache or memory; a model's step has others, and waits between "
    "them: measure it with toolkit.measure_step."
)


def convolution(images: Any, kernels: Any) -> Any:
    """Return images (n, channels, height, width) convolved with kernels (out, channels, rows, columns), without padding.

    Examples
    --------
    >>> convolution(np.ones((1, 2, 3, 3)), np.ones((1, 2, 3, 3))).tolist()
    [[[[18.0]]]]
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, kernels.shape[2:], axis=(2, 3))
    return np.moveaxis(np.tensordot(windows, kernels, axes=([1, 4, 5], [1, 2, 3])), 3, 1)


class _Ready(NamedTuple):
    """An operation that is ready to be timed."""

    work: Callable[[], object]
    flop: float
    """Operations in it."""
    error_ratio: float
    """Norm of the error of its result over that of the result in 64 bits."""


def search_compute(bench: Bench, job: Job, say: Callable[..., None]) -> None:
    """Say the rate and the error of each operation in each format that this machine has; what a format cannot do is said too."""
    window_s = max(_LEAST_S, bench.subject.plan.window_s)
    order = 0
    for conditions, prepare in _cases(np.random.default_rng(job.seed)):
        try:
            ready = prepare()
            elapsed_s, count = _timed(ready.work, window_s)
        except (RuntimeError, ValueError, TypeError, MemoryError) as fault:  # as where a format has no kernel on a device
            say("fault", metric="compute.rate", conditions=conditions, error=type(fault).__name__, message=_first_line(fault))
            continue
        name = "matrix multiplication" if conditions["operation"] == "matmul" else "convolution"
        where = f"{conditions['library']} on {conditions['device']}, {conditions['precision']}"
        common: dict[str, Any] = {"conditions": conditions, "elapsed_s": elapsed_s, "operations": count, "limits": _LIMITS}
        kinds = (("rate", f"Rate of {name}, {where}", "flop_per_s", ready.flop * count / elapsed_s),
                 ("error", f"Error of {name}, {where}, against 64 bits", "ratio", ready.error_ratio))  # fmt: skip
        for kind, title, unit, value in kinds:
            line = value_line(f"compute.{kind}", title, unit, value, **common)
            say("value", invocation=job.invocation, order=order, **line)
            order += 1


def _first_line(fault: Exception) -> str:
    return str(fault).strip().partition("\n")[0] or type(fault).__name__


def _cases(random: np.random.Generator) -> Iterator[tuple[dict[str, Any], Callable[[], _Ready]]]:
    """Yield conditions, and what makes the operation ready."""
    for precision in ("float64", "float32", "float16"):
        side = _SIDE_HALF if precision == "float16" else _SIDE
        left, right = random.standard_normal((2, side, side))
        yield _numpy_case("matmul", precision, left, right, np.matmul, 2.0 * side**3, side)
        images, kernels = random.standard_normal(_IMAGES), random.standard_normal(_KERNELS)
        flop = 2.0 * _IMAGES[0] * (_IMAGES[2] - 2) * (_IMAGES[3] - 2) * float(np.prod(_KERNELS))
        if precision != "float16":
            yield _numpy_case("convolution", precision, images, kernels, convolution, flop, _IMAGES[2])
    if importlib.util.find_spec("torch") is not None:
        yield from _torch_cases(random)


def _numpy_case(
    operation: str, precision: str, left: Any, right: Any, work: Callable[[Any, Any], Any], flop: float, size: int
) -> tuple[dict[str, Any], Callable[[], _Ready]]:
    def prepare() -> _Ready:
        first, second = left.astype(precision), right.astype(precision)
        error_ratio = _error_ratio(work(first, second).astype(np.float64), work(left, right))
        return _Ready(lambda: work(first, second), flop, error_ratio)

    return {"operation": operation, "library": "numpy", "device": "cpu", "precision": precision, "size": size}, prepare


def _torch_cases(random: np.random.Generator) -> Iterator[tuple[dict[str, Any], Callable[[], _Ready]]]:
    import torch

    for device in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
        side = _SIDE_CUDA if device == "cuda" else _SIDE
        pairs: dict[str, tuple[Any, Callable[..., Any], float, int]] = {
            "matmul": (random.standard_normal((2, side, side)), torch.matmul, 2.0 * side**3, side),
            "convolution": (
                (random.standard_normal(_IMAGES), random.standard_normal(_KERNELS)), torch.nn.functional.conv2d,
                2.0 * _IMAGES[0] * (_IMAGES[2] - 2) * (_IMAGES[3] - 2) * float(np.prod(_KERNELS)), _IMAGES[2],
            ),
        }  # fmt: skip
        for operation, (operands, work, flop, size) in pairs.items():
            for precision in ("float64", "float32", "bfloat16", "float16"):
                conditions = {"operation": operation, "library": "torch", "device": device, "precision": precision, "size": size}
                yield conditions, partial(_torch_ready, operands, work, flop, device, precision)


def _torch_ready(operands: Any, work: Callable[..., Any], flop: float, device: str, precision: str) -> _Ready:
    import torch

    exact = [torch.from_numpy(operand).to(device) for operand in operands]
    cast = [operand.to(getattr(torch, precision)) for operand in exact]
    error_ratio = _error_ratio(work(*cast).double().cpu().numpy(), work(*exact).cpu().numpy())

    def run() -> None:
        work(*cast)
        if device == "cuda":
            torch.cuda.synchronize()

    return _Ready(run, flop, error_ratio)


def _error_ratio(found: Any, wanted: Any) -> float:
    """Return the norm of the difference over that of what is wanted."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def _timed(work: Callable[[], object], window_s: float) -> tuple[float, int]:
    work()
    count, begun_s = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - begun_s) < window_s or count < 2:
        work()
        count += 1
    return elapsed_s, count
