"""The README's pictures are taken of the sample report by a script; what it takes is a page, and it knows what the sample lacks."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from PIL import Image, ImageStat

SAMPLE = ROOT / "reports" / "sample_report.html"


@pytest.fixture(scope="module")
def script() -> Any:
    found = importlib.util.spec_from_file_location("make_pictures", ROOT / "reports" / "make_pictures.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.browser
def test_pictures_are_of_the_first_screen_and_of_figures(script: Any, chromium: Any, tmp_path: Path) -> None:
    written = script.take(chromium, SAMPLE, tmp_path)
    assert [path.stem for path in written] == ["report-answer", *script.FIGURES]
    for path in written:
        with Image.open(path) as picture:
            assert picture.width > 700, path.stem
            assert picture.height >= 300, path.stem
            assert ImageStat.Stat(picture.convert("L")).stddev[0] > 8, f"{path.stem} is blank"
    with Image.open(written[0]) as first:
        assert first.size == (script.WIDTH_PX, script.HEIGHT_PX)


def test_the_sample_is_small_and_what_it_lacks_is_named(script: Any) -> None:
    assert SAMPLE.stat().st_size <= script.MOST_BYTES
    figures = "".join(f'id="{name}"' for name in script.SHOWN)
    assert script.missing("<html>") == [*script.SHOWN, "a back-test"]
    assert script.missing(figures) == ["a back-test"]
    assert script.missing(f"Back-test{figures}") == []
    assert script.missing(SAMPLE.read_text(encoding="utf-8")) == []


def test_every_picture_of_the_readme_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []
