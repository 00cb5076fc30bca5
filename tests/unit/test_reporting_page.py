"""The page as a whole: a section for what is there, calm for what is not, nothing hostile, nothing from elsewhere."""

from __future__ import annotations

import base64
import gzip
import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import reporting_facts as facts

import toolkit
from toolkit.errors import DatasetError, MissingError, UsageError
from toolkit.facts import DatasetProfile, MeasurementSet, Quantiles
from toolkit.reporting.evidence import DatasetEvidence
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects

LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "manifest"}


class Page(html.parser.HTMLParser):
    """What a browser would see of a page: its elements, texts, scripts and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.figures: dict[str, dict[str, Any]] = {}
        self._open: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if given.get("id") else []
        if tag == "a":
            self.links.append(given.get("href") or "")
        self.loads += [value or "" for name, value in attrs if name in LOADING]
        self.loads += [given.get("href") or ""] if tag == "link" else []
        self._open = given if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is None:
            return
        self.scripts.append(data)
        if name := self._open.get("data-figure"):
            self.figures[name] = json.loads(data)


@pytest.fixture(scope="module")
def full() -> str:
    return render(_everything())


def _everything() -> Subjects:
    return Subjects(
        datasets=(DatasetEvidence(profile=facts.profile()),),
        measurements=(facts.measurements(),),
        projections=(facts.projection(),),
    )


def _of(profile: DatasetProfile) -> str:
    return render(Subjects(datasets=(DatasetEvidence(profile=profile),)))


def test_a_full_page_has_every_section_once_and_is_small(full: str) -> None:
    page = Page(full)
    wanted = ["answer", "plan", "came-in", "refused", "made-of", "alike", "measured", "growth", "load", "doubling", "sensitivity"]
    wanted += ["assumptions", "unsaid", "formulas"]
    assert [name for name in page.ids if name in wanted] == wanted
    assert len(page.ids) == len(set(page.ids))
    assert len(full.encode()) < 1_500_000
    packed = re.findall(r'<script type="text/plain" id="plotly">([^<]*)</script>', full)
    assert len(packed) == 1
    assert b"plotly.js (cartesian - minified)" in gzip.decompress(base64.b64decode(packed[0]))[:200]


def test_every_link_inside_the_page_has_its_target(full: str) -> None:
    page = Page(full)
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert len(inside) > 20
    assert not [name for name in inside if name not in page.ids]


def test_nothing_is_loaded_from_elsewhere(full: str) -> None:
    page = Page(full)
    assert not [address for address in page.loads if not address.startswith("data:")]
    css = re.search(r"<style>(.*?)</style>", full, re.DOTALL)
    assert css is not None
    assert "url(" not in css.group(1)
    assert "@import" not in css.group(1)
    assert "default-src 'none'" in full
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside == {"https://example.com/h100.pdf"}  # the source of an assumption, followed only when clicked


def test_the_same_facts_give_the_same_page(full: str) -> None:
    assert render(_everything()) == full


def test_the_answer_comes_before_any_script(full: str) -> None:
    headline = full.index("Two GPU servers now")
    assert headline < full.index("<script")
    assert full.index("<h1>") < headline
    assert "needs input" in full


@pytest.mark.parametrize("kind", ["datasets", "measurements", "projections"])
def test_a_page_of_one_subject_says_calmly_what_it_has_not(kind: str) -> None:
    whole = _everything()
    text = render(Subjects(**{kind: getattr(whole, kind)}))
    missing = {
        "datasets": "No dataset is part",
        "measurements": "No measurements are part",
        "projections": "No projection is part",
    }
    for other, sentence in missing.items():
        assert (sentence in text) == (other != kind)
    assert len(Page(text).figures) >= 3


def test_several_subjects_of_a_kind_are_told_apart() -> None:
    text = render(Subjects(projections=(facts.projection(), facts.projection(name="second <b>"))))
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {"plan", "p2-plan"} <= set(page.ids)
    assert "<summary>second &lt;b&gt;</summary>" in text


def test_hostile_names_are_text_and_nothing_else() -> None:
    import polars as pl

    hostile = facts.HOSTILE
    profile = facts.profile(
        name=hostile, labels={hostile: 3, "x" * 500: 2, "</script><script>alert(1)": 1}, label_count=3, formats={hostile: 361},
        other_files={hostile: 2}, splits={hostile: 361}, reasons={hostile: 46},
    )  # fmt: skip
    refusals = pl.DataFrame([{"source": hostile, "reason": hostile, "message": hostile, "size_bytes": 3}])
    evidence = DatasetEvidence(profile=profile, refusals=refusals)
    measurement = facts.measurement(
        "read.sequential", hostile, "bytes_per_s", 1e9, 2e9, conditions={hostile: hostile}, limits=hostile
    )
    projection = facts.projection(name=hostile, flags=(hostile,), limits=(hostile,))
    text = render(Subjects(datasets=(evidence,), measurements=(facts.measurements(measurement),), projections=(projection,)))
    page = Page(text)
    calm = Page(render(_everything()))
    assert page.tags.count("script") == len(page.figures) + 4
    assert calm.tags.count("script") == len(calm.figures) + 4
    assert "<script>alert" not in text
    assert not [script for script in page.scripts if "alert(" in script and "<" in script]
    assert "\u202e" not in text
    assert "\u27e8U+202E\u27e9" in text


def test_an_empty_dataset_is_reported_calmly() -> None:
    text = _of(facts.empty_profile())
    assert "Nothing was found, and the dataset is empty." in text
    assert "Every image that was found is in the dataset." in text
    assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower()
    page = Page(text)
    assert not page.figures
    assert "plotly.js (cartesian" not in text  # a page without figures does not carry the library


def test_a_dataset_without_refusals_says_so() -> None:
    clean = facts.profile(states={"kept": 407, "dropped": 0, "duplicate": 0, "quarantined": 0}, reasons={}, image_count=407)
    text = _of(clean)
    assert "Nothing was refused, dropped or duplicated." in text
    assert "reasons" not in Page(text).figures


def test_ten_thousand_labels_stay_small_and_are_summed() -> None:
    labels = {f"class {i:05d}": 10_001 - i for i in range(1_000)}
    text = _of(facts.profile(labels=labels, label_count=10_000))
    page = Page(text)
    bars = page.figures["labels"]["data"][0]["x"]
    assert len(bars) == 12
    assert sum(bars) == sum(labels.values())
    assert "10,000 labels" in text
    assert len(text.encode()) < 2_000_000


def test_one_label_and_huge_sizes_and_nan_are_shown_as_what_they_are() -> None:
    huge = Quantiles(count=3, mean=1e18, values=(0.0, 1.0, 1e3, 1e6, 1e9, 1e18, 1e18, 1e18, 1e18, 1e18, 1e18))
    text = _of(facts.profile(labels={"only": 3}, label_count=1, image_bytes=10**18, image_size_bytes=huge))
    assert "1 EB" in text
    assert "one label" in text
    projection = facts.projection()
    poisoned = projection.frame.with_columns(
        p10=projection.frame["p10"] * float("nan"), p90=projection.frame["p90"] * float("inf")
    )
    shown = render(Subjects(projections=(facts.projection(frame=poisoned),)))
    assert "unknown" in shown
    for figure in Page(shown).figures.values():
        assert "NaN" not in json.dumps(figure)
        assert "Infinity" not in json.dumps(figure)


def test_a_projection_of_nothing_has_its_sections_all_the_same() -> None:
    whole = facts.projection()
    names = ("frame", "doubling", "sensitivity", "assumptions", "bottlenecks")
    empty = facts.projection(
        months=(), explanations={}, flags=(), limits=(), **{name: getattr(whole, name).clear() for name in names}
    )
    text = render(Subjects(projections=(empty,)))
    assert {"plan", "growth", "load", "doubling", "sensitivity", "assumptions", "formulas"} <= set(Page(text).ids)
    assert set(Page(text).figures) <= {"quarters"}  # the plan is what it is


def test_the_funnel_adds_up(full: str) -> None:
    bars = Page(full).figures["funnel"]["data"]
    sums = [0, 0, 0]
    for bar in bars:
        sums[bar["y"][0]] += bar["x"][0]
    assert sums == [426, 407, 361]


def test_states_that_do_not_add_up_are_said() -> None:
    text = _of(facts.profile(states={"kept": 361, "dropped": 0, "duplicate": 25, "quarantined": 20}))
    assert "differ from what was found by 1" in text


def test_numbers_link_to_their_explanations(full: str) -> None:
    assert 'href="#why-storage-capacity-bytes"' in full
    detail = full[full.index('id="why-storage-capacity-bytes"') :]
    detail = detail[: detail.index("</details>")]
    assert "raw + curated + versions + checkpoints" in detail
    assert 'href="#why-storage-raw-bytes"' in detail


def test_a_report_is_written_whole_from_paths_and_objects(tmp_path: Path) -> None:
    taken = facts.measurements().save(tmp_path / "taken.json")
    planned = facts.projection().save(tmp_path / "planned.json")
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(facts.profile().to_dict()), encoding="utf-8")
    out = toolkit.report(taken, str(planned), profile, out=tmp_path / "new" / "report.html")
    assert out == tmp_path / "new" / "report.html"
    same = toolkit.report(
        MeasurementSet.load(taken), facts.projection(), facts.profile(), facts.measurements(), out=tmp_path / "again.html"
    )
    assert out.read_text(encoding="utf-8") == same.read_text(encoding="utf-8")
    assert sorted(path.name for path in out.parent.iterdir()) == ["report.html"]


def test_what_cannot_be_reported_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to report"):
        toolkit.report(out=tmp_path / "r.html")
    with pytest.raises(MissingError, match=r"nothing at 'gone\.json'"):
        toolkit.report("gone.json", out=tmp_path / "r.html")
    with pytest.raises(UsageError, match="made of a int"):
        toolkit.report(3, out=tmp_path / "r.html")
    other = tmp_path / "other.json"
    other.write_text('{"schema": "other/1"}', encoding="utf-8")
    with pytest.raises(DatasetError, match="holds no measurements"):
        toolkit.report(other, out=tmp_path / "r.html")
    with pytest.raises(UsageError, match="not a Tonnage dataset"):
        toolkit.report(tmp_path, out=tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_json_in_a_script_cannot_end_it() -> None:
    from toolkit.reporting.page import _json

    held = _json({"name": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(held)
    assert json.loads(held) == {"name": "</script><!-- & \u2028"}
