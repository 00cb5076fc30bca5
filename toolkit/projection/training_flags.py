"""What is to be said of a training run: a deadline that nothing meets, gradients that wait, scaling beyond what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolkit.units import show

if TYPE_CHECKING:
    from toolkit.projection.explain import Ledger

__all__ = ["is_beyond_reach", "training_flags"]

_WAITING_SHARE: Final = 0.3
"""Share of a step that waits for the network from which on that is said."""

_LATE_SHARE: Final = 0.5
"""Probability of being late from which on it is said that no more devices help."""


def training_flags(ledger: Ledger) -> list[str]:
    """Return one sentence for each thing that a reader of the plan must know, at the last month."""
    flags = []
    step_s, exposed_s = ledger.median("training.step_s"), ledger.median("network.exposed_s")
    waiting, link = exposed_s / step_s, show(ledger.median("network.fabric_link_bytes_per_s"), "bytes_per_s")
    if waiting > _WAITING_SHARE:
        flags.append(
            f"gradients wait {waiting:.0%} of each step for the network between nodes ({link} of each): the network is what "
            "limits; a faster link (network.fabric_link) or fewer nodes do more than further nodes"
        )
    if is_beyond_reach(ledger):
        because = f"gradients wait {show(exposed_s, 's')} of a step of {show(step_s, 's')} for {link} between nodes"
        if waiting <= _WAITING_SHARE:
            batch = ledger.median("training.batch_limit_images")
            because = f"a step of at most {batch:,.0f} samples leaves too little for each, and each step costs a fixed time"
        flags.append(f"no number of devices ends a run within {show(ledger.median('training.deadline_s'), 's')}: {because}")
    if "training.measured_count" in ledger.values:
        most, count = ledger.median("training.measured_count"), ledger.median("training.gpu_count")
        if count > most:
            flags.append(
                f"scaling was measured up to {most:,.0f} devices and {count:,.0f} are planned: "
                "the law fitted to them is stretched"
            )
    return flags


def is_beyond_reach(ledger: Ledger) -> bool:
    """Return whether no number of devices ends a run in time, at the last month: more of them wait more than they compute."""
    is_planned, late = "training.needed_count" in ledger.values, ledger.median("training.late_share")
    return is_planned and late > _LATE_SHARE and ledger.median("training.rate_images_per_s") < _asked_rate(ledger)


def _asked_rate(ledger: Ledger) -> float:
    """Return the samples each second that would end a run in time."""
    return ledger.median("training.samples") * ledger.median("training.beside_factor") / ledger.median("training.deadline_s")
