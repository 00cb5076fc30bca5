import os
import sys
import time

import pytest

from toolkit.curation.isolation import IsolatedProcess


def test_the_killer_is_told_and_the_next_call_goes_on():
    with IsolatedProcess(deadline_s=30) as isolated:
        assert isolated.call(abs, -3) == 3
        with pytest.raises(ChildProcessError, match="died"):
            isolated.call(os._exit, 139)
        assert isolated.call(abs, -4) == 4
        with pytest.raises(ValueError, match="invalid literal"):
            isolated.call(int, "x")


def test_what_hangs_is_ended():
    with IsolatedProcess(deadline_s=0.5) as isolated:
        started = time.perf_counter()
        with pytest.raises(ChildProcessError, match=r"did not answer for 0\.5 s"):
            isolated.call(time.sleep, 60)
        assert time.perf_counter() - started < 20


def allocated(size_bytes):
    return len(bytearray(size_bytes))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_what_asks_for_more_memory_than_it_may_is_told_and_the_next_call_goes_on():
    with IsolatedProcess(deadline_s=30, memory_bytes=2**28) as isolated:
        with pytest.raises(ChildProcessError, match="asked for more memory than 268 MB"):
            isolated.call(allocated, 2**29)
        assert isolated.call(allocated, 2**26) == 2**26
