"""Many jobs side by side, with an estimate of the time that is left."""

import collections
import concurrent.futures
import time
from collections.abc import Callable, Mapping

from maml.experiments.executors.base import Executor
from mine.reporting.processes.claims import ClaimedError
from mine.reporting.progress import ProgressBar

PAUSE = 2.0
"""Seconds before a job that another process works on is asked for again."""

LIVES = 4
"""How many processes may die of a job before the job is given up."""


def run(
    jobs: Mapping[str, Callable[[], dict]], executor: Executor, title: str, unit: str = "run"
) -> dict[str, dict]:
    """Runs jobs, another one whenever one is done.

    A job keeps its own result, so that a study that is cut goes on where it was. One that another
    study works on is left to it: the others come first, then its result is taken.

    Args:
        jobs: name -> function that can be pickled, and returns a record.
        executor: where they run.
        title: of the progress bar.
        unit: what a job is, for the bar.

    Returns:
        name -> record, in the order of the jobs. A job that raised ``FloatingPointError`` has the
        record ``{"diverged": message}``: a divergence is a result.

    Raises:
        OSError: processes were killed.
        Exception: whatever else a job raised, once those that were running are done.
        KeyboardInterrupt: as it came; the jobs that were running are ended.
    """
    waiting = collections.deque(jobs)
    claimed: set[str] = set()
    deaths: collections.Counter = collections.Counter()
    running: dict[concurrent.futures.Future, str] = {}
    records: dict[str, dict] = {}
    asked = time.monotonic()  # When the jobs of other studies were last asked for.
    with ProgressBar(total=len(jobs), desc=title, unit=unit) as progress:
        try:
            while len(records) < len(jobs):
                if claimed.issuperset(waiting) and time.monotonic() - asked >= PAUSE:
                    claimed.clear()
                    asked = time.monotonic()
                for name in [name for name in waiting if name not in claimed]:
                    if not executor.has_room(len(running)):
                        break
                    waiting.remove(name)
                    running[executor.submit(jobs[name])] = name
                for future in _done(running):
                    name = running.pop(future)
                    try:
                        records[name] = future.result()
                    except ClaimedError:
                        claimed.add(name)
                        waiting.append(name)
                        progress.set_postfix_str(f"another process works on {name}")
                        continue
                    except Exception as error:
                        deaths[name] += 1
                        if not executor.is_lost(error) or deaths[name] == LIVES:
                            raise
                        waiting.append(name)
                        continue
                    progress.update()
                    progress.set_postfix_str(name)
        except BaseException as error:
            executor.stop(wait=isinstance(error, Exception))
            if isinstance(error, Exception):
                told = executor.explain(error)
                raise told from (error if told is not error else error.__cause__)
            raise
    return {name: records[name] for name in jobs}


def _done(running) -> set[concurrent.futures.Future]:
    """The futures that are done; waits a moment for the first."""
    if not running:
        time.sleep(PAUSE / 10)
        return set()
    first = concurrent.futures.FIRST_COMPLETED
    return concurrent.futures.wait(running, PAUSE, return_when=first).done
