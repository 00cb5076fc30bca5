"""Whether a dataset is what was written: files against the manifest, rows against the counts, and what nothing refers to."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.findings import read_finding
from toolkit.dataset.object_paths import readable
from toolkit.dataset.reading import Dataset, open_dataset
from toolkit.dataset.schema import STATES, is_hashed
from toolkit.dataset.shards import file_sha256, iter_row_groups
from toolkit.dataset.straddling import straddling_groups
from toolkit.dataset.tables import SCHEMAS
from toolkit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolkit.locations import Location

__all__ = ["VerifyResult", "verify"]

_HASHED: Final = ("image", "image_id", "sha256", "encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What was checked and what is wrong."""

    location: str
    """The dataset."""
    version: int
    """The version checked; the newest, where all were."""
    checked_file_count: int
    """Files whose size and sha256 were compared with the manifest."""
    problems: tuple[str, ...]
    """One sentence each; empty when all is well."""
    leftovers: tuple[str, ...]
    """Files that no version refers to: what a killed run left. They do no harm; ``repair`` removes them."""
    removed_count: int = 0
    """Leftovers that were removed."""
    checked_image_count: int = 0
    """Images whose bytes were hashed one by one."""
    checked_version_count: int = 1
    """Versions that were checked."""


def verify(
    location: str | Path | Location | Dataset,
    *,
    version: int | None = None,
    all_versions: bool = False,
    repair: bool = False,
    images: bool = False,
) -> VerifyResult:
    """Return what is wrong with a version of a dataset; optionally remove what killed runs left.

    Every file is hashed and compared with the manifest that was written with the version (Parquet footers and Delta's
    log have no checksum of their own), its schema compared with this version's, the files that the log names with those
    of the manifest, and the counts with each other.

    Parameters
    ----------
    location : path or Dataset
        The dataset.
    version : int, optional
        The version to check; by default the newest.
    all_versions : bool
        Check every version that can be opened; a file that several hold is hashed once.
    repair : bool
        Remove the files that no version refers to, and staging.
    images : bool
        Also hash every image that is stored as it came and compare it with its own sha256: finds what was wrong when it
        was written, and names the image rather than the file.

    Raises
    ------
    UsageError
        If there is no such version, or one is named and all are asked for.
    BusyError
        If something is to be removed while a run is writing.
    """
    if all_versions and version is not None:
        raise UsageError(f"version {version} and all versions cannot both be checked; name one of the two")
    dataset = open_dataset(location, version)
    states = dataset.store.states() if all_versions else [dataset.state]
    seen = _Seen()
    for state in reversed(states):
        _check_version(Dataset(dataset.store, state.version), seen, is_named=all_versions, with_images=images)
    if repair:
        with dataset.store.writing():
            leftovers = _leftovers(dataset)
            removed_count = _remove(dataset, leftovers)
    else:
        leftovers, removed_count = _leftovers(dataset), 0
    return VerifyResult(
        location=str(dataset.location),
        version=dataset.version,
        checked_version_count=len(states),
        checked_file_count=len(seen.files),
        problems=tuple(dict.fromkeys(seen.problems)),
        leftovers=tuple(leftovers),
        removed_count=removed_count,
        checked_image_count=seen.image_count,
    )


@dataclass(slots=True)
class _Seen:
    """What was checked of the versions so far."""

    files: set[tuple[str, str]] = field(default_factory=set)
    """Names and hashes of manifests' entries: a file that two versions hold is read once."""
    shards: set[str] = field(default_factory=set)
    """Shards whose images were hashed one by one."""
    image_count: int = 0
    """Images in them."""
    problems: list[str] = field(default_factory=list)
    """One sentence each."""


def _check_version(dataset: Dataset, seen: _Seen, *, is_named: bool, with_images: bool) -> None:
    """Check a version, but for what others of it have shown already."""
    problems: list[str] = []
    try:
        manifest = dataset.store.manifest(dataset.version)
    except DatasetError as fault:
        manifest = {}
        problems.append(str(fault))
    for name, facts in sorted(manifest.items()):
        if (name, facts["sha256"]) not in seen.files:
            seen.files.add((name, facts["sha256"]))
            seen.problems += _file_problems(dataset, name, facts["size_bytes"], facts["sha256"])
    problems += _log_problems(dataset, manifest) if manifest else []
    if not problems and not seen.problems:
        problems += _count_problems(dataset)
    seen.problems += [f"version {dataset.version}: {problem}" if is_named else problem for problem in problems]
    if with_images:
        seen.problems += _image_problems(dataset, seen)


def _file_problems(dataset: Dataset, name: str, size_bytes: int, sha256: str) -> list[str]:
    path = dataset.store.root / name
    if not path.exists():
        return [f"{name}: the file is gone"]
    if path.stat().st_size != size_bytes:
        return [f"{name}: {path.stat().st_size:,} bytes long, but {size_bytes:,} were written"]
    if file_sha256(path) != sha256:
        return [f"{name}: its bytes are not those that were written"]
    expected = SCHEMAS[name.split("/", 1)[0]]
    found = pq.read_schema(readable(path))
    if not found.equals(pa.schema([field for field in expected if field.name in found.names])):
        return [f"{name}: its columns are not those of this version of Tonnage"]
    return []


def _log_problems(dataset: Dataset, manifest: Mapping[str, object]) -> list[str]:
    """Return where the log and the manifest name different files."""
    held = {f"{table}/{path.name}" for table in SCHEMAS for path in dataset.table_paths(table)}
    missing = [f"{name}: the manifest has it, the table's log does not" for name in sorted(set(manifest) - held)]
    return missing + [f"{name}: the table's log has it, the manifest does not" for name in sorted(held - set(manifest))]


def _image_problems(dataset: Dataset, seen: _Seen) -> list[str]:
    """Return the images whose bytes are not what their row says, of shards that were not looked into yet."""
    problems = []
    for path in dataset.shard_paths():
        if path.name in seen.shards:
            continue
        seen.shards.add(path.name)
        try:
            for rows in iter_row_groups(path, ["image.bytes", "image_id", "sha256", "encoding"]):
                for image, image_id, sha256, encoding in zip(*(rows[name] for name in _HASHED), strict=True):
                    seen.image_count += 1
                    stored = image["bytes"].as_buffer()
                    if is_hashed(encoding.as_py()) and hashlib.sha256(stored).hexdigest() != sha256.as_py():
                        problems.append(f"images/{path.name}: the bytes of image {image_id} are not those that were examined")
        except (OSError, pa.ArrowException) as fault:
            problems.append(f"images/{path.name}: it cannot be read: {fault}")
    return problems


def _count_problems(dataset: Dataset) -> list[str]:
    """Return what does not add up between the tables."""
    states = dict(dataset.scan("catalog").group_by("state").len().collect(engine="streaming").iter_rows())
    image_count = dataset.scan("images").select(pl.len()).collect(engine="streaming").item()
    refusal_count = dataset.scan("quarantine").select(pl.len()).collect(engine="streaming").item()
    problems = [f"catalog: state '{state}' is not one of {', '.join(STATES)}" for state in states if state not in STATES]
    for name, found, expected in (
        ("images and the rows that the catalog calls kept", image_count, states.get("kept", 0)),
        ("images and the count in the commit", image_count, len(dataset)),
        ("quarantine and the rows that the catalog calls quarantined", refusal_count, states.get("quarantined", 0)),
    ):
        if found != expected:
            problems.append(f"{name} differ: {found:,} and {expected:,}")
    return problems + _split_problems(dataset)


def _split_problems(dataset: Dataset) -> list[str]:
    """Return the groups of look-alikes that lie in several splits without being told.

    An image that came late, follows its key, or was grouped anew keeps its split; then it is listed among the bridges. So
    the images of a group that no list names came in together, and lie in one split.
    """
    kept = dataset.scan("catalog").filter(pl.col("state") == "kept")
    told = read_finding(dataset, "bridges").select("image_id").unique()
    torn = straddling_groups(kept.join(told.lazy(), on="image_id", how="anti"))
    return [
        f"catalog: group {group} lies in several splits ({', '.join(splits)}), and no list of bridges tells of it; "
        f"curate --redecide lists it"
        for group, splits in torn.iter_rows()
    ]


def _leftovers(dataset: Dataset) -> list[str]:
    """Return the files of killed runs: in no version's manifest, in staging, or temporary."""
    root = dataset.store.root
    referred = {name for state in dataset.store.states() for name in _names(dataset, state.version)}
    found = {path.relative_to(root).as_posix(): path for table in SCHEMAS for path in (root / table).glob("*")}
    orphans = [name for name, path in found.items() if name not in referred and path.is_file()]
    staging = dataset.store.private_path / "staging"
    staged = [path.relative_to(root).as_posix() for path in staging.glob("*")] if staging.exists() else []
    return sorted(orphans + staged)


def _names(dataset: Dataset, version: int) -> list[str]:
    try:
        return list(dataset.store.manifest(version))
    except DatasetError:
        state = dataset.store.state(version)
        assert state is not None
        older = Dataset(dataset.store, version)
        return [path.relative_to(dataset.store.root).as_posix() for table in SCHEMAS for path in older.table_paths(table)]


def _remove(dataset: Dataset, leftovers: list[str]) -> int:
    for name in leftovers:
        path = dataset.location.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return len(leftovers)
