"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import re
import subprocess
import sys
import types
import typing
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

import toolkit

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(toolkit.__path__, "toolkit.") if not module.name.endswith("__main__")
)

UNITS = (
    "bytes", "s", "px", "pixels", "w", "j", "flop", "usd", "share", "count", "bits", "score", "month", "months", "ratio", "factor",
    "exponent", "gb", "pct", "g", "version", "order", "index", "seed", "year", "kg",
)  # fmt: skip
"""What a number's name may end in; ``_per_`` anything of these makes a rate."""

UNITLESS = {
    "bits", "orientation", "median", "mean", "value", "values", "interval_low", "interval_high", "operations", "payload_bytes", "images",
    "count", "invocation", "invocations", "seed", "epoch", "rank", "world_size", "batch_size", "perceptual_hash", "version", "workers",
    "distance", "quality", "train", "validation", "test", "p10", "p50", "p90", "low", "high", "draws", "mode", "at_least",
    "at_most", "max_frames", "offset", "row_group", "row_start", "marker", "components",
    "copies", "data", "parity", "samples", "params", "forward_macs", "kept_versions", "kept_checkpoints", "accelerators_per_node",
    "before", "after", "group", "level", "measured", "start", "stop", "window_groups", "cores_per_node", "batch_per_accelerator", "max_batch", "spare_instances", "pue",
}  # fmt: skip
"""Names without a unit, reviewed: hashes, ordinals, field terms, and values whose unit stands in a field beside them."""


def has_unit(name: str) -> bool:
    quantity = name.split("_per_", 1)[0]  # bytes_per_image is in bytes
    return name in UNITLESS or any(part in UNITS or part.rsplit("_", 1)[-1] in UNITS for part in (name, quantity))


def is_number(kind: object) -> bool:
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union else (kind,)
    options = [option for option in options if option is not type(None)]
    return bool(options) and all(option in (int, float) for option in options)


def reads_text(info: FieldInfo) -> bool:
    """Return whether a field's value is written as text with a unit."""
    return any(isinstance(part, BeforeValidator) for part in info.metadata)


def annotated_type(annotation: object) -> object:
    """Return what numbers an annotation in text may hold; whatever else it names is no number."""
    if not isinstance(annotation, str):
        return annotation
    parts = [part.strip() for part in annotation.split("|")]
    known = {"int": int, "float": float, "None": type(None)}
    kinds = [known.get(part, str) for part in parts]
    return typing.Union[tuple(kinds)]  # noqa: UP007 -- made from a list


def numeric_fields() -> list[tuple[str, str]]:
    found = []
    for name in MODULES:
        module = importlib.import_module(name)
        for noun in vars(module).values():
            if not isinstance(noun, type) or noun.__module__ != name:
                continue
            if dataclasses.is_dataclass(noun):
                hints = {field.name: annotated_type(field.type) for field in dataclasses.fields(noun)}
            elif issubclass(noun, BaseModel):
                # what a person writes as text with a unit ("40 TB") is read by a validator, and needs none in its name
                hints = {field: info.annotation for field, info in noun.model_fields.items() if not reads_text(info)}
            else:
                continue
            found += [(f"{name}.{noun.__name__}", field) for field, kind in hints.items() if is_number(kind)]
    return found


def test_every_number_in_a_record_says_its_unit() -> None:
    fields = numeric_fields()
    assert len(fields) > 40
    assert [f"{noun}.{field}" for noun, field in fields if not has_unit(field)] == []


def test_every_number_in_a_table_says_its_unit() -> None:
    from toolkit.dataset import schema

    columns = [
        field.name
        for table in (schema.IMAGES_SCHEMA, schema.CATALOG_SCHEMA, schema.QUARANTINE_SCHEMA)
        for field in table
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    assert columns
    assert [name for name in columns if not has_unit(name)] == []


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_exports_exists_and_is_sorted(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} says nothing of itself"
    exported = getattr(module, "__all__", None)
    if exported is not None:
        assert list(exported) == sorted(exported, key=lambda word: (word.islower(), not word.isupper(), word)) or list(
            exported
        ) == sorted(exported)
        assert [word for word in exported if not hasattr(module, word)] == []


def test_the_verbs_are_still_functions_after_every_module_is_imported() -> None:
    for name in MODULES:
        importlib.import_module(name)
    for verb in set(toolkit.__all__) - {"__version__"}:
        assert callable(getattr(toolkit, verb)), verb
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = toolkit.nonsense
    assert set(dir(toolkit)) >= set(toolkit.__all__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "{'pyarrow', 'polars', 'dask', 'distributed', 'plotly', 'numpy', 'pydantic', 'PIL', 'deltalake'}"
    code = f"import sys, toolkit; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_imports_run_one_way() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_architecture_page_names_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = []
    for name in MODULES:
        module = importlib.import_module(name)
        file = Path(module.__file__ or "")
        label = file.parent.name + "/" if file.name == "__init__.py" else file.name
        if label not in page:
            missing.append(name)
    assert missing == []


def test_names_say_something() -> None:
    vague = re.compile(r"(^|_)(utils?|helpers?|common|misc|base|manager|core)$")
    assert [name for name in MODULES if vague.search(name.rsplit(".", 1)[-1])] == []


def test_library_code_never_prints() -> None:
    printing = []
    for path in (ROOT / "toolkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "eval", "exec"}:
                printing.append(f"{path.name}:{node.lineno}")  # noqa: PERF401 -- a comprehension over two loops reads worse
    assert printing == []


def test_every_command_has_help_and_stands_in_the_readme_or_the_guide() -> None:
    from toolkit.cli import app

    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    commands = [("tonnage", command) for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        commands += [(f"tonnage {group.name}", command) for command in group.typer_instance.registered_commands]
    for prefix, command in commands:
        assert command.callback is not None
        assert command.callback.__doc__
        name = command.name or command.callback.__name__.replace("_", "-")
        assert f"{prefix} {name}" in pages
