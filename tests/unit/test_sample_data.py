"""The sample data are what their truth says: each file is there, copies are copies, and making them again gives the same."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import SAMPLE
from PIL import Image, ImageOps
from scipy.fft import dctn

from toolkit.curation.examine import examine
from toolkit.curation.reasons import REASONS

Truth = dict[str, Any]
PARTS = ("raw", "more")
RAW = SAMPLE / "raw"


@pytest.fixture(scope="module")
def truth() -> Truth:
    return json.loads((SAMPLE / "TRUTH.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, bytes | None]]:
    """By part, the bytes of every file, archive member and table row, found without the code that made them."""
    return {part: _found(SAMPLE / part) for part in PARTS}


def _found(root: Path) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {}
    for folder, _, names in os.walk(root):
        files |= {(Path(folder) / name).relative_to(root).as_posix(): (Path(folder) / name).read_bytes() for name in names}
    members: list[tuple[str, bytes | None]] = []
    for path in (root / name for name in files):
        key = path.relative_to(root).as_posix()
        if path.suffix == ".parquet":
            rows = pq.read_table(path)["image"].to_pylist()
            members += [(f"{key}#{i}", row["bytes"]) for i, row in enumerate(rows)]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members += [(f"{key}!{info.filename}", archive.read(info)) for info in archive.infolist() if not info.is_dir()]
        elif ".tar" in path.name:
            with tarfile.open(path) as archive:
                members += [(f"{key}!{_printable(m.name)}", _member(archive, m)) for m in archive.getmembers()]
    for key, payload in members:
        files[key if key not in files else f"{key}#2"] = payload
    return files


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    stream = archive.extractfile(member) if member.isfile() else None
    return stream.read() if stream else None


def _opened(payload: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(payload))
    image.load()
    return image


def test_every_file_is_as_its_checksum_says(found: dict[str, dict[str, bytes | None]]) -> None:
    told = {}
    for line in (SAMPLE / "CHECKSUMS.sha256").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ", 1)
        told[json.loads(name)] = digest
    on_disk = {f"{part}/{p.relative_to(SAMPLE / part).as_posix()}": p for part in PARTS for p in (SAMPLE / part).rglob("*")}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in on_disk.items() if path.is_file()}
    assert hashes == told


def test_the_collection_is_small_and_about_four_hundred_files(truth: Truth) -> None:
    files = [path for part in PARTS for path in (SAMPLE / part).rglob("*") if path.is_file()]
    assert 380 <= len(files) <= 440
    assert len(files) == sum(truth[part]["file_count"] for part in PARTS)
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert sum(path.stat().st_size for path in (SAMPLE / "photos").iterdir()) < 2_500_000


@pytest.mark.parametrize("part", PARTS)
def test_the_truth_covers_everything_found_and_nothing_else(
    part: str, truth: Truth, found: dict[str, dict[str, bytes | None]]
) -> None:
    told = truth[part]
    assert not told["images"].keys() & told["other_files"].keys()
    assert sorted(found[part]) == sorted([*told["images"], *told["other_files"]])
    assert sum(told["states"].values()) == len(told["images"])
    for key, image in told["images"].items():
        payload = found[part][key]
        if "sha256" in image:
            assert payload is not None
            assert (hashlib.sha256(payload).hexdigest(), len(payload)) == (image["sha256"], image["size_bytes"]), key


def test_states_and_reasons_are_the_known_ones(truth: Truth) -> None:
    codes = {"kept": {None}, "dropped": {"too_small"}, "duplicate": {None}, "quarantined": set(REASONS)}
    for part in PARTS:
        for key, image in truth[part]["images"].items():
            assert image.get("reason") in codes[image["state"]], key
            assert ("duplicate_of" in image) == (image["state"] == "duplicate"), key


def test_a_duplicate_has_the_pixels_of_a_kept_image_that_sorts_before_it(
    truth: Truth, found: dict[str, dict[str, bytes | None]]
) -> None:
    kinds = {"same bytes": 0, "same pixels": 0}
    kept_images = {f"{part}/{key}": image for part in PARTS for key, image in truth[part]["images"].items()}
    payloads = {f"{part}/{key}": payload for part in PARTS for key, payload in found[part].items()}
    for key, image in kept_images.items():
        if image["state"] != "duplicate":
            continue
        of = image["duplicate_of"] if key.startswith("more/") else "raw/" + image["duplicate_of"]
        assert kept_images[of]["state"] == "kept"
        assert key.startswith("more/") or of.encode() < key.encode()
        first, second = payloads[of], payloads[key]
        assert first is not None
        assert second is not None
        kinds["same bytes" if first == second else "same pixels"] += 1
        assert np.array_equal(np.asarray(_opened(first)), np.asarray(_opened(second))), key
    assert kinds["same bytes"] >= 12
    assert kinds["same pixels"] == 2


def test_no_two_kept_images_are_equal(truth: Truth) -> None:
    hashes = [image["sha256"] for part in PARTS for image in truth[part]["images"].values() if image["state"] == "kept"]
    assert len(set(hashes)) == len(hashes)


def test_near_duplicates_are_near_and_all_else_is_far(truth: Truth, found: dict[str, dict[str, bytes | None]]) -> None:
    groups, bits = [], []
    for part in PARTS:
        for key, image in truth[part]["images"].items():
            payload = found[part][key]
            if image["state"] == "kept" and payload is not None and "/all_" not in key:
                groups.append(image.get("near_group") or f"{part}/{key}")
                bits.append(_perceptual_bits(payload))
    table = np.stack(bits).astype(np.int64)
    distances = table @ (1 - table.T) + (1 - table) @ table.T
    names = np.array(groups)
    same = names[:, None] == names[None, :]
    assert len(set(groups)) == len(groups) - 13  # twelve pairs, one of which meets a third in the second batch
    assert distances[same].max() <= 2
    assert distances[~same].min() >= 8


def _perceptual_bits(payload: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(_opened(payload))
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    low = dctn(np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float), norm="ortho")[:8, :8].ravel()
    return low > np.median(low)


def test_examining_each_occurrence_gives_the_truth(truth: Truth, found: dict[str, dict[str, bytes | None]]) -> None:
    wrong = []
    for part in PARTS:
        for key, image in truth[part]["images"].items():
            payload = found[part][key]
            if payload is None or image.get("reason") in {"unsafe_member", "corrupt_container"}:
                continue  # found out before anything is read
            seen = examine(payload, name=key)
            reason = seen.refusal.reason if seen.refusal else None
            if reason != (image.get("reason") if image["state"] == "quarantined" else None):
                wrong.append((key, "reason", reason))
            facts = set(image) & {"format", "mode", "bits", "width_px", "height_px", "orientation", "frame_count", "has_alpha"}
            wrong += [(key, name, seen.facts[name]) for name in facts if seen.facts[name] != image[name]]
            if image["state"] == "kept" and sorted(seen.facts["flags"]) != sorted(image.get("flags", [])):
                wrong.append((key, "flags", seen.facts["flags"]))
    assert wrong == []


def test_every_photograph_is_listed_with_its_source_and_licence() -> None:
    photos = SAMPLE / "photos"
    rows = list(csv.DictReader((photos / "SOURCES.csv").read_text(encoding="utf-8").splitlines()))
    told = {row["file"]: row["sha256"] for row in rows}
    assert told == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.glob("*.jpg")}
    assert {row["licence"] for row in rows} == {"CC0-1.0"}
    assert all(row["source"].startswith("https://") and row["commit"] and row["original"] for row in rows)
    assert "CC0 1.0 Universal" in (photos / "LICENSE.txt").read_text(encoding="utf-8")


def _make_sample(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(SAMPLE / "make_sample.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, encoding="utf-8")


def test_making_the_sample_again_gives_the_same(truth: Truth, tmp_path: Path) -> None:
    done = _make_sample("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    packages = ("numpy", "pillow", "pyarrow", "scipy", "simplejpeg")
    here = {name: version(name) for name in packages} | {"machine": platform.machine(), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    if truth["made_with"] == here:
        assert (tmp_path / "TRUTH.json").read_bytes() == (SAMPLE / "TRUTH.json").read_bytes()
        assert (tmp_path / "CHECKSUMS.sha256").read_bytes() == (SAMPLE / "CHECKSUMS.sha256").read_bytes()
        return
    for part in PARTS:  # another encoder packs other bytes, but the same pictures
        again = _found(tmp_path / part)
        for key, image in truth[part]["images"].items():
            before, after = _found_file(SAMPLE / part / key), again[key]
            if image["state"] == "kept" and before is not None and after is not None:
                pixels = [np.asarray(_opened(payload).convert("RGB"), np.int16) for payload in (before, after)]
                assert np.abs(pixels[0] - pixels[1]).mean() < 5, key  # another photograph differs by 30 and more


def _found_file(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def test_the_check_names_what_was_changed_removed_and_added(tmp_path: Path) -> None:
    for part in PARTS:
        shutil.copytree(SAMPLE / part, tmp_path / part)
    shutil.copy(SAMPLE / "CHECKSUMS.sha256", tmp_path)
    assert _make_sample("--check", "--out", tmp_path).returncode == 0
    changed = tmp_path / "raw/formats/gray.jpg"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\0")
    (tmp_path / "raw/names/new\nline.jpg").unlink()
    (tmp_path / "more/stray.jpg").write_bytes(b"")
    done = _make_sample("--check", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        'changed: "raw/formats/gray.jpg"',
        'missing: "raw/names/new\\nline.jpg"',
        'not listed: "more/stray.jpg"',
    ]
