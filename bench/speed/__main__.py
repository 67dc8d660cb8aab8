"""Channeling beside nothing, nginx, two plain relays and other gateways, in one run.

    python -m bench.speed [--quick] [--only NAME ...] [--out FILE]

The target has core 0; the providers' stand-in, the load generator and DynamoDB's stand-in share core 1. Targets
come one after another in each round, started afresh; the better round counts. bench/README.md has the rest.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from bench.speed.measure import Figures, MeasureFailed, Plan, better, measure, settle_down
from bench.speed.native import PROGRAMS, compile_programs, running_upstream
from bench.speed.report import markdown
from bench.speed.target import Place, Target
from bench.speed.targets import TARGETS
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


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="rounds of a second, no other gateways")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="targets whose name begins with one of these"
    )
    parser.add_argument("--seconds", type=float, help="how long each measure takes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, help="write the tables to this file too")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    if options.seconds or options.rounds:
        plan = Plan(
            options.seconds or plan.seconds,
            plan.warm_up_s,
            options.rounds or plan.rounds,
            plan.paced_streams,
            crowd=plan.crowd,
        )
    targets = [
        target
        for target in TARGETS
        if (not options.quick or not target.is_peer)
        and (not options.only or target.name.lower().startswith(tuple(name.lower() for name in options.only)))
    ]
    try:
        measured, left_out = run(targets, plan)
    except NotAvailable as reason:
        sys.exit(str(reason))
    (PROGRAMS / "last.json").write_bytes(
        orjson.dumps(
            {name: asdict(figures) for name, figures in measured.items()}, option=orjson.OPT_INDENT_2
        )
    )
    text = markdown(measured, left_out, plan)
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
