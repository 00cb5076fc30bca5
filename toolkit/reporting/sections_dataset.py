"""The sections of a dataset: what came in, what was refused, what is left, and what looks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.reporting.blocks import Block, Cell, Chart, KeyFact, KeyFacts, Pictures, Prose, Section, Table, text_rows
from toolkit.reporting.counted import counted_id, how_counted
from toolkit.reporting.figures_dataset import dataset_figures, quality_boxes, scatter_of_shapes
from toolkit.reporting.sections_changes import changed_section, versions_table
from toolkit.reporting.wording import DASH, plural
from toolkit.units import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

    from toolkit.facts import DatasetProfile
    from toolkit.reporting.evidence import DatasetEvidence

__all__ = ["dataset_sections"]

_LABELS_IN_TABLE = 200
_REFUSALS_IN_TABLE = 100
_REFUSALS_OPEN = 8


def dataset_sections(evidence: DatasetEvidence, prefix: str = "") -> dict[str, Section]:
    """Return the sections of a dataset by name; ``prefix`` keeps the identifiers of several datasets apart."""
    figures = dataset_figures(evidence.profile)
    sections = {
        "came-in": _came_in(evidence.profile, figures, prefix),
        "changed": changed_section(evidence.profile, evidence.changes, prefix),
        "refused": _refused(evidence, figures, prefix),
        "made-of": _made_of(evidence, figures, prefix),
        "alike": _look_alikes(evidence, prefix),
    }
    return {name: section for name, section in sections.items() if section is not None}


def _came_in(profile: DatasetProfile, figures: dict[str, go.Figure], prefix: str) -> Section:
    others = sum(profile.other_files.values())
    lead = (
        f"{plural(profile.source_count, 'image occurrence')} ({show(profile.source_bytes, 'bytes')}) and "
        f"{plural(others, 'other file')} were found; {plural(profile.image_count, 'image')} "
        f"({show(profile.image_bytes, 'bytes')}) are in the dataset."
    )
    blocks: list[Block] = []
    if "funnel" in figures:
        blocks.append(Chart(id=f"{prefix}funnel", figure=figures["funnel"], table=_balance(profile, prefix)))
    else:
        blocks.append(Prose(text="Nothing was found in the sources, so there is nothing to draw.", calm=True))
    if len(profile.versions) == 1:
        blocks.append(versions_table(profile))
    if profile.curation.get("elapsed_s"):
        blocks.append(_speed(profile, prefix))
    blocks.append(how_counted(profile, prefix))
    return Section(id=f"{prefix}came-in", title="What came in", short="Came in", lead=lead, blocks=tuple(blocks))


def _balance(profile: DatasetProfile, prefix: str) -> Table:
    def row(words: str, count: int, kind: str) -> tuple[Cell, str]:
        return Cell(text=words, why=counted_id(kind, prefix)), f"{count:,}"

    rows = [row(f"images: {state}", count, "states") for state, count in profile.states.items()]
    rows += [row("images found, the sum of these", profile.source_count, "found")]
    rows += [
        row(f"other files: {kind.replace('_', ' ').replace('(', ' (')}", count, "others")
        for kind, count in sorted(profile.other_files.items())
    ]
    total = profile.source_count + sum(profile.other_files.values())
    rows += [row("everything found", total, "found")]
    rows += [row(f"split: {split}", count, "splits") for split, count in profile.splits.items()]
    gap = profile.source_count - sum(profile.states.values())
    note = (
        "The states add up to what was found."
        if gap == 0
        else f"The states differ from what was found by {gap:,}: run tonnage verify."
    )
    return Table(
        caption="Every occurrence, once", columns=("what", "count"), rows=text_rows(rows), numeric=frozenset({1}), note=note
    )


def _speed(profile: DatasetProfile, prefix: str) -> KeyFacts:
    facts, why = profile.curation, counted_id("speed", prefix)
    taken_up_count = facts.get("taken_up_count")
    rates = [
        KeyFact(label="images", value=show(facts.get("images_per_s"), "images_per_s"), why=why),
        KeyFact(label="bytes read", value=show(facts.get("bytes_per_s"), "bytes_per_s"), why=why),
    ]
    taken_up = KeyFact(label="read before that, by a run that was stopped", value=f"{taken_up_count or 0:,.0f} images")
    items = [
        KeyFact(label="last batch took", value=show(facts["elapsed_s"], "s"), why=why),
        *([taken_up] if taken_up_count else rates),
        KeyFact(label="workers", value=f"{facts.get('worker_count', 0):.0f}", note=f"on {facts.get('core_count', 0):.0f} cores"),
    ]
    return KeyFacts(items=tuple(items))


def _refused(evidence: DatasetEvidence, figures: dict[str, go.Figure], prefix: str) -> Section:
    profile, refusals = evidence.profile, evidence.refusals
    count = profile.states.get("quarantined", 0)
    left_out = sum(profile.reasons.values())
    lead = f"Refused, and kept in quarantine: {count:,}. Left out as duplicates or by a rule: {max(left_out - count, 0):,}."
    blocks: list[Block] = []
    if left_out == 0:
        lead = "Nothing was refused, dropped or duplicated."
        blocks.append(Prose(text="Every image that was found is in the dataset.", calm=True))
    if "reasons" in figures:
        table = _counts_table("Left out, by reason", "reason", profile.reasons, counted_id("reasons", prefix))
        blocks.append(Chart(id=f"{prefix}reasons", figure=figures["reasons"], table=table))
    if refusals is not None and refusals.height:
        blocks.append(_refusals_table(evidence))
    elif count and refusals is None:
        blocks.append(Prose(text="Names and thumbnails are shown when the dataset itself is given to the report.", calm=True))
    return Section(id=f"{prefix}refused", title="What was refused, and why", short="Refused", lead=lead, blocks=tuple(blocks))


def _refusals_table(evidence: DatasetEvidence) -> Table:
    assert evidence.refusals is not None
    shown = evidence.refusals.head(_REFUSALS_IN_TABLE)
    rows = [
        (
            Cell(text=row["source"], picture=evidence.refused.get(row["source"])),
            row["reason"].replace("_", " "),
            Cell(text=row["message"], quiet=True),
            DASH if row["size_bytes"] is None else show(row["size_bytes"], "bytes"),
        )
        for row in shown.iter_rows(named=True)
    ]
    total = evidence.profile.states.get("quarantined", evidence.refusals.height)
    note = f"The first {len(rows):,} of {total:,}; all are in the dataset's quarantine table." if total > len(rows) else ""
    return Table(
        caption="Each refusal",
        columns=("source", "reason", "what is wrong", "size"),
        rows=text_rows(rows),
        numeric=frozenset({3}),
        note=note,
        stacked=True,
        named=True,
        shown_count=_REFUSALS_OPEN,
    )


def _counts_table(caption: str, noun: str, counts: Mapping[str, int], why: str, most: int = _LABELS_IN_TABLE) -> Table:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    total = sum(count for _, count in ranked)
    rows = [(name, f"{count:,}", show(count / total if total else 0.0, "share")) for name, count in ranked[:most]]
    note = f"The {most:,} most frequent of {len(ranked):,}." if len(ranked) > most else ""
    return Table(
        caption=caption, columns=(noun, "count", "share"), rows=text_rows(rows), numeric=frozenset({1, 2}), note=note, why=why
    )  # fmt: skip


def _made_of(evidence: DatasetEvidence, figures: dict[str, go.Figure], prefix: str) -> Section:
    profile = evidence.profile
    if not profile.image_count:
        calm = Prose(text="The dataset holds no images, so it has no sizes, formats or labels.", calm=True)
        return Section(
            id=f"{prefix}made-of", title="What the dataset is made of", short="Made of", lead="It is empty.", blocks=(calm,)
        )
    lead = (
        f"{plural(profile.image_count, 'image')}, on average {show(profile.mean_image_bytes, 'bytes')} and "
        f"{show(profile.mean_pixels, 'pixels')}, in {plural(profile.shard_count, 'shard')} "
        f"({show(profile.shard_bytes, 'bytes')} on disk)."
    )
    blocks: list[Block] = [_key_facts(profile, prefix)]
    for name in ("image_bytes", "image_pixels"):
        if name in figures:
            chart = Chart(
                id=f"{prefix}{name.replace('_', '-')}", figure=figures[name], table=_quantiles(profile, name), half=True
            )
            blocks.append(chart)
    blocks += [Chart(id=f"{prefix}{name}", figure=figure, half=True) for name, figure in _image_figures(evidence).items()]
    for name, counts in (("formats", profile.formats), ("labels", profile.labels)):
        if name in figures:
            table = _counts_table(
                f"Images by {name[:-1]}", name[:-1], counts, counted_id("labels" if name == "labels" else "images", prefix)
            )
            blocks.append(
                Chart(id=f"{prefix}{name}", figure=figures[name], table=table, half={"formats", "labels"} <= figures.keys())
            )
    if "labels" not in figures:
        blocks.append(Prose(text="No image has a label.", calm=True))
    blocks += [Pictures(title=title, pictures=pictures) for title, pictures in evidence.extremes.items() if pictures]
    return Section(id=f"{prefix}made-of", title="What the dataset is made of", short="Made of", lead=lead, blocks=tuple(blocks))


def _image_figures(evidence: DatasetEvidence) -> dict[str, go.Figure]:
    if evidence.images is None or evidence.images.is_empty():
        return {}
    found = {"shapes": scatter_of_shapes(evidence.images), "quality": quality_boxes(evidence.images)}
    return {name: figure for name, figure in found.items() if figure is not None}


def _key_facts(profile: DatasetProfile, prefix: str) -> KeyFacts:
    median_bytes, median_pixels = show(profile.image_size_bytes.median, "bytes"), show(profile.image_pixels.median, "pixels")
    items = [
        KeyFact(
            label="images", value=f"{profile.image_count:,}", note=f"version {profile.version}", why=counted_id("images", prefix)
        ),
        KeyFact(
            label="bytes an image",
            value=show(profile.mean_image_bytes, "bytes"),
            note=f"median {median_bytes}",
            why=counted_id("mean", prefix),
        ),
        KeyFact(
            label="pixels an image",
            value=show(profile.mean_pixels, "pixels"),
            note=f"median {median_pixels}",
            why=counted_id("mean", prefix),
        ),
        KeyFact(
            label="labels",
            value=f"{profile.label_count:,}",
            note=", ".join(f"{k} {v:,}" for k, v in profile.splits.items()),
            why=counted_id("labels", prefix),
        ),
    ]
    return KeyFacts(items=tuple(items))


def _quantiles(profile: DatasetProfile, name: str) -> Table:
    from toolkit.facts import QUANTILE_SHARES

    sketch, unit = (profile.image_size_bytes, "bytes") if name == "image_bytes" else (profile.image_pixels, "pixels")
    rows = [(show(share, "share"), show(value, unit)) for share, value in zip(QUANTILE_SHARES, sketch.values, strict=False)]
    return Table(caption="Quantiles", columns=("share of images", "at most"), rows=text_rows(rows), numeric=frozenset({0, 1}))


def _look_alikes(evidence: DatasetEvidence, prefix: str) -> Section | None:
    profile = evidence.profile
    if not profile.image_count:
        return None
    copies, groups = profile.reasons.get("exact_duplicate", 0), profile.near_duplicate_group_count
    lead = "No image was found twice, and no two images kept look alike."
    if copies or groups:
        exact = f"{plural(copies, 'exact copy', 'exact copies')} of images kept {'was' if copies == 1 else 'were'} left out."
        torn_count = profile.straddling_group_count
        places = f"{torn_count:,} of them in several splits" if torn_count else "each in one split"
        near = f"{profile.near_duplicate_image_count:,} images form {plural(groups, 'group')} of near duplicates, {places}."
        lead = " ".join(([exact] if copies else []) + [near if groups else "No two images kept look alike."])
    blocks: list[Block] = [
        Pictures(title=f"Found {count:,} times, kept once", pictures=pictures, note=_more(count - len(pictures)))
        for pictures, count in evidence.copies
    ]
    if blocks:
        blocks.append(_copies_table(evidence))
    blocks += [Pictures(title=f"Near duplicates, group {i + 1}", pictures=group) for i, group in enumerate(evidence.groups)]
    if (copies or groups) and not blocks:
        blocks.append(Prose(text="They are shown when the dataset itself is given to the report.", calm=True))
    return Section(id=f"{prefix}alike", title="What looks alike", short="Alike", lead=lead, blocks=tuple(blocks))


def _copies_table(evidence: DatasetEvidence) -> Table:
    """Return the whole names of the copies that are shown, which a row of pictures has no room for."""
    rows = [(Cell(text=kept.name), Cell(text=copy.name), copy.note) for (kept, *copies), _ in evidence.copies for copy in copies]
    columns = ("kept", "found again as", "with")
    return Table(caption="The copies by name", columns=columns, rows=text_rows(rows), stacked=True, named=True, folded=True)


def _more(count: int) -> str:
    return f"{count:,} more not shown" if count > 0 else ""
