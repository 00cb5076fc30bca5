"""How many near duplicates are found, and how many pairs wrongly, on a generated truth set; beside other perceptual hashes.

``python -m benchmarks.near_duplicates FOLDER`` takes real images of a folder, makes copies of each (re-encoded, scaled,
cropped, brightened, marked, mirrored, turned), and asks each hash which pairs are near. What was made of one image is near;
all else is not. It writes benchmarks/results/near_duplicates.json. imagehash and pdqhash take part if they can be imported.

A pair within the distance is found, by whatever way it is searched; with clusters, two images are together if a chain of
pairs connects them. Costs are of one thread: reading and hashing an encoded image, and comparing all pairs of hashes.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from toolkit.curation.examine import examine
from toolkit.curation.neighbours import near_edges
from toolkit.curation.turning import turned_hashes
from toolkit.measurement.environment import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
LARGEST_PX = 1_024
"""Longer side of the originals, at most: the truth set is made in minutes."""

SAME_PICTURE = 0.95
"""Originals whose small gray selves are correlated so much, in any of eight positions, are one picture, whatever a hash says."""

FLAT_BITS = 1.0
"""As in curation, images with less entropy are compared with none."""


def encoded(image: Image.Image, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def scaled(image: Image.Image, share: float) -> Image.Image:
    return image.resize((max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float, chance: random.Random) -> Image.Image:
    """Return an image without a share of its width and height, taken off at random between the two sides."""
    wide, high = image.width * share, image.height * share
    left, top = chance.random() * wide, chance.random() * high
    return image.crop((round(left), round(top), round(left + image.width - wide), round(top + image.height - high)))


def marked(image: Image.Image, chance: random.Random) -> Image.Image:
    """Return an image with a line of half transparent text on it."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    place = (image.width * chance.uniform(0.05, 0.5), image.height * chance.uniform(0.1, 0.85))
    font = ImageFont.load_default(size=max(10, image.height // 14))
    ImageDraw.Draw(layer).text(place, "(c) example 2026", fill=(255, 255, 255, 140), font=font)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def copies(image: Image.Image, chance: random.Random) -> dict[str, bytes]:
    """Return the near duplicates of an image, by what was done to it."""
    turn = Image.Transpose
    made = {f"re-encode, quality {quality}": encoded(image, quality) for quality in (30, 50, 75, 95)}
    made |= {f"resize to {share:g}": encoded(scaled(image, share)) for share in (0.25, 0.5, 0.75, 1.5, 2)}
    made |= {f"crop {share:.0%}": encoded(cropped(image, share, chance)) for share in (0.02, 0.05, 0.1)}
    made |= {f"brightness {share:g}": encoded(ImageEnhance.Brightness(image).enhance(share)) for share in (0.8, 0.9, 1.1, 1.25)}
    made |= {"watermark": encoded(marked(image, chance))}
    made |= {"mirror, left to right": encoded(image.transpose(turn.FLIP_LEFT_RIGHT))}
    made |= {"mirror, top to bottom": encoded(image.transpose(turn.FLIP_TOP_BOTTOM))}
    return made | {f"turn by {90 * n}": encoded(image.transpose(t)) for n, t in enumerate(list(turn)[2:5], start=1)}


KINDS = {"mirror": "mirrors", "turn": "turns", "crop": "crops", "watermark": "watermark", "brightness": "brightness"}


def kind_of(change: str) -> str:
    return next((kind for start, kind in KINDS.items() if change.startswith(start)), "re-encode and resize")


def originals(folder: Path, count: int, seed: int) -> list[tuple[str, Image.Image]]:
    """Return real photographs of a folder, as many of each of its folders; of one picture in several sizes, one."""
    by_folder: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg"} and "quirks" not in str(path.relative_to(folder)):
            by_folder.setdefault(path.relative_to(folder).parts[0], []).append(path)
    chance = random.Random(seed)
    shuffled = [chance.sample(paths, len(paths)) for paths in by_folder.values()]
    found: list[tuple[str, Image.Image]] = []
    known: list[np.ndarray] = []
    for turn in range(max(map(len, shuffled), default=0)):
        for paths in shuffled:
            if turn < len(paths) and len(found) < count and (image := _photo(paths[turn])) is not None:
                view = _small(image)
                if not known or max(float((np.stack(known) @ turned).max()) for turned in _turns(view)) < SAME_PICTURE:
                    known.append(view.ravel())
                    found.append((str(paths[turn].relative_to(folder)), image))
    return found


def _small(image: Image.Image) -> np.ndarray:
    """Return 32 x 32 gray values without their mean, of length 1."""
    gray = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    gray -= gray.mean()
    return np.asarray(gray / max(1e-9, np.linalg.norm(gray)))


def _turns(view: np.ndarray) -> list[np.ndarray]:
    return [square[::down, ::across].ravel() for square in (view, view.T) for down in (1, -1) for across in (1, -1)]


def _photo(path: Path) -> Image.Image | None:
    payload = path.read_bytes()
    facts = examine(payload, name=path.name).facts
    if (
        facts.get("perceptual_hash") is None
        or facts["entropy_bits"] < FLAT_BITS
        or min(facts["width_px"], facts["height_px"]) < 160
    ):
        return None
    with Image.open(io.BytesIO(payload)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((LARGEST_PX, LARGEST_PX))
    return image


# ---- the hashes: encoded bytes in, bits out


def of_tonnage(payload: bytes) -> np.ndarray:
    found = examine(payload, name="a.jpg").facts["perceptual_hash"]
    return np.unpackbits(np.array([found], dtype=">i8").view(np.uint8))


def of_imagehash(name: str) -> Callable[[bytes], np.ndarray]:
    hasher = getattr(importlib.import_module("imagehash"), name)
    return lambda payload: np.asarray(hasher(Image.open(io.BytesIO(payload))).hash, dtype=np.uint8).ravel()


def of_pdq(payload: bytes) -> np.ndarray:
    return np.asarray(
        importlib.import_module("pdqhash").compute(np.asarray(Image.open(io.BytesIO(payload)).convert("RGB")))[0], dtype=np.uint8
    )


def contestants() -> tuple[dict[str, tuple[Callable[[bytes], np.ndarray], tuple[int, ...]]], list[str]]:
    """Return hash and distances by name, and what is not installed; imagededup's default is 10, pdq's 31."""
    found: dict[str, tuple[Callable[[bytes], np.ndarray], tuple[int, ...]]] = {"Tonnage": (of_tonnage, (4, 6, 8, 10, 12))}
    missing = []
    if importlib.util.find_spec("imagehash"):
        found |= {f"imagehash {name}": (of_imagehash(name), (0, 4, 6, 8, 10, 12, 14)) for name in ("phash", "dhash")}
    else:
        missing.append("imagehash")
    if importlib.util.find_spec("pdqhash"):
        found["pdqhash"] = (of_pdq, (16, 24, 31, 40, 48))
    else:
        missing.append("pdqhash")
    return found, missing


# ---- what is found


def distances(bits: np.ndarray, *, turned: bool) -> np.ndarray:
    """Return the distance of all pairs; the least over the eight positions if turned."""
    views = [bits]
    if turned:
        whole = np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()
        views += [np.unpackbits(each.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1) for each in turned_hashes(whole, "all")]
    one = bits.astype(np.float32)
    every = [one @ (1 - view.T) + (1 - one) @ view.T for view in (v.astype(np.float32) for v in views)]
    return np.asarray(np.minimum.reduce(every).round().astype(np.int16))


def scored(near: np.ndarray, owner: np.ndarray) -> dict[str, float]:
    """Return recall, precision and F1 of pairs."""
    upper = np.triu_indices(len(owner), 1)
    found, true = near[upper], (owner[:, None] == owner[None, :])[upper]
    hits = int((found & true).sum())
    recall, precision = hits / int(true.sum()), hits / max(1, int(found.sum()))
    return {"recall": recall, "precision": precision, "f1": 2 * recall * precision / max(1e-12, recall + precision)}


def judged(distance: np.ndarray, owner: np.ndarray, changes: list[str], limit: int) -> dict[str, Any]:
    """Return what a limit of the distance finds: pairs, clusters, and copies of their original by what was done to them."""
    near = distance <= limit
    groups = connected_components(coo_matrix(near), directed=False)[1]
    first = np.array([int(np.flatnonzero(owner == one)[0]) for one in owner])
    is_found = near[np.arange(len(owner)), first]
    by_change = {
        change: float(np.mean(is_found[[i for i, c in enumerate(changes) if c == change]]))
        for change in dict.fromkeys(changes)
        if change
    }
    kinds = {
        kind: statistics.fmean(v for c, v in by_change.items() if kind_of(c) == kind) for kind in {kind_of(c) for c in by_change}
    }
    crossing = np.argwhere(np.triu(near & (owner[:, None] != owner[None, :])))
    return {
        "distance": limit,
        "pairs": scored(near, owner),
        "clusters": scored(groups[:, None] == groups[None, :], owner),
        "to_original": scored_to_originals(near, owner, first),
        "recall_by_kind": kinds,
        "recall_by_change": by_change,
        "wrong_pairs_of": sorted({tuple(sorted((int(owner[a]), int(owner[b])))) for a, b in crossing}),
    }


def scored_to_originals(near: np.ndarray, owner: np.ndarray, first: np.ndarray) -> dict[str, float]:
    """Return recall, precision and F1 of looking each copy up among the originals."""
    starts = np.unique(first)
    copies_at = np.setdiff1d(np.arange(len(owner)), starts)
    found = near[np.ix_(copies_at, starts)]
    hits = int((found & (owner[copies_at][:, None] == owner[starts][None, :])).sum())
    recall, precision = hits / len(copies_at), hits / max(1, int(found.sum()))
    return {"recall": recall, "precision": precision, "f1": 2 * recall * precision / max(1e-12, recall + precision)}


def cost_ms(hasher: Callable[[bytes], np.ndarray], payloads: list[bytes]) -> float:
    """Return the median over three rounds of processor time per image in milliseconds, decoding included."""
    rounds = []
    for _ in range(3):
        started_s = time.process_time()  # of other work on the machine it takes no note
        for payload in payloads:
            hasher(payload)
        rounds.append((time.process_time() - started_s) / len(payloads) * 1e3)
    return statistics.median(rounds)


def run(folder: Path, count: int, seed: int = 5) -> dict[str, Any]:
    """Return what each contestant finds on the truth set made of a folder's images."""
    images = originals(folder, count, seed)
    owner, changes, payloads = [], [], []
    for number, (name, image) in enumerate(images):
        made = {"": encoded(image, 95)} | copies(image, random.Random(name))
        owner += [number] * len(made)
        changes += list(made)
        payloads += list(made.values())
    found, missing = contestants()
    timed = random.Random(0).sample([p for p, change in zip(payloads, changes, strict=True) if not change], min(60, len(images)))
    results: dict[str, Any] = {}
    for name, (hasher, limits) in found.items():
        bits = np.stack([hasher(payload) for payload in payloads])
        ways = {name: False, f"{name}, all transforms": True} if name == "Tonnage" else {name: False}
        cost = cost_ms(hasher, timed)
        for way, turned in ways.items():
            distance = distances(bits, turned=turned)
            judgements = [judged(distance, np.array(owner), changes, limit) for limit in limits]
            results[way] = {"bits": bits.shape[1], "image_ms": cost, "at": judgements}
        if name == "Tonnage":
            hashes = np.unique(np.packbits(bits, axis=1).view(">u8").astype(np.uint64))
            started_s = time.perf_counter()
            near_edges(hashes, 4)
            results[name]["search_s"] = time.perf_counter() - started_s
    return {
        "what": "near duplicates found on a generated truth set",
        "original_count": len(images),
        "image_count": len(payloads),
        "originals": [name for name, _ in images],
        "not_installed": missing,
        "results": results,
        "environment": dict(environment_of(folder).facts),
    }


def _shown(at: dict[str, Any]) -> list[str]:
    """Return one limit's results as columns of text."""
    whole = [
        f"{what} r {at[what]['recall']:.3f} p {at[what]['precision']:.4f} f1 {at[what]['f1']:.3f}"
        for what in ("pairs", "clusters")
    ]
    return whole + [f"{kind} {share:.3f}" for kind, share in sorted(at["recall_by_kind"].items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of photographs, in folders")
    parser.add_argument("--images", type=int, default=200, help="originals to take")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result = run(arguments.folder, arguments.images)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "near_duplicates.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, each in result["results"].items():
        for at in each["at"]:
            print(f"{name:24} <={at['distance']:<3} {each['image_ms']:6.2f} ms", *_shown(at), sep="  ")
    if result["not_installed"]:
        print(f"not installed, left out: {', '.join(result['not_installed'])}", file=sys.stderr)


if __name__ == "__main__":
    main()
