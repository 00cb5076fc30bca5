"""Issues follow from stored scores, by the thresholds that are stated; verdicts are those of cleanvision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from typer.testing import CliRunner

import toolkit
from toolkit.cli import app
from toolkit.curation.quality import scored_luma, scores
from toolkit.dataset.issues import ISSUES, issues

PHOTO = min((Path(__file__).resolve().parents[2] / "sample_data" / "photos").glob("*.jpg"))


def saved(image: Image.Image, path: Path) -> None:
    image.save(path, quality=95)


@pytest.fixture(scope="module")
def odd_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve ordinary crops of a photograph, and one image per issue."""
    place = tmp_path_factory.mktemp("odd")
    raw = place / "raw"
    raw.mkdir()
    with Image.open(PHOTO) as photo:
        image = photo.convert("RGB").resize((480, 360))
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        saved(Image.blend(image, Image.fromarray(noise).resize(image.size), 0.6), raw / f"plain{number}.jpg")
    white, black = Image.new("RGB", image.size, "white"), Image.new("RGB", image.size)
    saved(Image.blend(image, black, 0.9), raw / "dark.jpg")
    saved(Image.blend(image, white, 0.98), raw / "light.jpg")
    saved(image.crop((0, 100, 480, 220)).resize((830, 208)), raw / "strip.jpg")
    saved(Image.new("RGB", image.size, (90, 90, 90)), raw / "flat.jpg")
    saved(ImageOps.invert(Image.radial_gradient("L")).resize(image.size).convert("RGB"), raw / "blur.jpg")
    saved(image.resize((1280, 960)), raw / "large.jpg")
    saved(image.convert("L").rotate(180), raw / "gray.jpg")
    boxed = black.copy()
    boxed.paste(image.resize((480, 240)), (0, 60))
    saved(boxed, raw / "boxed.jpg")
    (raw / "plain0-copy.jpg").write_bytes((raw / "plain0.jpg").read_bytes())
    toolkit.curate([raw], place / "dataset")
    return place / "dataset"


def named(dataset: Path, issue: str) -> set[str]:
    found = issues(toolkit.open_dataset(dataset)).filter(issue=issue).collect()
    return {Path(source).stem for source in found["source"]}


@pytest.mark.parametrize(
    ("issue", "members"),
    [
        ("light", {"light"}),
        ("odd_aspect", {"strip"}),
        ("odd_size", {"large", "strip"}),  # all others are of one size
        ("grayscale", {"gray"}),
        ("exact_duplicate", {"plain0", "plain0-copy"}),
    ],
)
def test_each_issue_names_the_images_that_have_it_and_no_other(odd_dataset: Path, issue: str, members: set[str]) -> None:
    assert named(odd_dataset, issue) == members


@pytest.mark.parametrize(
    ("issue", "member"), [("dark", "dark"), ("low_information", "flat"), ("border", "boxed"), ("blurry", "blur")]
)
def test_degraded_images_have_their_issue_and_ordinary_ones_have_not(odd_dataset: Path, issue: str, member: str) -> None:
    found = named(odd_dataset, issue)
    assert member in found
    assert not any(name.startswith("plain") for name in found)


def test_every_issue_is_one_that_is_stated(odd_dataset: Path) -> None:
    found = issues(toolkit.open_dataset(odd_dataset)).collect()
    assert set(found["issue"]) <= set(ISSUES)
    assert found.columns == ["image_id", "source", "issue", "score"]
    assert found.null_count().sum_horizontal().item() == 0
    assert not found.select("source", "issue").is_duplicated().any()


def test_the_command_counts_all_and_shows_as_many_as_asked_for(odd_dataset: Path) -> None:
    done = CliRunner().invoke(app, ["issues", str(odd_dataset), "--limit", "1", "--issue", "exact_duplicate", "--json"])
    answer = json.loads(done.output)
    assert answer["counts"] == {"exact_duplicate": 2}
    assert [row["score"] for row in answer["issues"]] == [2.0]
    assert "more" not in done.output
    lines = CliRunner().invoke(app, ["issues", str(odd_dataset), "--limit", "1"]).output.splitlines()
    assert "not shown" in lines[-1]


def pattern(name: str) -> Image.Image:
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16), np.uint8))
    return {
        "noise": lambda: Image.fromarray(rng.integers(0, 256, (48, 64), np.uint8)),
        "coarse": lambda: coarse.resize((64, 48), Image.Resampling.BICUBIC),
        "blurred": lambda: coarse.resize((64, 48), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(8)),
        "flat": lambda: Image.new("L", (64, 48), 128),
    }[name]()


@pytest.mark.parametrize(
    ("name", "score"),
    [("noise", 0.6949117591935949), ("coarse", 0.424475102511512), ("blurred", 0.5275400955046393), ("flat", 1.0)],
)
def test_focus_is_the_blurry_score_of_cleanvision(name: str, score: float) -> None:
    """The values are what cleanvision 0.3.7 gave for these images."""
    pixels = np.asarray(pattern(name))
    assert scores(scored_luma(pixels), 64, 48)["focus_score"] == pytest.approx(score, abs=1e-6)


def test_a_frame_is_measured_by_its_area() -> None:
    inner = np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8)
    framed = np.zeros((80, 60), np.uint8)
    framed[20:60] = inner

    def share(pixels: np.ndarray) -> float:
        found: float = scores(pixels, 10, 10)["border_share"]
        return found

    assert share(framed) == pytest.approx(0.5)
    assert share(framed.T) == pytest.approx(0.5)
    assert share(inner) == 0
    assert share(np.full((20, 30), 7, np.uint8)) == 1
    halves = np.zeros((20, 30), np.uint8)
    halves[10:] = 255
    assert share(halves) == 0
    assert share(np.ascontiguousarray(halves.T)) == 0
