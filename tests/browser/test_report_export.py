"""A report printed to PDF and its figures as pictures, by the browser that is there and nothing else."""

from __future__ import annotations

import io
import os
import re
import shutil
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import reporting_facts as facts
from conftest import tonnage
from PIL import Image

import toolkit
from toolkit.errors import TonnageError
from toolkit.reporting.browser import browser_path

pytestmark = pytest.mark.browser

GIVEN = (facts.profile(), facts.measurements(), facts.projection())


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    if os.environ.get("TONNAGE_NO_BROWSER") == "1":
        pytest.skip("TONNAGE_NO_BROWSER=1")
    browser_path()


def _pages(paper: bytes) -> list[int]:
    """How many lines and curves each content stream of a PDF draws."""
    drawn = []
    for found in re.finditer(rb"stream\r?\n", paper):
        try:
            text = zlib.decompressobj().decompress(paper[found.end() :])
        except zlib.error:
            continue
        if b" Tf\n" in text or b" re\n" in text:
            drawn.append(len(re.findall(rb"[\d.] [lc]\n", text)))
    return drawn


def test_a_report_is_printed_with_its_figures(tmp_path: Path) -> None:
    paper = toolkit.report(*GIVEN, out=tmp_path / "report.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert _widths_pt(paper) == {595}
    assert len(re.findall(rb"/Type /Page\b", paper)) >= 10
    assert sum(_pages(paper)) > 6_000  # 3,900 where only the figures on the first screen are drawn
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]
    if folder := os.environ.get("TONNAGE_SCREENSHOTS"):
        shutil.copy(tmp_path / "report.pdf", Path(folder) / "printed.pdf")


def _widths_pt(paper: bytes) -> set[int]:
    return {round(float(width)) for width in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ", paper)}


def test_a_report_is_printed_on_letter_where_that_is_asked_for(tmp_path: Path) -> None:
    saved = toolkit.report(facts.empty_profile(), out=tmp_path / "facts.json")
    done = tonnage("report", saved, "--out", tmp_path / "report.pdf", "--paper", "Letter")
    assert done.code == 0, done.err
    assert _widths_pt((tmp_path / "report.pdf").read_bytes()) == {612}


def test_every_figure_is_a_picture_that_says_its_finding(tmp_path: Path) -> None:
    saved = toolkit.report(*GIVEN, out=tmp_path / "facts.json")
    done = tonnage("report", saved, "--figures", tmp_path / "figures", "--format", "svg")
    assert done.code == 0, done.err
    pictures = sorted((tmp_path / "figures").iterdir())
    assert {path.suffix for path in pictures} == {".svg"}
    figures = {name.replace("_", "-") for subject in GIVEN for name in toolkit.figures(subject)}
    assert len(pictures) >= len(figures) >= 15
    for path in pictures:
        root = ET.parse(path).getroot()
        texts = " ".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text"))
        assert len(texts) > 40, path
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 3, path
    growth = (tmp_path / "figures" / "bandwidth.svg").read_text(encoding="utf-8")
    assert "Storage bandwidth falls short" in growth
    assert 'width="900"' in growth


def test_pictures_of_points_have_twice_the_pixels(tmp_path: Path) -> None:
    folder = toolkit.report(facts.profile(), figures=tmp_path / "png", figure_format="png")
    for path in folder.iterdir():
        with Image.open(io.BytesIO(path.read_bytes()), formats=("PNG",)) as picture:
            assert picture.width in {1800, 1240}
            assert len(picture.convert("RGB").getcolors(1 << 22) or []) > 20, path


def test_hostile_names_become_text_in_pictures(tmp_path: Path) -> None:
    hostile = "</script><script>document.body.innerHTML=''</script>\u202e=1"
    folder = toolkit.report(facts.profile(name=hostile, labels={hostile: 5, "b": 2}), figures=tmp_path / "svg")
    texts = [
        "".join(text.itertext()) for text in ET.parse(folder / "labels.svg").getroot().iter("{http://www.w3.org/2000/svg}text")
    ]
    assert any(text.startswith("</script><script>do") for text in texts)
    assert all(b"<script" not in path.read_bytes() for path in folder.iterdir())


def test_a_browser_that_prints_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONNAGE_CHROMIUM", shutil.which("true") or "/bin/true")
    with pytest.raises(TonnageError, match="printed nothing"):
        toolkit.report(facts.profile(), out=tmp_path / "r.pdf")
    with pytest.raises(TonnageError, match="did not draw"):
        toolkit.report(facts.profile(), figures=tmp_path / "svg")
