"""What a run of ``measure`` is asked for beside its plan: a target, accelerators; refused where nothing would use it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from toolkit.errors import UsageError
from toolkit.measurement.targets import check_target
from toolkit.measurement.utilisation import chosen_presets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["options_of"]


def options_of(
    families: Sequence[str],
    *,
    to: str | None,
    token: str,
    storage: Mapping[str, str],
    presets: Sequence[str],
    step_s: float | None,
    step_images: int | None,
) -> dict[str, Any]:
    """Return what the invocations need to know, once it is certain that a target can be had.

    Raises
    ------
    UsageError
        If something is asked for that these families do not use, or a preset or step is not possible.
    TonnageError
        If the target cannot be had.
    """
    emulates = "utilisation" in families
    asked = {"presets": bool(presets), "step_time_s": step_s is not None, "step_images": step_images is not None}
    named = ", ".join(name for name, is_asked in asked.items() if is_asked)
    if named and not emulates:
        raise UsageError(
            f"{named}: accelerators are emulated where utilisation is measured, and this run measures {', '.join(families)}; "
            "name utilisation in only"
        )
    if step_images is not None and step_s is None:
        raise UsageError("step_images is how many images your step takes; give its time as well, by step_time_s")
    options = _target(to, token, storage, families)
    return options | {"presets": chosen_presets(list(presets), step_s, step_images)}


def _target(to: str | None, token: str, storage: Mapping[str, str], families: Sequence[str]) -> dict[str, Any]:
    if not to:
        given = [name for name, is_given in (("token", bool(token)), ("storage_options", bool(storage))) if is_given]
        if given:
            raise UsageError(f"{' and '.join(given)}: of the place that a transfer goes to, but none is named; add to")
        return {}
    if "transfer" not in families:
        raise UsageError(f"'{to}' is where a transfer goes to, but only {', '.join(families)} is to be measured; add transfer")
    check_target(to, token, storage)
    return {"to": to, "token": token, "storage": dict(storage), "run": uuid.uuid4().hex[:8]}
