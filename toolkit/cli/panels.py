"""The order in which commands are helped with: the path from raw images to a plan first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import typer
    from typer.models import CommandInfo, TyperInfo

__all__ = ["PANELS", "arrange"]

PANELS: Final = {
    "From raw images to a plan": ("curate", "measure", "project", "report", "show"),
    "A dataset": ("verify", "issues", "labels", "findings", "quarantine", "export"),
    "A dataset over time": ("versions", "diff", "remove", "compact", "upgrade"),
    "Measured elsewhere, and compared": ("serve", "compare"),
    "What a projection rests on": ("scenario", "hardware", "calibrate", "backtest", "validate"),
}
"""Headings of the help, and the commands below each."""


def arrange(app: typer.Typer) -> None:
    """Give every registered command its heading, and put them in the order of ``PANELS``."""
    panel = {name: heading for heading, names in PANELS.items() for name in names}
    order = list(panel)
    everything: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for registered in everything:
        registered.rich_help_panel = panel[_name(registered)]
    app.registered_commands.sort(key=lambda each: order.index(_name(each)))


def _name(registered: CommandInfo | TyperInfo) -> str:
    return str(registered.name or getattr(registered.callback, "__name__", ""))
