"""A report as other files than the page: its facts (from which the page is made again), its numbers, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest
import reporting_facts as facts
from conftest import ROOT, tonnage
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit.errors import DatasetError, ExtraError, UsageError
from toolkit.reporting import keeping
from toolkit.reporting.blocks import Picture
from toolkit.reporting.evidence import DatasetEvidence
from toolkit.reporting.numbers import NUMBERS_SCHEMA
from toolkit.reporting.page import render
from toolkit.reporting.subjects import Subjects

SCENARIO = ROOT / "sample_data" / "scenarios" / "vision_team_100tb.yaml"


@pytest.fixture(scope="module")
def written(
    sample_dataset: Path, sample_measurements: Path, sample_projection: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One report of everything, as a page, as facts and as numbers, by the command."""
    folder = tmp_path_factory.mktemp("written")
    wanted = [part for kind in ("html", "json", "parquet") for part in ("--out", folder / f"report.{kind}")]
    done = tonnage("report", sample_dataset, sample_measurements, sample_projection, *wanted)
    assert done.code == 0, done.err
    assert done.out.split() == [str(folder / f"report.{kind}") for kind in ("html", "json", "parquet")]
    return folder


def _in_a_process_of_its_own(seed: str, *arguments: str | Path) -> None:
    environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": "Asia/Kathmandu" if seed == "2" else "UTC"}
    command = [sys.executable, "-m", "toolkit", "report", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)


def test_the_same_facts_give_the_same_bytes_in_any_process(
    written: Path, sample_dataset: Path, sample_measurements: Path, sample_projection: Path, tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        given = (sample_dataset, sample_measurements, sample_projection)
        _in_a_process_of_its_own(seed, *given, "--out", tmp_path / f"{seed}.html", "--out", tmp_path / f"{seed}.json")
    for kind in ("html", "json"):
        assert (tmp_path / f"1.{kind}").read_bytes() == (tmp_path / f"2.{kind}").read_bytes()
        assert (tmp_path / f"1.{kind}").read_bytes() == (written / f"report.{kind}").read_bytes()


def test_the_page_is_made_again_from_its_facts_alone(written: Path, tmp_path: Path) -> None:
    _in_a_process_of_its_own("3", written / "report.json", "--out", tmp_path / "again.html", "--out", tmp_path / "again.json")
    page = (written / "report.html").read_bytes()
    assert (tmp_path / "again.html").read_bytes() == page
    assert (tmp_path / "again.json").read_bytes() == (written / "report.json").read_bytes()
    assert page.count(b"data:image/webp") > 20  # thumbnails came along: they were not left out on both sides


def test_a_projection_made_twice_is_the_same_but_for_nothing(tmp_path: Path) -> None:
    pages = [toolkit.report(toolkit.project(SCENARIO, draws=50), out=tmp_path / f"{n}.html").read_bytes() for n in range(2)]
    assert pages[0] == pages[1]


def test_every_kind_of_subject_can_be_kept() -> None:
    evidence = DatasetEvidence(
        profile=facts.profile(name=facts.HOSTILE),
        refused={"a": Picture(name="a", uri="data:,x")},
        groups=((Picture(name="b"), Picture(name="c")),),
        extremes={"Darkest": ()},
    )
    subjects = Subjects(datasets=(evidence,), measurements=(facts.measurements(),), projections=(facts.projection(),))
    assert {field.name for field in dataclasses.fields(Subjects)} <= set(keeping.keep(subjects))
    kept = json.loads(json.dumps(keeping.keep(subjects), allow_nan=False))
    again, measured, projected = keeping.kept_subjects(kept)
    assert again == evidence
    assert measured == facts.measurements()
    same = Subjects(datasets=(again,), measurements=(measured,), projections=(projected,))
    assert render(same) == render(subjects)


@given(
    st.recursive(
        st.none() | st.floats() | st.integers() | st.text() | st.booleans(),
        lambda one: st.lists(one).map(tuple) | st.dictionaries(st.text(), one),
    )
)
def test_whatever_is_kept_comes_back(value: object) -> None:
    told = json.loads(json.dumps(keeping._plain(value), allow_nan=False))
    assert repr(keeping._made(told)) == repr(value)


@pytest.mark.parametrize(
    "damaged",
    ['{"schema": "tonnage.report/9"}', '{"schema": "tonnage.report/1", "datasets": [{"DatasetEvidence": {}}]}',
     '{"schema": "tonnage.report/1", "datasets": [{"table": {"x": ["Object", {"list": []}]}}]}', '{"schema": "tonnage.report/1", "datasets": [{}]}'],
)  # fmt: skip
def test_damaged_facts_are_refused_in_a_sentence(damaged: str, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(damaged)
    with pytest.raises(DatasetError, match="write them again"):
        toolkit.report(tmp_path / "facts.json", out=tmp_path / "r.html")


def test_the_numbers_are_those_of_the_facts(written: Path, sample_dataset: Path, sample_projection: Path) -> None:
    told = pl.read_parquet(written / "report.parquet")
    assert dict(told.schema) == NUMBERS_SCHEMA
    profile = toolkit.open_dataset(sample_dataset).profile
    counts = told.filter(kind="dataset", quantity="states")
    assert dict(zip(counts["item"], counts["value"], strict=True)) == profile.states
    frame = pl.DataFrame(json.loads(sample_projection.read_text())["frame"])
    assert told.filter(kind="projection").height == frame.height
    assert told.filter(kind="projection", quantity="storage.capacity_bytes")["high"].sum() == pytest.approx(
        frame.filter(quantity="storage.capacity_bytes")["p90"].sum()
    )
    assert told.filter(kind="measurements").height > 5
    assert told["unit"].null_count() == 0


def _cells(book: Path, sheet: int) -> list[list[str]]:
    """The texts of a sheet, read by nothing but the format's own XML."""
    space = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(book) as archive:
        shared = ["".join(part.itertext()) for part in ET.fromstring(archive.read("xl/sharedStrings.xml")).findall("s:si", space)]
        rows = ET.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml")).findall(".//s:row", space)
        assert not [cell for row in rows for cell in row.findall(".//s:f", space)], "a formula"
        found = []
        for row in rows:
            values = [(cell.get("t"), cell.findtext("s:v", "", space)) for cell in row.findall("s:c", space)]
            found.append([shared[int(value)] if kind == "s" else value for kind, value in values])
        return found


def test_the_workbook_holds_the_numbers_and_runs_nothing(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter", reason="tonnage[xlsx] is not installed")
    hostile = '=HYPERLINK("http://x")\x01' + "y" * 40_000
    projection = facts.projection(name=hostile)
    given = (facts.profile(labels={hostile: 5, "@SUM(1)": 2}), facts.measurements(), projection)
    book = toolkit.report(*given, out=tmp_path / "numbers.xlsx")
    again = toolkit.report(*given, out=tmp_path / "again.xlsx")
    assert book.read_bytes() == again.read_bytes()
    first = _cells(book, 1)
    assert first[0] == list(NUMBERS_SCHEMA)
    toolkit.report(*given, out=tmp_path / "numbers.parquet")
    assert len(first) == pl.read_parquet(tmp_path / "numbers.parquet").height + 1
    assert any(row[1].startswith("=HYPERLINK") for row in first)
    with zipfile.ZipFile(book) as archive:
        names = [
            sheet.get("name") for sheet in ET.fromstring(archive.read("xl/workbook.xml")).iter() if sheet.tag.endswith("}sheet")
        ]
    assert names[:2] == ["numbers", "plan"]
    assert {"assumptions", "measurements", "sensitivity"} <= set(names)


def test_without_the_writer_of_workbooks_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(ExtraError, match=r"pip install 'tonnage\[xlsx\]'"):
        toolkit.report(facts.profile(), out=tmp_path / "r.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["r.pdf", "figures"])
def test_without_a_browser_a_sentence_says_what_to_install(target: str, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(json.dumps(facts.profile().to_dict()))
    option = ["--out", f"{target}"] if target.endswith("pdf") else ["--figures", target]
    environment = {"PATH": "/nonexistent", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "toolkit", "report", "facts.json", *option]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "install Chromium" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"out": "report.docx"}, "'report.docx' does not end in .html, .pdf, .json, .parquet or .xlsx"),
        ({"out": "report"}, "does not end in"),
        ({"out": "report.pdf", "paper": "A5"}, "printed on A4 or Letter, not 'A5'"),
        ({}, "needs a file"),
        ({"figures": "x", "figure_format": "gif"}, "svg or png, not 'gif'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_work(asked: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        toolkit.report("/nowhere", **asked)


def test_a_dataset_named_twice_is_reported_once(sample_dataset: Path, tmp_path: Path) -> None:
    once = toolkit.report(sample_dataset, out=tmp_path / "once.html").read_bytes()
    assert toolkit.report(sample_dataset, str(sample_dataset), out=tmp_path / "twice.html").read_bytes() == once
