"""Make the raw sample collection: what people really have, with its hazards, and the truth about each of them.

    python sample_data/make_sample.py            # write raw/, more/, TRUTH.json, CHECKSUMS.sha256 again
    python sample_data/make_sample.py --check    # compare what is there with its checksums
    python sample_data/make_sample.py --out DIR  # write elsewhere

Everything is derived from the photographs in ``photos/`` (CC0) by real transforms and one seed, so that a run with the
versions named in ``TRUTH.json`` gives the same bytes. ``TRUTH.json`` says what curation must make of every image occurrence.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import zlib
from importlib.metadata import version
from pathlib import Path

from making.collection import Collection, checksums
from making.containers import archives, embedded
from making.everyday import captions, class_folders, coco, formats, table_of_labels
from making.hazards import damage, duplicates, lies, names, second_batch
from making.photographs import Variants

HERE = Path(__file__).resolve().parent
PARTS = (class_folders, captions, table_of_labels, coco, formats, archives, embedded, duplicates, damage, lies, names)


def made_with() -> dict[str, str]:
    """Return what the bytes depend on beside this code."""
    packages = ("numpy", "pillow", "pyarrow", "scipy", "simplejpeg")
    return {name: version(name) for name in packages} | {"machine": platform.machine(), "zlib": zlib.ZLIB_RUNTIME_VERSION}


def make(out: Path) -> None:
    """Write ``raw/``, ``more/``, ``TRUTH.json`` and ``CHECKSUMS.sha256`` below a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("raw", "more"):
        shutil.rmtree(out / name, ignore_errors=True)
    variants = Variants(seed=20_260_101)
    raw, more = Collection(out / "raw"), Collection(out / "more")
    for part in PARTS:
        part(raw, variants)
    second_batch(more, raw, variants)
    truth = {"made_with": made_with(), "raw": raw.truth(), "more": more.truth()}
    text = json.dumps(truth, indent=1, ensure_ascii=False, sort_keys=True)
    (out / "TRUTH.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    lines = "".join(f"{line}\n" for line in checksums(out))
    (out / "CHECKSUMS.sha256").write_text(lines, encoding="utf-8", newline="\n")


def differences(out: Path) -> list[str]:
    """Return one sentence per file that is missing, new or not as ``CHECKSUMS.sha256`` says."""
    told = dict(line.split("  ", 1)[::-1] for line in (out / "CHECKSUMS.sha256").read_text(encoding="utf-8").splitlines())
    found = dict(line.split("  ", 1)[::-1] for line in checksums(out))
    missing = [f"missing: {name}" for name in told.keys() - found.keys()]
    new = [f"not listed: {name}" for name in found.keys() - told.keys()]
    changed = [f"changed: {name}" for name in told.keys() & found.keys() if told[name] != found[name]]
    return sorted(missing + new + changed)


def main() -> None:
    """Make or check, as asked on the command line."""
    parser = argparse.ArgumentParser(description="Make the raw sample collection, or check it.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to, or to check; default: where this file lies")
    parser.add_argument("--check", action="store_true", help="compare what is there with its checksums")
    arguments = parser.parse_args()
    if not arguments.check:
        make(arguments.out)
        return
    found = differences(arguments.out)
    print("\n".join(found) or "every file is as its checksum says")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
