"""What projections rest on: published figures recomputed, scenarios begun, checked and explained, hardware with its sources."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads annotations when it runs
from typing import Annotated

import typer

from toolkit.cli.app import AsJson, app, print_json, print_line
from toolkit.errors import UsageError

__all__ = ["hardware_add", "hardware_list", "hardware_show", "scenario_check", "scenario_explain", "scenario_init", "validate"]

scenario_app = typer.Typer(name="scenario", help="Begin, check and explain what a projection is asked.", no_args_is_help=True)
hardware_app = typer.Typer(
    name="hardware", no_args_is_help=True, help="Devices, models, drives, links, prices and datasets, with sources; add your own."
)
app.add_typer(scenario_app, name="scenario")
app.add_typer(hardware_app, name="hardware")

ScenarioFile = Annotated[str, typer.Argument(metavar="SCENARIO", help="YAML or JSON file with a scenario.")]


@app.command()
def validate(
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="YAML files of cases; by default those of the toolkit.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Markdown file to write the table to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute published figures and project published systems; exit 1 if any is out of its tolerance or range."""
    from toolkit.projection.systems import project_systems
    from toolkit.projection.validating import validate as recompute_all
    from toolkit.projection.validation_page import validation_page

    results = recompute_all(cases or ())
    systems = [] if cases else project_systems()
    failed = [result for result in results if not result.is_within] + [each for each in systems if not each.is_as_told]
    if page is not None:
        page.write_text(validation_page(results, systems), encoding="utf-8")
    if as_json:
        told = {"cases": [result.to_dict() for result in results], "systems": [each.to_dict() for each in systems]}
        print_json(told | {"failed_count": len(failed)})
    else:
        for each in systems:
            published, low, middle, high = each.shown
            print_line(f"{each.system.id:28} {published:>24} {middle:>16} ({low} to {high})  {each.verdict}  {each.system.title}")
        for result in results:
            tolerance = "" if result.case.between or result.case.miss is not None else f"{result.case.tolerance * 100:.4g} %"
            print_line(
                f"{result.case.id:28} {result.published_shown:>24} {result.value_shown:>16} {result.error_share * 100:+8.2f} % "
                f"{tolerance:>8}  {result.verdict:11}  {result.case.title}"
            )
        misses = sum(result.case.miss is not None for result in results)
        misses += sum(each.system.miss for each in systems)
        count = f"{len(results)} published figures" + (f", {len(systems)} published systems" if systems else "")
        print_line(f"{count}, {len(failed)} out of tolerance, {misses} known misses")
    if failed:
        raise typer.Exit(1)


@scenario_app.command("init")
def scenario_init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file to write; it must not exist.")], as_json: AsJson = False
) -> None:
    """Write a scenario with every key, its unit, its default and where that comes from, to be filled in."""
    from toolkit.projection.scenario_pages import scenario_template

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(scenario_template())
    except FileExistsError as fault:
        raise UsageError(f"'{path}' exists already; name a new file") from fault
    print_json({"file": str(path)}) if as_json else print_line(str(path))


@scenario_app.command("check")
def scenario_check(path: ScenarioFile, as_json: AsJson = False) -> None:
    """Check a scenario; every problem at once, a line each, and exit 2 if there is any."""
    from toolkit.projection.scenario import scenario_problems

    problems = list(scenario_problems(path))
    if as_json:
        print_json({"file": path, "is_valid": not problems, "problems": problems})
    else:
        print_line("\n".join(problems) or f"'{path}' is a scenario")
    if problems:
        raise typer.Exit(2)


@scenario_app.command("explain")
def scenario_explain(path: ScenarioFile, as_json: AsJson = False) -> None:
    """Print every key in force: its value, whether it was stated, what it is, and the source of its default."""
    from toolkit.projection.scenario import load_scenario
    from toolkit.projection.scenario_pages import explained_keys

    rows = list(explained_keys(load_scenario(path)))
    if as_json:
        names = ("key", "value", "by", "meaning")
        print_json({"keys": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    for key, value, by, meaning in rows:
        print_line(f"{key} = {value}   [{by}] {meaning}")


@hardware_app.command("list")
def hardware_list(as_json: AsJson = False) -> None:
    """List every entry by kind: its name, what it is, the date and kind of its figures, and their source."""
    from toolkit.projection.hardware_facts import hardware_kinds

    rows = [(kind, name, fact) for kind, facts in hardware_kinds().items() for name, fact in facts.items()]
    if as_json:
        print_json({"hardware": [{"kind": kind, "name": name} | fact.model_dump(mode="json") for kind, name, fact in rows]})
        return
    for kind, name, fact in rows:
        print_line(f"{kind:12} {name:18} {fact.title}  ({fact.as_of}, {fact.evidence}; {fact.source})")


@hardware_app.command("show")
def hardware_show(name: Annotated[str, typer.Argument(help="Name, as the list has it.")], as_json: AsJson = False) -> None:
    """Show every figure of one entry, each with its source; what is not known needs your input."""
    from toolkit.projection.hardware_facts import hardware_kinds, pick

    every = {entry: fact for facts in hardware_kinds().values() for entry, fact in facts.items()}
    fact = pick(every, name, "entry")
    if as_json:
        print_json({"name": name} | fact.model_dump(mode="json"))
        return
    for key, field in type(fact).model_fields.items():
        value = getattr(fact, key)
        mark = "   (assumed)" if key in fact.assumed else ""
        print_line(f"{key}: {'needs input' if value is None else value}{mark}   # {' '.join((field.description or '').split())}")


@hardware_app.command("add")
def hardware_add(
    path: Annotated[str, typer.Argument(metavar="FILE", help="YAML file of entries: kind, name, figures.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put the new entry in the place of one of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add entries of your own, checked against the schema; scenarios name them like those that come with the toolkit."""
    from toolkit.projection.hardware_entries import KINDS
    from toolkit.projection.hardware_facts import shipped_facts
    from toolkit.projection.hardware_own import add_entries, own_path

    added = add_entries(path, {kind: shipped_facts(kind) for kind in KINDS}, replace=replace)
    if as_json:
        print_json({"added": added, "file": str(own_path())})
        return
    for entry in added:
        print_line(f"{entry} added to '{own_path()}'")
