"""Network namespaces joined by shaped veth links: hosts of their own, as far as TCP can tell. Root only; gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest


def needs_namespaces() -> None:
    """Skip, with the reason, where no network namespace can be made."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            pytest.skip(f"'{tool}' (iproute2) is not installed")


def call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def burst_of(rate: str) -> str:
    """Return 8 ms of a rate: less, and a busy machine cannot keep the link full; more, and it sends above its rate for long."""
    mbit = int(rate.removesuffix("gbit")) * 1_000 if rate.endswith("gbit") else int(rate.removesuffix("mbit"))
    return f"{mbit}kb"


def most_bytes_per_s(rate: str, window_s: float) -> float:
    """Return what no window can pass: the rate of the line, and one burst of its token bucket, saved up while it was idle.

    TCP's payload is 1448 of each 1514 bytes that the bucket counts. The 4 % between are what may have arrived while the reader,
    about to start its window, was not given a processor.
    """
    mbit = int(burst_of(rate).removesuffix("kb"))
    return mbit * 125_000 + mbit * 1024 / window_s


@contextlib.contextmanager
def hosts(count: int, rates: tuple[str, ...]) -> Iterator[list[tuple[str, str]]]:
    """Give ``(namespace, address)`` of hosts on one switch, each of which sends at most at its rate (``1gbit``)."""
    needs_namespaces()
    tag = f"tn{os.getpid() % 10_000}"
    switch = f"{tag}s"
    names = [f"{tag}h{number}" for number in range(count)]
    try:
        try:
            call("ip", "netns", "add", switch)
            call("ip", "netns", "exec", switch, "ip", "link", "add", "br0", "type", "bridge")
        except OSError as fault:
            pytest.skip(f"no network namespace with a bridge can be made here: {fault}")
        call("ip", "netns", "exec", switch, "ip", "link", "set", "br0", "up")
        for number, (name, rate) in enumerate(zip(names, rates, strict=True)):
            call("ip", "netns", "add", name)
            call(
                "ip",
                "link",
                "add",
                f"{tag}a{number}",
                "netns",
                name,
                "type",
                "veth",
                "peer",
                "name",
                f"p{number}",
                "netns",
                switch,
            )
            inside = ("ip", "netns", "exec", name)
            call(*inside, "ip", "link", "set", f"{tag}a{number}", "name", "eth0")
            call(*inside, "ip", "addr", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                call(*inside, "ip", "link", "set", link, "up")
            call("ip", "netns", "exec", switch, "ip", "link", "set", f"p{number}", "master", "br0", "up")
            shape = ("root", "tbf", "rate", rate, "burst", burst_of(rate), "latency", "20ms")
            call(*inside, "tc", "qdisc", "add", "dev", "eth0", *shape)
        yield [(name, f"10.77.0.{number + 1}") for number, name in enumerate(names)]
    finally:
        for name in (*names, switch):
            with contextlib.suppress(OSError):
                call("ip", "netns", "del", name)
