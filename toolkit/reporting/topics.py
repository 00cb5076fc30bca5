"""A question of training or of serving, and the section that answers it: a sentence, what there is, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.reporting.blocks import Block, Cell, Prose, Section, Table, text_rows
from toolkit.reporting.wording import list_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolkit.reporting.known import Known

__all__ = ["Topic", "absent_section", "topic_section"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One question, and what of a projection answers it."""

    name: str
    """Identifier of the section."""
    title: str
    """Its heading."""
    short: str
    """The heading's words in the contents."""
    sentence: Callable[[Known], str]
    """The answer in a sentence; without one the scenario does not say, and ``missing`` is shown."""
    missing: str
    """What the scenario would have to say."""
    quantities: tuple[str, ...] | Callable[[Known], tuple[str, ...]]
    """Results and inputs that are listed."""
    caption: str
    """What the list holds."""
    needed: Mapping[str, str] = field(default_factory=dict)
    """Quantities listed as needing input where they are unknown, with the key that would say."""
    loads: tuple[str, tuple[str, ...]] | None = None
    """A phase and resources of it: what is needed of each beside what there is."""
    figures: tuple[str, ...] = ()
    """Figures of the projection that show it."""
    told: tuple[str, ...] = ()
    """Quantities that the sentence tells and the list does not hold."""
    more: Callable[[Known], Sequence[Block]] | None = None
    """Further blocks."""


def topic_section(topic: Topic, known: Known, charts: Callable[[Sequence[str]], list[Block]], group: str) -> Section:
    """Return the section of a topic: its answer, its figures, what is needed beside what there is, and every number behind it."""
    sentence = topic.sentence(known)
    blocks: list[Block] = [] if sentence else [Prose(text=f"Needs input: {topic.missing}.", calm=True)]
    blocks += charts(topic.figures)
    if topic.loads is not None:
        table = known.loads(f"Needed and there, month {known.month}", *topic.loads)
        blocks += [table] if table is not None else []
    names = topic.quantities(known) if callable(topic.quantities) else topic.quantities
    numbers = known.table(topic.caption, names, topic.needed)
    blocks += [numbers] if numbers is not None else []
    blocks += topic.more(known) if topic.more is not None else []
    lead = sentence or "The scenario does not say."
    return Section(
        id=f"{known.prefix}{topic.name}", title=topic.title, short=topic.short, lead=lead, blocks=tuple(blocks), group=group,
        links=known.links((*names, *topic.told)),
    )  # fmt: skip


def absent_section(topics: Sequence[Topic], known: Known, part: str, group: str, keys: Sequence[str]) -> Section:
    """Return the one section of a part that the scenario leaves out: what would be answered, and what that needs."""
    rows = [(Cell(text=topic.title), f"needs input: {topic.missing}") for topic in topics]
    table = Table(
        caption=f"What would be answered of {part}", columns=("question", "what it needs"), rows=text_rows(rows), stacked=True,
        named=True,
    )  # fmt: skip
    lead = f"The scenario says nothing of {part}. Needs input: {list_words(list(keys))}."
    return Section(id=f"{known.prefix}no-{part}", title=f"{group}: needs input", short="Needs input", lead=lead, blocks=(table,),
                   group=group)  # fmt: skip
