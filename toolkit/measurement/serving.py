"""``tonnage serve``: a dataset's shards for another host to measure the way there; HTTP ranges, plain TCP, Arrow Flight."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

from toolkit.dataset.reading import open_dataset
from toolkit.errors import BusyError, UsageError
from toolkit.measurement.peers import DEFAULT_PORT
from toolkit.measurement.server import HOST, Offer, start
from toolkit.measurement.wires import path_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["serve", "serve_paths"]

_TOKEN_BYTES: Final = 12
_LAST_PORT: Final = 65_535


def serve(
    dataset: str | Path,
    host: str = HOST,
    port: int = DEFAULT_PORT,
    token: str | None = None,
    *,
    ready: Callable[[dict[str, Any]], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve a dataset's shards, read only, until stopped.

    Parameters
    ----------
    dataset : str or path
        A dataset made by ``curate``.
    host : str
        Address to answer at; ``0.0.0.0`` answers at all of this machine's.
    port : int
        Port for HTTP; plain TCP and Flight take the next two. 0 takes free ones.
    token : str, optional
        What clients must show. By default none on the loopback, and a random one on any other address.
    ready : callable, optional
        Told ``host``, ``ports``, ``token``, ``shard_count`` and ``size_bytes`` once clients can come.
    stop : Event, optional
        Ends the serving; by default it goes on until Ctrl-C.

    Raises
    ------
    UsageError
        If the dataset has no images, or the port cannot be one.
    BusyError
        If a port is in use, or the address is not one of this machine's.

    Notes
    -----
    Nothing is encrypted: this is for measuring a network that one trusts, not for publishing data.
    """
    opened = open_dataset(dataset)
    if not len(opened):
        raise UsageError(f"the dataset '{opened.location}' has no images to serve")
    if not 0 <= port <= _LAST_PORT - 2:
        raise UsageError(f"{port} cannot be a port: 1 to {_LAST_PORT - 2}, as the next two are taken too, or 0 for free ones")
    shown = token if token is not None else "" if path_to(host) == "loopback" and host.startswith("127.") else _new_token()
    about = {"name": opened.location.name, "version": opened.version, "image_count": len(opened)}
    offer = serve_paths(opened.shard_paths(), host, port, shown, about)
    size_bytes = sum(path.stat().st_size for path in offer.paths)
    if ready is not None:
        ready({"host": host, "ports": offer.ports, "token": shown, "shard_count": len(offer.paths), "size_bytes": size_bytes})
    (stop or threading.Event()).wait()


def serve_paths(paths: Sequence[Path], host: str, port: int, token: str, about: dict[str, Any] | None = None) -> Offer:
    """Start serving some shards in threads of this process, and return what is served.

    Raises
    ------
    BusyError
        If a port is in use, or the address is not one of this machine's.
    """
    offer = Offer(paths=tuple(paths), token=token, about=about or {})
    try:
        start(offer, host, (port + 1, port, port + 2) if port else (0, 0, 0))
    except OSError as fault:  # Arrow's own faults are OSErrors too
        ports = f"{port}, {port + 1} or {port + 2}" if port else "a free port"
        raise BusyError(
            f"'{host}' cannot be served at {ports}: {fault.strerror or fault}; choose another --port or --host"
        ) from fault
    return offer


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)
