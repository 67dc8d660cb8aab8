"""Channeling beside nothing, nginx, two plain relays and other gateways, in one run.

    python -m bench.speed [--quick] [--only NAME ...] [--out FILE]

The target has core 0; the providers' stand-in, the load generator and DynamoDB's stand-in share core 1. Targets
come one after another in each round, started afresh; the better round counts. bench/README.md has the rest.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

import orjson

from bench.speed.acceptance import Surroundings
from bench.speed.cores import UPSTREAM_CORE, keep_to
from bench.speed.measure import Figures, MeasureFailed, Plan, better, measure, settle_down
from bench.speed.names import CHANNELING
from bench.speed.native import PROGRAMS, compile_programs, running_upstream
from bench.speed.picture import bar_picture
from bench.speed.plain_targets import RELAY_PACKAGES
from bench.speed.report import Report, bars, markdown
from bench.speed.surroundings import cold_import_ms, store_figures
from bench.speed.target import Place, Target
from bench.speed.targets import TARGETS
from bench.wire.peers import versions
from bench.wire.processes import DidNotStart, NotAvailable

QUICK = Plan(seconds=1.0, warm_up_s=0.3, rounds=1, paced_streams=1, crowd=False)
FULL = Plan(seconds=3.0, warm_up_s=0.5, rounds=2)


def say(line: str) -> None:
    """Tell on the terminal how it goes."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def run(targets: Sequence[Target], plan: Plan) -> tuple[dict[str, Figures], list[str]]:
    """Measure each target in each round; return the figures by name, and a line for each that has none."""
    compile_programs()
    measured: dict[str, Figures] = {}
    left_out: dict[str, str] = {}
    for number in range(plan.rounds):
        for target in targets:
            if target.name in left_out:
                continue
            say(f"round {number + 1}: {target.name}")
            try:
                figures = _measured(target, plan)
            except (NotAvailable, DidNotStart, MeasureFailed) as reason:
                left_out[target.name] = f"{target.name}: {reason}"
                say(f"  {reason}")
                continue
            before = measured.get(target.name)
            measured[target.name] = figures if before is None else better(before, figures)
    return measured, list(left_out.values())


def _measured(target: Target, plan: Plan) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        folder = Path(home)
        with running_upstream(folder) as upstream_port:
            place = Place(folder, upstream_port)
            with target.start(place) as running:
                figures = measure(target, running, place, plan)
                settle_down()
                return figures


def chosen(beginnings: Sequence[str] | None, *, with_peers: bool) -> list[Target]:
    """Return the targets whose names begin with one of these, in any case; all without any."""
    starts = tuple(beginning.lower() for beginning in beginnings or ("",))
    return [
        target
        for target in TARGETS
        if (with_peers or not target.is_peer) and target.name.lower().startswith(starts)
    ]


def surroundings(plan: Plan) -> tuple[Surroundings, str]:
    """Measure what is measured once; return it, and what to say of the store."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        store_call_ms, store_per_s = store_figures(Path(home), plan.seconds)
    function_ms, other_ms = cold_import_ms()
    said = (
        f"DynamoDB's stand-in alone: {store_per_s:,.0f} holds/s, {store_call_ms:.3f} ms each at one connection."
        f" Cold import of the messages function {function_ms:.0f} ms, of httpx and botocore.session"
        f" {other_ms:.0f} ms."
    )
    return Surroundings(store_call_ms, function_ms / other_ms), said


def machine() -> str:
    """Return what the figures are measured on, and with which versions."""
    cpu = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC. {os.cpu_count()} cores ({cpu}),"
        f" {platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}; load"
        f" {os.getloadavg()[0]:.1f} before. {', '.join([*versions(), *RELAY_PACKAGES])}."
    )


def end_at_sigterm() -> None:
    """Make SIGTERM end the programs that run as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def main() -> None:
    """Measure, and print the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="rounds of a second, no other gateways")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="targets whose name begins with one of these"
    )
    parser.add_argument("--seconds", type=float, help="how long each measure takes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, help="write the page to this file too")
    parser.add_argument("--picture", type=Path, help="write the picture to this file")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    plan = replace(plan, seconds=options.seconds or plan.seconds, rounds=options.rounds or plan.rounds)
    targets = chosen(options.only, with_peers=not options.quick)
    if not targets:
        parser.error(f"no target begins like that; there are: {', '.join(one.name for one in TARGETS)}")
    end_at_sigterm()
    keep_to(UPSTREAM_CORE)
    where = machine()
    try:
        compile_programs()
        around, said = surroundings(plan)
        measured, left_out = run(targets, plan)
    except NotAvailable as reason:
        sys.exit(str(reason))
    (PROGRAMS / "last.json").write_bytes(
        orjson.dumps(
            {name: asdict(figures) for name, figures in measured.items()}, option=orjson.OPT_INDENT_2
        )
    )
    text = markdown(Report(measured, left_out, plan, around, f"{where}\n\n{said}"))
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text)
    if options.picture is not None:
        options.picture.write_text(picture(measured))


def picture(measured: Mapping[str, Figures]) -> str:
    """Return the README's picture of a run."""
    panels = [
        ("Events a second, streamed in bursts", "{:,.0f}", bars(measured, "events_per_s")),
        ("Requests a second", "{:,.0f}", bars(measured, "requests_per_s")),
        ("Memory after the run, MB", "{:.0f}", bars(measured, "rss_after_mb")),
    ]
    foot = "One process on one core, 16 connections, a stand-in for the provider on loopback: make bench"
    return bar_picture([panel for panel in panels if panel[2]], CHANNELING, foot)


if __name__ == "__main__":
    main()
