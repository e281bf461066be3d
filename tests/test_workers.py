"""Processes and threads that work for a command, and end with it."""

import concurrent.futures
import multiprocessing
import os
import pathlib
import time

import pytest

from mine.reporting.processes import workers


def _sleep(folder, seconds):
    try:
        pathlib.Path(folder, str(os.getpid())).touch()
        time.sleep(100)
    finally:
        time.sleep(seconds)  # When the first worker has ended, the second is at this still.
        pathlib.Path(folder, f"{os.getpid()}.tidy").touch()


def test_workers_leave_their_files_in_order(tmp_path):
    """When the block is left by Ctrl-C; the jobs that were not begun are not."""
    with pytest.raises(KeyboardInterrupt), workers.Pool(2) as pool:
        for job in range(9):
            pool.submit(_sleep, tmp_path, job)
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        raise KeyboardInterrupt
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 4 and [f"{name}.tidy" for name in names[::2]] == names[1::2]


@pytest.mark.parametrize(
    ("passed", "used", "late"),
    [(4.9, 9.0, False), (5.1, 5.1, True), (5.1, 0.5, False), (19.0, 1.0, False), (21.0, 0.0, True)],
)
def test_workers_have_more_time_where_others_take_the_processors(passed, used, late):
    assert workers._is_late(passed, used) == late


def _keep_a_pool():
    pool = workers.Pool(1)
    _keep_a_pool.pool = pool  # As a study does, whose processes stay for its next table.
    pool.submit(os.getpid).result()


def test_a_process_of_multiprocessing_ends_with_a_pool_that_it_keeps():
    process = multiprocessing.get_context("forkserver").Process(target=_keep_a_pool)
    process.start()
    process.join(60)
    alive = process.is_alive()
    process.kill()
    assert not alive and process.exitcode == 0


def test_threads_do_not_begin_what_an_error_has_made_useless():
    done = []

    def work(number):
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(ZeroDivisionError), workers.threads(2) as pool:
        pool.map(work, range(100))
        raise ZeroDivisionError
    assert len(done) < 10


class Immediate(concurrent.futures.Executor):
    """Does what it is given at once."""

    def submit(self, function, /, *args):
        future = concurrent.futures.Future()
        future.set_result(function(*args))
        return future


@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_results_come_in_order_and_few_wait(ahead):
    done, taken = [], 0
    for result in workers.in_order(Immediate(), done.append, range(10), ahead):
        assert result is None
        taken += 1
        assert done == list(range(min(10, taken + ahead)))
    assert taken == 10
    with workers.threads(3) as pool:
        assert list(workers.in_order(pool, abs, [-3, 2, -1], ahead)) == [3, 2, 1]
        assert not list(workers.in_order(pool, abs, [], ahead))


def test_an_error_of_a_job_comes_in_its_turn():
    with workers.threads(2) as pool:
        results = workers.in_order(pool, (1).__truediv__, [1, 0, 2], 2)
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError):
            next(results)
