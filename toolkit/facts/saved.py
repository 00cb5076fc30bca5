"""How a noun is kept: JSON with its schema, read back with one sentence for whatever is wrong with it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import DatasetError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_schema", "read_facts", "told_if_lacking", "write_facts"]


def read_facts(path: str | Path, noun: str) -> dict[str, Any]:
    """Return the JSON object in a file of facts.

    Raises
    ------
    MissingError
        If there is no such file.
    DatasetError
        If it holds no JSON object.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise MissingError(f"there is no {noun} file at '{path}'") from fault
    except (ValueError, OSError) as fault:
        raise DatasetError(f"'{path}' cannot be read as a {noun} file: {fault}") from fault
    if not isinstance(facts, dict):
        raise DatasetError(f"'{path}' is not a {noun} file: it holds no JSON object")
    return facts


def write_facts(path: str | Path, facts: Mapping[str, Any], *, indent: int | None = 1) -> Path:
    """Write a JSON object to a file, making the folders to it, and return its path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(facts, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def check_schema(facts: Mapping[str, Any], schema: str, noun: str, remedy: str) -> None:
    """Refuse facts of another schema.

    Raises
    ------
    DatasetError
        If they are; it ends in the remedy.
    """
    found = facts.get("schema")
    if found != schema:
        raise DatasetError(f"{noun} of schema '{schema}' was expected, but '{found}' was found; {remedy}")


@contextlib.contextmanager
def told_if_lacking(noun: str, remedy: str) -> Iterator[None]:
    """Tell what a noun lacks, or has too much of, in one sentence while it is put together from JSON."""
    try:
        yield
    except KeyError as fault:
        raise DatasetError(f"this {noun} lacks {fault}; {remedy}") from fault
    except (TypeError, AttributeError) as fault:
        raise DatasetError(f"this {noun} is not whole ({fault}); {remedy}") from fault
