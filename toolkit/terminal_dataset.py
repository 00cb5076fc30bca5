"""What the command line draws of a dataset: what came in and what became of it, and how large its images are, as text."""

from __future__ import annotations

import bisect
import itertools
import math
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from toolkit.facts.profiles import QUANTILE_SHARES
from toolkit.reporting.wording import shorten, visible
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from toolkit.facts import DatasetProfile
    from toolkit.facts.profiles import Quantiles

__all__ = ["draw_profile", "text_histogram"]

_BAR_CELLS: Final = 24
_HISTOGRAM_CELLS: Final = 32
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_NAMES: Final = 8
_NAME_LETTERS: Final = 24
_REASONS: Final = 12


def draw_profile(screen: Console, profile: DatasetProfile) -> None:
    """Print a dataset's profile on one screen."""
    title = f"{shorten(_name(profile.name), screen.width - 24)}  version {profile.version}"
    screen.print(Text(title, style="bold", no_wrap=True, overflow="ellipsis"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("found", f"{profile.source_count:,} images in {show(profile.source_bytes, 'bytes')}")
    for state in ("kept", "duplicate", "dropped", "quarantined"):
        count = profile.states.get(state, 0)
        facts.add_row(f"  {state}", f"{count:>7,}  {_bar(count, profile.source_count)}")
    mean_shard = show(profile.shard_bytes / profile.shard_count, "bytes") if profile.shard_count else "0 B"
    facts.add_row("kept", f"{show(profile.image_bytes, 'bytes')} in {profile.shard_count:,} shards of {mean_shard}")
    facts.add_row("bytes an image", _distribution(profile.image_size_bytes, "bytes"))
    facts.add_row("pixels an image", _distribution(profile.image_pixels, "pixels"))
    near = f"{profile.near_duplicate_image_count:,} images in {profile.near_duplicate_group_count:,} groups"
    straddling = f", {profile.straddling_group_count:,} of them in several splits (tonnage findings DATASET bridges)"
    facts.add_row("near duplicates", near + (straddling if profile.straddling_group_count else ""))
    for name, counts in (("splits", profile.splits), ("formats", profile.formats), ("labels", profile.labels)):
        facts.add_row(name, Text(_counts(counts, max(len(counts), profile.label_count if name == "labels" else 0))))
    if profile.curation.get("images_per_s"):
        rate = show(profile.curation["images_per_s"], "images_per_s")
        facts.add_row("curated", f"in {show(profile.curation.get('elapsed_s'), 's')} at {rate}")
    elif taken_up_count := profile.curation.get("taken_up_count"):
        elapsed = show(profile.curation["elapsed_s"], "s")
        facts.add_row("curated", f"in {elapsed}, after a run that was stopped had read {taken_up_count:,.0f}")
    screen.print(facts)
    if profile.reasons:
        screen.print(_reasons(profile.reasons))


def text_histogram(quantiles: Quantiles, cells: int = _HISTOGRAM_CELLS) -> str:
    """Return a distribution as a row of blocks over a logarithmic scale from its smallest to its largest value.

    What lies between two quantiles is spread evenly over the logarithms between them. Empty without values above 0.

    Examples
    --------
    >>> from toolkit.facts.profiles import Quantiles
    >>> text_histogram(Quantiles(count=9, mean=40, values=(1, 2, 4, 8, 12, 16, 32, 64, 90, 128, 256)), cells=8)
    '▁▁▁█▅▃▂▁'
    """
    if not quantiles.values or quantiles.values[-1] <= 0 or quantiles.values[0] == quantiles.values[-1]:
        return ""
    logs = [math.log(max(value, 1e-9)) for value in quantiles.values]
    edges = [logs[0] + (logs[-1] - logs[0]) * place / cells for place in range(cells + 1)]
    below = [_share_below(edge, logs) for edge in edges]
    shares = [high - low for low, high in itertools.pairwise(below)]
    top = max(shares)
    return "".join(_BLOCKS[max(1, round(share / top * (len(_BLOCKS) - 1))) if share > 0 else 0] for share in shares)


def _share_below(edge: float, logs: list[float]) -> float:
    """Return the share of values below an edge, straight lines drawn between the quantiles."""
    after = bisect.bisect_right(logs, edge)
    if after == 0:
        return 0.0
    if after == len(logs):
        return 1.0
    low, high = logs[after - 1], logs[after]
    share, next_share = QUANTILE_SHARES[after - 1], QUANTILE_SHARES[after]
    return share + (next_share - share) * (edge - low) / (high - low)


def _distribution(quantiles: Quantiles, unit: str) -> str:
    if not quantiles.values:
        return "none"
    low, high = show(quantiles.values[0], unit), show(quantiles.values[-1], unit)
    middle = f"median {show(quantiles.median, unit)}, mean {show(quantiles.mean, unit)}"
    blocks = text_histogram(quantiles)
    return f"{low} {blocks} {high}   {middle}" if blocks else f"{low} each"


def _bar(count: int, total: int) -> str:
    cells = round(_BAR_CELLS * count / total) if total else 0
    return "█" * (cells or (1 if count else 0))


def _name(text: str) -> str:
    return visible(" ".join(text.split()))


def _counts(counts: Mapping[str, int], total_count: int) -> str:
    if not counts:
        return "none"
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = f", and {total_count - _NAMES:,} more" if total_count > _NAMES else ""
    return ", ".join(f"{shorten(_name(name), _NAME_LETTERS)} {count:,}" for name, count in ranked[:_NAMES]) + rest


def _reasons(reasons: Mapping[str, int]) -> Table:
    table = Table(title="Not kept, and why", title_justify="left", title_style="bold")
    table.add_column("reason", no_wrap=True)
    table.add_column("images", justify="right")
    ranked = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ranked if len(ranked) <= _REASONS else ranked[: _REASONS - 1]
    for reason, count in shown:
        table.add_row(Text(shorten(_name(reason), 60)), f"{count:,}")
    if len(ranked) > len(shown):
        table.add_row(f"{len(ranked) - len(shown)} others", f"{sum(count for _, count in ranked[len(shown) :]):,}")
    return table
