"""What a report shows of versions and of copies: each version against the one before, every copy beside the image that is kept."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import measured_dataset
import polars as pl
import pytest
import reporting_facts as facts
from distributed import Client
from PIL import Image

import toolkit
from toolkit.dataset.diffing import VersionDiff, diff
from toolkit.dataset.reading import Dataset
from toolkit.reporting.evidence import DatasetEvidence, Gallery, gather
from toolkit.reporting.evidence_changes import VersionChange, shown_of
from toolkit.reporting.figures_changes import change_figures, changes_by_version, states_changed
from toolkit.reporting.keeping import keep
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects, subjects_of

LONG = "folder/" + "x" * 500 + ".png"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three versions: five images with copies of two of them; one more image; one image removed."""
    folder = tmp_path_factory.mktemp("versions")
    source = folder / "in"
    source.mkdir()
    for number in range(5):
        Image.linear_gradient("L").rotate(70 * number).resize((64, 64)).save(source / f"image {number}.png")
    for copy in range(6):
        (source / f"copy <{copy}>.png").write_bytes((source / "image 1.png").read_bytes())
    Image.open(source / "image 2.png").save(source / "other.bmp")
    place = folder / "ds"
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        return _versions_at(source, place, client)


def _versions_at(source: Path, place: Path, client: Client) -> Dataset:
    toolkit.curate(source, place, scheduler=client)
    Image.effect_noise((64, 64), 40).save(source / "late.png")
    toolkit.curate(source, place, scheduler=client)
    return toolkit.remove(place, where="source LIKE '%image 4.png'", scheduler=client)


@pytest.fixture(scope="module")
def evidence(dataset: Dataset) -> DatasetEvidence:
    return gather(dataset, Gallery())


def test_each_version_stands_against_the_one_before(evidence: DatasetEvidence) -> None:
    assert [(c.old_version, c.new_version, c.counts["added"], c.counts["removed"]) for c in evidence.changes] == [
        (1, 2, 0, 1),
        (0, 1, 1, 0),
    ]
    figures = change_figures(evidence.changes)
    drawn = {trace.name: list(trace.x) for trace in figures["changes"].data}
    assert drawn == {"added": [0, 1], "changed": [0, 0], "removed": [-1, 0]}
    assert figures["changes"].layout.title.text == "From version 1 to 2: 1 image removed"


def test_the_page_names_what_came_and_went(evidence: DatasetEvidence) -> None:
    page = html.unescape(render(Subjects(datasets=(evidence,))))
    assert "Images removed from version 1: 1" in page
    assert page.index('id="came-in"') < page.index('id="changed"') < page.index('id="refused"')
    section = page[page.index('<section id="changed"') : page.index('<section id="refused"')]
    assert "image 4.png" in section


def test_a_dataset_at_an_earlier_version_shows_the_past_alone(dataset: Dataset) -> None:
    found = gather(toolkit.open_dataset(dataset.store.location, 1), Gallery())
    assert [(change.old_version, change.new_version) for change in found.changes] == [(0, 1)]


def test_a_profile_alone_shows_the_versions_and_says_what_lacks() -> None:
    page = render(Subjects(datasets=(DatasetEvidence(profile=facts.profile()),)))
    assert 'id="figure-versions"' in page
    assert "The versions themselves are not compared here" in html.unescape(page)


def test_copies_lie_beside_the_image_that_is_kept(evidence: DatasetEvidence) -> None:
    (first, count), (second, other_count) = evidence.copies
    assert (count, other_count) == (7, 2)
    assert len(first) == 5, "as many as fit beside each other"
    kept, *copies = first
    assert kept.uri is not None
    assert kept.note.startswith("kept: 64")
    assert all(copy.is_repeated and copy.uri is None and copy.note == "same bytes" for copy in copies)
    assert {picture.note.partition(",")[0] for picture in second[1:]} == {"same pixels"}


def test_a_picture_is_held_once_for_all_its_copies(evidence: DatasetEvidence) -> None:
    page = render(Subjects(datasets=(evidence,)))
    kept = evidence.copies[0][0][0]
    assert kept.uri is not None
    assert page.count('class="repeated"') == 5
    section = page[page.index('<section id="alike"') :]
    assert section.count(kept.uri) == 2, "as itself and as what its copies are drawn from"
    assert "Found 7 times, kept once" in page
    assert "2 more not shown" in page.replace("\u00a0", " ")
    assert "copy &lt;0&gt;.png" in page


def differing(**changes: object) -> VersionChange:
    images = pl.DataFrame(schema={"image_id": str, "source": str, "size_bytes": int, "label": str, "split": str})
    given: dict[str, Any] = {
        "location": "/data",
        "old_version": 3,
        "new_version": 4,
        "steps": pl.DataFrame(
            [(4, "redecide", "2026-01-02T11:00:00Z", 9)], schema=["version", "kind", "committed_at", "image_count"], orient="row"
        ),
        "added": images,
        "removed": images,
        "changed": pl.DataFrame(schema={"image_id": str, "source": str, "columns": pl.List(str)}),
        "states": pl.DataFrame(schema={"state": str, "reason": str, "old_count": int, "new_count": int}),
    }
    return shown_of(VersionDiff(**(given | changes)))


def test_versions_without_a_difference_are_calm() -> None:
    assert changes_by_version([differing()]) is None
    assert states_changed(differing()) is None
    page = render(Subjects(diffs=(differing(),)))
    assert "no image was added, removed or changed" in page
    assert "no image and no occurrence differs" in page


def test_a_version_that_changed_nothing_points_to_the_one_that_did() -> None:
    changed = pl.DataFrame([("id", LONG, ["split", "duplicate_group"])], schema=["image_id", "source", "columns"], orient="row")
    figure = changes_by_version([differing(), differing(old_version=2, new_version=3, changed=changed)])
    assert figure is not None
    wanted = "From version 3 to 4 no image was added, removed or changed; from version 2 to 3: 1 image changed"
    assert figure.layout.title.text == wanted


def test_hostile_names_and_many_states_stay_text() -> None:
    changed = pl.DataFrame(
        [("id", facts.HOSTILE, ["label"]), ("id", LONG, ["split"])], schema=["image_id", "source", "columns"], orient="row"
    )
    states = pl.DataFrame(
        [("quarantined", f"{facts.HOSTILE} {n}", 0, n + 1) for n in range(40)],
        schema=["state", "reason", "old_count", "new_count"],
        orient="row",
    )
    found = differing(changed=changed, states=states)
    figure = states_changed(found)
    assert figure is not None
    assert len(figure.data[0].x) == 12
    assert "28 smaller changes not drawn" in figure.layout.meta["about"]
    page = render(Subjects(diffs=(found,)))
    assert "<script>alert" not in page
    assert LONG in page


def test_two_versions_of_choice_are_a_subject_of_their_own(dataset: Dataset, tmp_path: Path) -> None:
    found = diff(dataset, 0, 2)
    assert set(toolkit.figures(found)) == {"changes", "states-changed"}
    subjects = subjects_of((dataset, found), Gallery())
    assert len(subjects.diffs) == 1
    page = toolkit.report(dataset, found, out=tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('id="changed"') == 1
    assert 'id="v1-changed"' in page
    assert "v0 to v2" in page


def test_no_copies_and_no_look_alikes_is_said_in_a_sentence() -> None:
    nothing = facts.profile(near_duplicate_group_count=0, near_duplicate_image_count=0, reasons={}, states={"kept": 361})
    assert "No image was found twice, and no two images kept look alike." in render(
        Subjects(datasets=(DatasetEvidence(profile=nothing),))
    )


def test_images_that_were_never_found_twice_have_no_copies(tmp_path: Path) -> None:
    assert gather(toolkit.open_dataset(measured_dataset.build(tmp_path / "plain")), Gallery()).copies == ()


def test_the_same_page_comes_from_the_facts_alone(evidence: DatasetEvidence, dataset: Dataset, tmp_path: Path) -> None:
    subjects = Subjects(datasets=(evidence,), diffs=(shown_of(diff(dataset, 0, 2)),))
    (tmp_path / "report.json").write_text(json.dumps(keep(subjects)), encoding="utf-8")
    assert render(subjects_of((tmp_path / "report.json",), Gallery())) == render(subjects)
