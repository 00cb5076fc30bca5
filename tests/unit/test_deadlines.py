"""Work that hangs: the process ends by itself where it will be replaced, and lives on where it will not."""

import subprocess
import sys
import time

import pytest
from distributed import Client, LocalCluster

from toolkit import engine
from toolkit.curation.deadlines import watched
from toolkit.engine import is_replaceable

HANGING = """
import threading, time
from toolkit import engine
from toolkit.curation import deadlines
deadlines.is_replaceable = lambda: True
with deadlines.watched(60):
    pass
def hang():
    with deadlines.watched(0.2):
        time.sleep(60)
threads = [threading.Thread(target=hang, daemon=True)]
threads[0].start()
for _ in range(600):
    with deadlines.watched(60):  # others that go on do not put it off
        time.sleep(0.1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such timer")
def test_a_thread_that_hangs_ends_a_process_that_is_replaced():
    done = subprocess.run([sys.executable, "-c", HANGING], check=False, timeout=30, capture_output=True)
    assert done.returncode == -14, done.stderr


def test_nothing_is_ended_that_would_not_come_back():
    with watched(0.01):
        time.sleep(0.05)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        engine.is_replaceable.cache_clear()
        assert client.submit(is_replaceable).result() is False
