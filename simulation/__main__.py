"""`python -m simulation --seeds N --first-seed K`: run seeds on every core; show the first failure."""

import argparse
import multiprocessing
import sys
import time

from simulation.run import Run, run_seed

_SHOW_AFTER_S = 2.0


def main() -> int:
    """Return 0 where every seed kept every promise, else 1, with the seed, what it broke, and its trace."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=None, help="at once; default: one for each core")
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    began_s = shown_s = time.monotonic()
    with multiprocessing.Pool(arguments.processes) as pool:
        for done, run in enumerate(pool.imap(_run, seeds, chunksize=16), start=1):
            if run.violations:
                _report(run)
                return 1
            now_s = time.monotonic()
            if now_s - shown_s >= _SHOW_AFTER_S or done == len(seeds):
                shown_s, took_s = now_s, now_s - began_s
                print(
                    f"{done} of {len(seeds)} seeds kept every promise, {took_s:.0f} s, {done / took_s:.0f} seeds/s",
                    flush=True,
                )
    return 0


def _run(seed: int) -> Run:
    run = run_seed(seed)
    return run if run.violations else Run(seed, [], [], run.digest)


def _report(run: Run) -> None:
    print("\n".join(run.trace))
    print(f"\nSeed {run.seed} broke a promise:")
    print("\n".join(f"  {violation}" for violation in run.violations))
    print(f"\nAgain: make simulate SEEDS=1 FIRST_SEED={run.seed}")


if __name__ == "__main__":
    sys.exit(main())
