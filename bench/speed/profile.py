"""Where Channeling's time goes: `python -m bench.speed.profile json|big|sse [--model NAME] [--lines N]`.

The messages function's application under cProfile by CPU time, pressed by 16 connections. cProfile makes calls
dear: read shares, and calls a request, not milliseconds.
"""

import argparse
import os
import pstats
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.answers import ANTHROPIC_MODEL, DELTAS
from bench.speed.__main__ import end_at_sigterm, say
from bench.speed.channeling import running_channeling
from bench.speed.cores import UPSTREAM_CORE, keep_to
from bench.speed.native import Load, compile_programs, press, running_upstream, set_stream
from bench.speed.requests import ENDINGS, Kind, write_requests
from bench.speed.target import Place

_WRITTEN_WITHIN_S = 30.0
# `python -m cProfile` goes by the clock on the wall, which counts what others do on this machine.
_PROGRAM = """
import cProfile, runpy, sys, time
file, *sys.argv = sys.argv[1:]
profile = cProfile.Profile(time.process_time)
try:
    profile.runcall(runpy.run_path, sys.argv[0], run_name="__main__")
except (KeyboardInterrupt, SystemExit):
    pass
finally:
    profile.dump_stats(file)
"""


def profiled(kind: Kind, model: str, seconds: float) -> tuple[pstats.Stats, int]:
    """Return the profile of a pressed gateway from its start on, and how many requests are in it."""
    compile_programs()
    with (
        tempfile.TemporaryDirectory(prefix="profile-") as home,
        running_upstream(Path(home)) as upstream_port,
    ):
        place, file = Place(Path(home), upstream_port), Path(home) / "profile"
        set_stream(upstream_port, events=DELTAS, interval_us=0)
        under = (sys.executable, "-c", _PROGRAM, file)
        with running_channeling(place, model, as_function=True, under=under) as running:
            files = write_requests(place.folder, kind, model, running.callers)
            seen = press(running.port, Load(16, ENDINGS[kind], seconds=seconds), files)
            assert running.process_id is not None  # noqa: S101 - it is a process
            # After SIGTERM uvicorn ends the process before the profile is written.
            os.kill(running.process_id, signal.SIGINT)
            deadline_s = time.monotonic() + _WRITTEN_WITHIN_S
            while not (file.is_file() and file.stat().st_size) and time.monotonic() < deadline_s:
                time.sleep(0.05)
            time.sleep(0.2)
            return pstats.Stats(str(file)), int(seen["answers"])


def main() -> None:
    """Profile, and print the functions that take most."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.profile", description=__doc__)
    parser.add_argument("kind", choices=["json", "big", "sse"])
    parser.add_argument("--model", default=ANTHROPIC_MODEL)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--lines", type=int, default=40)
    options = parser.parse_args()
    end_at_sigterm()
    keep_to(UPSTREAM_CORE)
    stats, requests = profiled(options.kind, options.model, options.seconds)
    say(f"{requests} requests")
    stats.sort_stats("tottime").print_stats(options.lines)


if __name__ == "__main__":
    main()
