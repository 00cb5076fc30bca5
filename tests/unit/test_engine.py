import gc
import operator
import signal
from fractions import Fraction

import pytest
from distributed import LocalCluster

from toolkit.engine import engine, is_replaceable
from toolkit.errors import ClusterError, UsageError


def test_every_task_comes_back_once_and_a_fault_comes_back_as_one() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as cluster:  # noqa: SIM117
        with engine(cluster.scheduler_address) as running:
            assert not running.is_own
            assert (running.worker_count, running.thread_count) == (1, 2)
            results = dict(running.stream(operator.neg, range(50)))
            assert results == {number: -number for number in range(50)}
            faults = dict(running.stream(operator.methodcaller("no_such_method"), [1], retries=0))
            assert isinstance(faults[1], AttributeError)


def test_a_local_cluster_has_the_workers_asked_for() -> None:
    with engine(workers=2, threads=1) as running:
        assert running.is_own
        assert running.worker_count == 2
        assert sorted(result for _, result in running.stream(operator.neg, [1, 2])) == [-2, -1]
        assert [found for _, found in running.stream(_told, [None])] == [(True, False, signal.SIG_IGN)]
        drawn = (Fraction(number, 7) for number in range(100))
        assert sum(result for _, result in running.stream(operator.neg, drawn)) == Fraction(-4_950, 7)
        assert sum(type(each) is Fraction for each in gc.get_objects()) < 50  # tasks that are done are let go
        cluster = running.client.cluster
        for name in list(cluster.workers):  # as Dask does with one that died before it had quite started
            cluster.sync(cluster.workers.pop(name).close)
        assert [found for _, found in running.stream(_told, [None])] == [(True, False, signal.SIG_IGN)]


def _told(_: object) -> tuple[bool, object, object]:
    """Return whether this worker is replaced when it ends, the share of its memory at which it would pause, what Ctrl-C does."""
    from distributed import get_worker

    return is_replaceable(), get_worker().memory_manager.memory_pause_fraction, signal.getsignal(signal.SIGINT)


def test_tasks_are_drawn_only_as_room_is_made() -> None:
    drawn: list[int] = []

    def endless():
        number = 0
        while True:
            drawn.append(number)
            yield number
            number += 1

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:  # noqa: SIM117
        with engine(cluster.scheduler_address) as running:
            stream = running.stream(operator.neg, endless())
            for _ in range(5):
                next(stream)
            stream.close()
    assert len(drawn) < 20


def test_no_scheduler_and_no_workers_are_one_sentence() -> None:
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"), engine("tcp://127.0.0.1:1"):
        pass
    with pytest.raises(UsageError, match="workers must be 1 or more"), engine(workers=0):
        pass
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster:  # noqa: SIM117
        with pytest.raises(ClusterError, match="has no workers"), engine(cluster.scheduler_address):
            pass
