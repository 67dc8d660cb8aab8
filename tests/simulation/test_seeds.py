"""Two thousand simulated runs keep every promise, and the same seed is the same run."""

import multiprocessing
import os

import pytest

from simulation.run import Run, run_seed

SEEDS = 2_000


@pytest.mark.timeout(600)
def test_every_promise_is_kept() -> None:
    """What a failure prints is the seeds; `make simulate SEEDS=1 FIRST_SEED=…` shows the trace of one."""
    # Started anew, not forked: what the tests before have imported and opened is no part of a run.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        runs = pool.imap_unordered(broken_promises, range(1, SEEDS + 1), chunksize=25)
        assert {run.seed: run.violations for run in runs if run.violations} == {}


def test_the_same_seed_is_the_same_run() -> None:
    """Every event at the same virtual time, and another run for another seed."""
    digests = [[run_seed(seed).digest for seed in range(1, 11)] for _ in range(2)]
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


def broken_promises(seed: int) -> Run:
    """Run a seed in a process of its own; its trace stays there."""
    run = run_seed(seed)
    return Run(seed, run.violations, [], run.digest)
