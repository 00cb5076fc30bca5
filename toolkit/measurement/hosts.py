"""What the invocations of each host have said so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.errors import BusyError, ClusterError, TonnageError, UsageError
from toolkit.facts import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolkit.measurement.cluster import ClusterRun

__all__ = ["HostLines", "environment_of_hosts", "nothing_measured"]


@dataclass(slots=True)
class HostLines:
    """The lines of one host's invocations so far."""

    worker: str
    """Address of the worker that runs them."""
    host: str = ""
    """Name of the host, once it has said it."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Its environment, as the first invocation found it."""
    windows: list[dict[str, Any]] = field(default_factory=list)
    """Its windows."""
    values: list[dict[str, Any]] = field(default_factory=list)
    """What its invocations found by searching."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """What could not be measured, and why."""

    def take(self, lines: Sequence[dict[str, Any]]) -> None:
        """Add the lines of an invocation.

        Raises
        ------
        ClusterError
            If the worker does not see the dataset.
        BusyError, UsageError, TonnageError
            If the invocation as a whole failed. Faults of single stages are kept as findings.
        """
        for line in lines:
            if line["kind"] == "environment" and not self.host:
                self.host, self.facts = line["host"], line["facts"]
            elif line["kind"] == "window":
                self.windows.append(line)
            elif line["kind"] == "value":
                self.values.append(line)
            elif line["kind"] == "fault" and line["metric"]:
                self.faults.append(line)
            elif line["kind"] == "fault":
                self._fail(line)

    def _fail(self, line: Mapping[str, Any]) -> None:
        if line["error"] == "ClusterError":
            raise ClusterError(
                f"the worker at {self.worker} does not see the dataset; it must lie at the same path on every host"
            )
        kind = {"BusyError": BusyError, "UsageError": UsageError}.get(line["error"], TonnageError)
        raise kind(line["message"])


def environment_of_hosts(hosts: Sequence[HostLines], *, is_whole: bool, together: ClusterRun | None = None) -> Environment:
    """Return the environment of the first host, with what could not be measured, and the other hosts below it."""
    facts = dict(hosts[0].facts)
    faults = {_name(fault): fault["message"] for host in hosts for fault in host.faults}
    if together is not None:
        faults |= together.faults
        facts["cluster"] = {"workers": list(together.workers), "start_skew_s": together.start_skew_s()}
    if faults:
        facts["not_measured"] = faults
    if not is_whole:
        facts["is_interrupted"] = True
    if len(hosts) > 1:
        facts["other_hosts"] = {host.host: host.facts for host in hosts[1:]}
    return Environment(host=hosts[0].host, facts=facts)


def nothing_measured(hosts: Sequence[HostLines]) -> TonnageError:
    """Return the error for a run without a single window, with the first reason that was given."""
    why = next((fault["message"] for host in hosts for fault in host.faults), "no window was completed")
    return TonnageError(f"nothing could be measured: {why}")


def _name(fault: Mapping[str, Any]) -> str:
    conditions = ", ".join(f"{name} {value}" for name, value in fault.get("conditions", {}).items())
    return f"{fault['metric']} ({conditions})" if conditions else str(fault["metric"])
