"""How far the issues listed by ``tonnage issues`` agree with cleanvision's, on images of a folder and on degraded ones.

cleanvision runs in an interpreter of its own, since it is no dependency: ``python -m venv V && V/bin/pip install
cleanvision==0.3.7``, then ``python -m benchmarks.cleanvision_agreement FOLDER V/bin/python RESULT.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

import toolkit
from toolkit.dataset.issues import issues

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ISSUE_NAMES", "agreement"]

ISSUE_NAMES: Final = {
    "dark": "dark",
    "light": "light",
    "odd_aspect_ratio": "odd_aspect",
    "low_information": "low_information",
    "blurry": "blurry",
    "odd_size": "odd_size",
    "grayscale": "grayscale",
}
"""cleanvision's name of each issue, and the name here."""

_SCORES: Final = {
    "dark": pl.col("dark_share"),
    "light": 1 - pl.col("light_share"),
    "odd_aspect_ratio": pl.col("aspect_share"),
    "low_information": pl.col("entropy_bits"),
    "blurry": pl.col("focus_score"),
}

_ASK: Final = """
import sys, json
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
names = sys.argv[2].split(",")
lab.find_issues({name: {} for name in names}, n_jobs=1, verbose=False)
frame = lab.issues
frame.index.name = "path"
frame.reset_index().to_json(sys.argv[3], orient="records")
"""


def main(folder: str, interpreter: str, result: str) -> None:
    """Compare on at most 240 images of a folder and on degradations of every fourth of them, and write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        _fill(Path(folder), place / "images")
        found = agreement(place / "images", place, interpreter)
    text = json.dumps({"benchmark": "cleanvision_agreement", "cleanvision": "0.3.7"} | found, indent=1)
    Path(result).write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def _fill(folder: Path, images: Path) -> None:
    images.mkdir()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    for number, path in enumerate(paths[:: max(1, len(paths) // 240)]):
        try:
            with Image.open(path) as image:
                image.load()
                plain = ImageOps.exif_transpose(image)
        except (OSError, ValueError, SyntaxError):
            continue
        if plain.mode not in {"L", "RGB"} or min(plain.size) < 32:
            continue
        plain.save(images / f"{number:04d}{'.png' if path.suffix.lower() == '.png' else '.jpg'}")
        if number % 4 == 0:
            for name, worse in _degraded(plain.convert("RGB")):
                worse.save(images / f"{number:04d}-{name}.jpg", quality=92)


def _degraded(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    longest = max(image.size)
    for share in (0.01, 0.03, 0.08):
        yield f"blur{share}", image.filter(ImageFilter.GaussianBlur(longest * share))
    for factor in (0.1, 0.3, 0.5):
        yield f"dark{factor}", ImageEnhance.Brightness(image).enhance(factor)
    for lift in (0.6, 0.9, 0.97):
        yield f"light{lift}", Image.blend(image, Image.new("RGB", image.size, "white"), lift)
    yield "letterbox", ImageOps.pad(image, (longest, longest), color="black")
    yield "strip", image.resize((image.width, max(16, image.height // 4)))
    yield "gray", image.convert("L")
    yield "flat", Image.blend(image, Image.new("RGB", image.size, "gray"), 0.98)


def agreement(images: Path, place: Path, interpreter: str) -> dict[str, Any]:
    """Return, per issue, the share of equal verdicts, each side's count, and the rank correlation of the scores."""
    answer = place / "answer.json"
    subprocess.run([interpreter, "-c", _ASK, images, ",".join(ISSUE_NAMES), answer], check=True, stdout=subprocess.DEVNULL)
    theirs = pl.DataFrame(json.loads(answer.read_text())).with_columns(name=pl.col("path").str.split("/").list.last())
    recipe = {"exact_duplicates": False}
    dataset = toolkit.curate([images], place / "dataset", recipe=recipe)
    name = pl.col("source").str.split("/").list.last().alias("name")
    scores = dataset.scan("images").select(name, "image_id", *(score.alias(f"own_{issue}") for issue, score in _SCORES.items()))
    own = issues(dataset).select(name, "issue").collect()
    both = theirs.join(scores.collect(), on="name")
    result: dict[str, Any] = {"image_count": len(both), "issues": {}}
    for issue, own_issue in ISSUE_NAMES.items():
        ours = both["name"].is_in(own.filter(issue=own_issue)["name"].implode())
        verdict = both[f"is_{issue}_issue"]
        facts = {
            "same_verdict_share": float((ours == verdict).mean()),
            "cleanvision_count": int(verdict.sum()),
            "tonnage_count": int(ours.sum()),
            "both_count": int((ours & verdict).sum()),
        }
        if issue in _SCORES:
            ranks = both.select(pl.corr(f"{issue}_score", f"own_{issue}", method="spearman"))
            facts["rank_correlation"] = float(ranks.item())
        result["issues"][issue] = facts
    return result


if __name__ == "__main__":
    main(*sys.argv[1:4])
