"""A load beside a measurement: ``python -m toolkit.measurement.load KIND FOLDER``, until killed or its parent is gone."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

from toolkit.measurement.caches import evict
from toolkit.units import MIB

__all__ = ["main"]


def main() -> None:
    """Load what the first argument names, after saying that it begins."""
    kind, folder = sys.argv[1], sys.argv[2]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    {"cpu": _cpu, "disk": _disk, "network": _network}[kind](folder)


def _end_with_parent() -> None:
    """Wait for standard input to close, which it does when the parent ends however it ends."""
    sys.stdin.read()
    os._exit(0)


def _cpu(_folder: str) -> None:
    block = bytes(MIB)
    while True:
        hashlib.sha256(block).digest()


def _disk(folder: str) -> None:
    """Write a file, sync it, evict it and read it again, without end; the file has no name, so that nothing is left behind."""
    block = os.urandom(MIB)
    with tempfile.TemporaryFile(dir=folder) as file:
        path = Path(f"/proc/self/fd/{file.fileno()}")
        while True:
            file.seek(0)
            for _ in range(64):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            if path.exists():
                evict([path])
            file.seek(0)
            while file.read(MIB):
                pass


def _network(_folder: str) -> None:
    here, there = _connected()
    block = bytes(MIB)

    def take() -> None:
        room = bytearray(MIB)
        while there.recv_into(room):
            pass

    threading.Thread(target=take, daemon=True).start()
    while True:
        here.sendall(block)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    return here, there


if __name__ == "__main__":
    main()
