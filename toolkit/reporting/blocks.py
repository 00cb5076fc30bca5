"""What a report is made of: sections of blocks. Plain frozen data; the template alone knows how they look."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import plotly.graph_objects as go  # noqa: TC002  # a field's type can be resolved at run time

from toolkit.reporting.wording import DASH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Block",
    "Cell",
    "Chart",
    "Detail",
    "Fold",
    "KeyFact",
    "KeyFacts",
    "Notes",
    "Picture",
    "Pictures",
    "Prose",
    "Section",
    "Surface",
    "Table",
    "text_rows",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small image with its name; without a ``uri`` where the bytes cannot be drawn."""

    name: str
    """Where it came from."""
    uri: str | None = None
    """A ``data:`` URI, or None."""
    note: str = ""
    """A few words below it."""
    width_px: int = 0
    """Width of the thumbnail; 0 without one."""
    height_px: int = 0
    """Height of the thumbnail; 0 without one."""
    is_repeated: bool = False
    """Whether it looks like the first picture of its row, from which the page draws it without holding it twice."""

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rsplit("/", 1)[-1] or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table."""

    text: str
    """What it says."""
    badge: str = ""
    """Kind of evidence, shown as a badge: measured, published, vendor, assumed."""
    why: str = ""
    """Identifier of the explanation behind the number; of a row's first cell, behind every number in the row."""
    id: str = ""
    """Of a row's first cell: identifier of the row, where it explains what others show."""
    href: str = ""
    """An address outside that the text links to; followed only when clicked."""
    quiet: bool = False
    """Whether the text is a remark, shown small."""
    below: str = ""
    """A remark below the text, shown small."""
    picture: Picture | None = None
    """A thumbnail beside the text."""

    @property
    def is_nothing(self) -> bool:
        """Whether the cell only says that there is nothing to say."""
        return self.text == DASH


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a caption; numbers stand to the right."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Columns that hold numbers."""
    note: str = ""
    """A sentence below the table."""
    stacked: bool = False
    """Whether each row becomes a card of its own on a phone; else the table scrolls there."""
    named: bool = False
    """Whether the first column holds long names and gets room for them."""
    folded: bool = False
    """Whether only the caption shows until it is opened."""
    is_for_screens: bool = False
    """Whether it is left off paper, as too long a list: it stands folded on the screen."""
    shown_count: int = 0
    """How many rows show until the rest is opened; 0 shows all."""
    why: str = ""
    """Identifier of the explanation behind every number of a table whose rows have none of their own."""

    @property
    def parts(self) -> tuple[Table, ...]:
        """The table, or its first rows and the folded rest."""
        if not self.shown_count or len(self.rows) <= self.shown_count + 2:
            return (self,)
        first, rest = self.rows[: self.shown_count], self.rows[self.shown_count :]
        title = f"The other {len(rest):,} rows"
        return (
            dataclasses.replace(self, rows=first, shown_count=0, note=""),
            dataclasses.replace(self, rows=rest, shown_count=0, folded=True, caption=title),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Blocks behind a line that opens them."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: tuple[Block, ...]
    id: str = ""
    """Unique in the page, where something links to it."""
    strong: bool = False
    """Whether it holds what another subject has to say, rather than details."""
    is_for_screens: bool = False
    """Whether it is left off paper, as too long a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Results under every combination of a few inputs, which the page lets its reader choose."""

    kind: ClassVar[str] = "surface"
    id: str
    """Unique among the page's surfaces."""
    facts: Mapping[str, Any]
    """Inputs, outputs and their words, as plain JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure, with the table behind it."""

    kind: ClassVar[str] = "chart"
    id: str
    """Unique among the page's figures."""
    figure: go.Figure
    """Titled with its finding."""
    table: Table | None = None
    """The numbers that it draws."""
    half: bool = False
    """Whether it needs only half the width of a wide screen."""
    source: str = ""
    """Where its numbers come from, in a line; the page sets it."""
    why: str = ""
    """Identifier of the explanation behind what it draws."""

    @property
    def meta(self) -> Mapping[str, str]:
        """The sentence that the figure shows, and how to read it."""
        return dict(self.figure.layout.meta or {"finding": "", "about": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFact:
    """A number that stands for itself."""

    label: str
    value: str
    note: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """A row of numbers."""

    kind: ClassVar[str] = "facts"
    items: tuple[KeyFact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str
    calm: bool = False
    """Whether it says that something is missing."""
    strong: bool = False
    """Whether it names whose the blocks after it are."""
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Numbers in the text, as they are shown there, with the identifiers of their explanations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A row of thumbnails under a heading; a few fit beside each other."""

    kind: ClassVar[str] = "pictures"
    title: str
    pictures: tuple[Picture, ...]
    note: str = ""

    @property
    def repeats(self) -> bool:
        """Whether the first picture is drawn again for those that look like it."""
        return bool(self.pictures) and self.pictures[0].uri is not None and any(p.is_repeated for p in self.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A list of sentences."""

    kind: ClassVar[str] = "notes"
    items: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How one number is made: folded, with what it is made of inside."""

    kind: ClassVar[str] = "detail"
    id: str
    title: str
    value: str
    name: str = ""
    """The dotted name by which Python knows it."""
    formula: str = ""
    source: str = ""
    evidence: str = ""
    inputs: tuple[Detail, ...] = ()
    why: str = ""
    """Set where the inputs stand under another detail, to which this links."""


Block: TypeAlias = "Table | Chart | KeyFacts | Prose | Pictures | Notes | Detail | Fold | Surface"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: a title, one sentence that says what it found, and its blocks."""

    id: str
    """Unique in the page."""
    title: str
    """A few words."""
    lead: str
    """What the section found."""
    blocks: tuple[Block, ...]
    """What follows."""
    short: str
    """The title's word in the table of contents."""
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Numbers in ``lead``, as they are shown there, with the identifiers of their explanations."""
    group: str = ""
    """The part of the contents that it stands under; that of its kind where it has none of its own."""


def text_rows(rows: Sequence[Sequence[object]]) -> tuple[tuple[Cell, ...], ...]:
    """Return rows of plain values as rows of cells."""
    return tuple(tuple(value if isinstance(value, Cell) else Cell(text=str(value)) for value in row) for row in rows)
