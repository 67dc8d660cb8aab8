"""`make bench-lambda`: builds the messages function and prints what it costs, beside what it may cost."""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.artifact.imports import import_graph, printed
from bench.artifact.init_time import BARE_MODULES, bare_import_ms, function_init_ms, installed_packages
from bench.artifact.sizes import unzipped_megabytes
from bench.artifact.streams import many_at_a_time, rss_after_streams_mb
from channeling_cli.local import ANTHROPIC_URL_VARIABLE
from emulator.artifact import (
    ADMIN_FUNCTION,
    ADMIN_LAYERS,
    FUNCTION,
    LAYERS,
    Artifact,
    build_for_host,
    lay_out,
)
from emulator.local_gateway import LocalGateway, local_gateway
from emulator.sam_cli import installed_sam
from emulator.sandbox import can_isolate


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, and the most that it may be."""

    name: str
    value: float
    most: float
    unit: str
    note: str = ""

    def line(self) -> str:
        """Return the figure's row."""
        verdict = "pass" if self.value <= self.most else "MISSED"
        return f"{self.name:52}{self.value:>9.2f}{self.most:>8.2f} {self.unit:<5}{verdict:<8}{self.note}".rstrip()


async def measured(
    build: Path, artifact: Artifact, gateway: LocalGateway, options: argparse.Namespace
) -> list[Figure]:
    """Measure everything, one after the other."""
    figures = [
        Figure("messages function with its layers", unzipped_megabytes(build, (FUNCTION, *LAYERS)), 25, "MB"),
        Figure(
            "admin function with its layers",
            unzipped_megabytes(build, (ADMIN_FUNCTION, *ADMIN_LAYERS)),
            45,
            "MB",
        ),
    ]
    if options.rounds:
        figures.append(await _init_figure(artifact, gateway, options.rounds))
    before_mb, after_mb = await rss_after_streams_mb(artifact, gateway, options.streams)
    figures.append(
        Figure(f"resident after {options.streams} streams", after_mb, 110, "MB", f"{before_mb:.0f} MB before")
    )
    even = await many_at_a_time(
        artifact, gateway, options.at_a_time, deltas=options.deltas, gap_ms=options.gap_ms
    )
    name = f"{options.at_a_time} streams at a time"
    note = f"median {even.median_ms:.0f} ms, p99 {even.p99_ms:.0f} ms"
    return [
        *figures,
        Figure(f"{name}: memory a stream", even.megabytes_a_stream, 0.5, "MB"),
        Figure(f"{name}: p99 gap / median gap", even.p99_ms / even.median_ms, 3, "x", note),
    ]


async def _init_figure(artifact: Artifact, gateway: LocalGateway, rounds: int) -> Figure:
    packages = installed_packages()
    # The first of each warms the files; the rest by turns, so that a busy machine slows both.
    pairs = [
        (await function_init_ms(artifact, gateway.environ), bare_import_ms(packages))
        for _ in range(rounds + 1)
    ][1:]
    init_ms, bare_ms = (statistics.median(each) for each in zip(*pairs, strict=True))
    best_init_ms, best_bare_ms = (min(each) for each in zip(*pairs, strict=True))
    note = f"init {init_ms:.0f} ms (best {best_init_ms:.0f}), bare {bare_ms:.0f} ms (best {best_bare_ms:.0f})"
    return Figure(f"init / import {BARE_MODULES}", init_ms / bare_ms, 1.6, "x", note)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 0: a figure that is missed is said, not a failure of the bench."""
    parser = argparse.ArgumentParser(prog="make bench-lambda", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="initialisations in fresh processes; 0: none")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--at-a-time", type=int, default=200)
    parser.add_argument("--deltas", type=int, default=100)
    parser.add_argument("--gap-ms", type=float, default=50.0)
    parser.add_argument("--imports", action="store_true", help="print the import graph first")
    parser.add_argument("--build", type=Path, help="what was built already")
    options = parser.parse_args(arguments)
    build = options.build
    if build is None:
        installed_sam()
        build = build_for_host()
    where = (
        "laid out as on Lambda, 512 MB" if can_isolate() else "where its files lie (not root: not isolated)"
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}; {where}\n", flush=True)
    # One address of a provider will do for all; each measure has a provider of its own.
    keys = {"ANTHROPIC_API_KEY": "sk-ant-of-the-bench", ANTHROPIC_URL_VARIABLE: "http://127.0.0.1:9"}
    with tempfile.TemporaryDirectory() as folder, local_gateway(keys) as gateway:
        artifact = lay_out(build, Path(folder))
        if options.imports:
            print("\n".join(printed(import_graph(artifact, gateway.environ))), end="\n\n", flush=True)
        figures = asyncio.run(measured(build, artifact, gateway, options))
    print(f"{'':52}{'is':>9}{'at most':>8}")
    print("\n".join(figure.line() for figure in figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
