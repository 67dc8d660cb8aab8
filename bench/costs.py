"""The tables of docs/costs.md that come of measured figures and AWS's prices: `make costs` prints them.

Everything is a pure function of the inputs named here. A test holds the page to these tables, and the inputs to
the template, to the lines that are written, and to the prices that the page names. Prices: AWS's public ones for
US East (N. Virginia), arm64, November 2026. Dollars are Decimal, a GB of traffic or logs is 10^9 bytes.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

MILLION = 1_000_000
_HOURS_A_MONTH = 730
_S_AN_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars. `docs/costs.md` names each one's source."""

    gb_second: Decimal = Decimal("0.0000133334")
    million_invocations: Decimal = Decimal("0.20")
    streamed_gb: Decimal = Decimal("0.008")  # beyond the first 6 MB of a response
    million_write_units: Decimal = Decimal("0.625")
    log_gb: Decimal = Decimal("0.50")
    instance_hour: Decimal = Decimal("0.0816")  # m7g.large: 2 vCPU, 8 GB
    instance_fee: Decimal = Decimal("0.15")  # of it, for managing it
    fargate_vcpu_hour: Decimal = Decimal("0.03238")
    fargate_gb_hour: Decimal = Decimal("0.00356")
    load_balancer_hour: Decimal = Decimal("0.0225")
    load_balancer_unit_hour: Decimal = Decimal("0.008")
    public_address_hour: Decimal = Decimal("0.005")
    nat_hour: Decimal = Decimal("0.045")
    nat_gb: Decimal = Decimal("0.045")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process uses, by `python -m bench.stream_cost` (x86; a vCPU of Graviton counts as much)."""

    whole_ms: Decimal = Decimal("1.0")  # CPU of an answer in one piece
    stream_ms: Decimal = Decimal("2.8")  # CPU of a stream, without its deltas
    delta_ms: Decimal = Decimal("0.097")  # CPU of a delta, one each 50 ms
    large_body_ms: Decimal = Decimal("0.3")  # CPU that a body of 93 kB takes beyond one of 1 kB
    process_mb: Decimal = Decimal(55)
    small_mb: Decimal = Decimal("0.05")  # memory of a stream
    large_mb: Decimal = Decimal("0.27")  # of one with a body of 93 kB
    store_ms: Decimal = Decimal(15)  # the wait for three writes, at 5 ms each: an assumption, not measured
    write_units: Decimal = Decimal(4)  # up to 48 holds or so; the table of request units has the rest
    settled_line_bytes: int = 950
    metrics_line_bytes: int = 720
    lambda_lines_bytes: int = 500  # Lambda's own two, `platform.start` and `platform.report`: by their schema


@dataclass(frozen=True, slots=True)
class Shape:
    """Requests of one kind. `seconds` is what the model takes; `deltas` 0 is an answer in one piece."""

    name: str
    seconds: Decimal
    deltas: int
    large_body: bool
    sent_bytes: int
    received_bytes: int

    def own_cpu_ms(self, measured: Measured) -> Decimal:
        """Return the CPU that one request takes, in milliseconds of one vCPU."""
        answer_ms = measured.stream_ms + self.deltas * measured.delta_ms if self.deltas else measured.whole_ms
        return answer_ms + (measured.large_body_ms if self.large_body else 0)

    def memory_mb(self, measured: Measured) -> Decimal:
        """Return the memory of one request under way."""
        return measured.large_mb if self.large_body else measured.small_mb

    @property
    def traffic_gb(self) -> Decimal:
        """What goes to the provider and comes back, of one request."""
        return Decimal(self.sent_bytes + self.received_bytes) / 10**9


# A delta each 50 ms; of 130 bytes, as Anthropic writes one of a few words.
CHAT = Shape("Chat: streams of 10 s, bodies of 1 kB", Decimal(10), 200, False, 1_000, 27_000)
AGENT = Shape("Agent: streams of 60 s, bodies of 93 kB", Decimal(60), 1_200, True, 93_000, 157_000)
BATCH = Shape("Batch: whole answers after 2 s, bodies of 1 kB", Decimal(2), 0, False, 1_000, 1_500)
SHAPES = (CHAT, AGENT, BATCH)

PRICES, MEASURED = Prices(), Measured()
LAMBDA_MB = 512
MEMORY_SIZES_MB = (256, 512, 1_024, 1_769)
LAMBDA_MB_A_VCPU = 1_769
FREE_RESPONSE_BYTES = 6_000_000
# Of a vCPU, on average while the load is at its peak: the rest is for bursts and for those events to be on time.
UTILISATION = Decimal("0.5")
# What is kept running is sized for the peak of the day; Lambda is paid for the average.
PEAK_OVER_AVERAGE = 3


def billed_s(shape: Shape, memory_mb: int, measured: Measured = MEASURED) -> Decimal:
    """Return the seconds that Lambda bills of one request: the model's, and ours, which a small share slows down.

    Not the CPU of the deltas: it is used while the next ones are waited for.
    """
    share = min(Decimal(1), Decimal(memory_mb) / LAMBDA_MB_A_VCPU)
    own_ms = (measured.stream_ms if shape.deltas else measured.whole_ms) + (
        measured.large_body_ms if shape.large_body else 0
    )
    return shape.seconds + (measured.store_ms + own_ms / share) / 1_000


def gb_seconds(seconds: Decimal, memory_mb: int) -> Decimal:
    """Return the GB-seconds that Lambda bills (its GB is 1,024 MB)."""
    return seconds * memory_mb / 1_024


@dataclass(frozen=True, slots=True)
class MillionCosts:
    """Dollars of a million requests of one shape."""

    waiting: Decimal
    invocations: Decimal
    streaming: Decimal
    dynamodb: Decimal
    settled_lines: Decimal
    metrics_lines: Decimal
    lambda_lines: Decimal

    @property
    def total(self) -> Decimal:
        """Their sum."""
        lines = self.settled_lines + self.metrics_lines + self.lambda_lines
        return self.waiting + self.invocations + self.streaming + self.dynamodb + lines


def million_costs(
    shape: Shape, memory_mb: int = LAMBDA_MB, prices: Prices = PRICES, measured: Measured = MEASURED
) -> MillionCosts:
    """Return what a million requests cost on Lambda."""
    beyond_bytes = max(0, shape.received_bytes - FREE_RESPONSE_BYTES)

    def lines(size: int) -> Decimal:
        return Decimal(size) * MILLION / 10**9 * prices.log_gb

    return MillionCosts(
        waiting=MILLION * gb_seconds(billed_s(shape, memory_mb, measured), memory_mb) * prices.gb_second,
        invocations=prices.million_invocations,
        streaming=Decimal(beyond_bytes) * MILLION / 10**9 * prices.streamed_gb,
        dynamodb=measured.write_units * prices.million_write_units,
        settled_lines=lines(measured.settled_line_bytes),
        metrics_lines=lines(measured.metrics_line_bytes),
        lambda_lines=lines(measured.lambda_lines_bytes),
    )


@dataclass(frozen=True, slots=True)
class Fleet:
    """Processes that are kept running, many requests in each: `least` units at any time, each of some vCPUs.

    A process uses one vCPU at most, so a unit has as many processes as whole vCPUs, or one with a part of one.
    """

    name: str
    vcpus: Decimal
    memory_mb: int
    least: int
    unit_hour: Decimal
    standing_hour: Decimal
    gb: Decimal
    million_requests: Decimal
    load_balancer_unit_hour: Decimal = Decimal(0)
    most_a_process: int | None = None

    def streams_a_unit(self, shape: Shape, measured: Measured = MEASURED) -> int:
        """Return how many requests at once one unit serves: by CPU, by memory, by what a process may take."""
        processes = max(1, int(self.vcpus))
        cpu_a_stream = shape.own_cpu_ms(measured) / 1_000 / shape.seconds
        by_cpu = int(self.vcpus * UTILISATION / cpu_a_stream)
        by_memory = int((self.memory_mb - processes * measured.process_mb) / shape.memory_mb(measured))
        most = processes * self.most_a_process if self.most_a_process is not None else by_cpu
        return min(by_cpu, by_memory, most)

    def units(self, shape: Shape, streams: int, measured: Measured = MEASURED) -> int:
        """Return how many are kept running for so many streams at once on average."""
        at_peak = streams * PEAK_OVER_AVERAGE
        return max(self.least, -(-at_peak // self.streams_a_unit(shape, measured)))

    def hour(self, shape: Shape, streams: int, measured: Measured = MEASURED) -> Decimal:
        """Return the dollars of an hour with so many streams at once on average."""
        requests = streams * _S_AN_HOUR / shape.seconds
        traffic_gb = requests * shape.traffic_gb
        # A capacity unit: 25 new connections a second, 3,000 at once, or a GB an hour, whichever is most.
        capacity = max(requests / _S_AN_HOUR / 25, Decimal(streams) / 3_000, traffic_gb)
        return (
            self.units(shape, streams, measured) * self.unit_hour
            + self.standing_hour
            + traffic_gb * self.gb
            + requests / MILLION * self.million_requests
            + capacity * self.load_balancer_unit_hour
        )


def managed_instances(prices: Prices = PRICES) -> Fleet:
    """Return Lambda Managed Instances as the template has them: three machines at least, one NAT gateway."""
    return Fleet(
        name="Managed Instances",
        vcpus=Decimal(2),
        memory_mb=2 * 2_048,
        least=3,
        unit_hour=prices.instance_hour * (1 + prices.instance_fee),
        standing_hour=prices.nat_hour,
        gb=prices.nat_gb,
        million_requests=prices.million_invocations,
        most_a_process=200,
    )


def fargate(vcpus: Decimal, memory_mb: int, prices: Prices = PRICES) -> Fleet:
    """Return Fargate: two tasks at least, each with a public address, behind a load balancer in two zones."""
    task_hour = vcpus * prices.fargate_vcpu_hour + Decimal(memory_mb) / 1_024 * prices.fargate_gb_hour
    return Fleet(
        name=f"Fargate, {vcpus.normalize():f} vCPU",
        vcpus=vcpus,
        memory_mb=memory_mb,
        least=2,
        unit_hour=task_hour + prices.public_address_hour,
        standing_hour=prices.load_balancer_hour + 2 * prices.public_address_hour,
        gb=Decimal(0),
        million_requests=Decimal(0),
        load_balancer_unit_hour=prices.load_balancer_unit_hour,
    )


FLEETS = (managed_instances(), fargate(Decimal("0.25"), 512), fargate(Decimal(1), 2_048))


def lambda_hour(
    shape: Shape,
    streams: int,
    memory_mb: int = LAMBDA_MB,
    prices: Prices = PRICES,
    measured: Measured = MEASURED,
) -> Decimal:
    """Return the dollars that Lambda takes for an hour with so many streams at once on average."""
    requests = streams * _S_AN_HOUR / shape.seconds
    costs = million_costs(shape, memory_mb, prices, measured)
    return requests / MILLION * (costs.waiting + costs.invocations + costs.streaming)


def break_even(fleet: Fleet, shape: Shape, *, most: int = 2_000) -> int | None:
    """Return from how many streams at once on a fleet stays cheaper than Lambda; None where it is not at `most`."""
    dearer = [n for n in range(1, most + 1) if fleet.hour(shape, n) >= lambda_hour(shape, n)]
    last = dearer[-1] if dearer else 0
    return None if last == most else last + 1


def dollars(amount: Decimal) -> str:
    """Return an amount in cents, as the page has it."""
    return f"${amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def minute_table() -> str:
    """A streamed minute on Lambda, by the function's memory."""
    rows = []
    for memory_mb in MEMORY_SIZES_MB:
        share = Decimal(memory_mb) / LAMBDA_MB_A_VCPU
        minute = gb_seconds(Decimal(60), memory_mb)
        own_ms = (MEASURED.stream_ms + MEASURED.large_body_ms) / share
        rows.append(
            (
                f"{memory_mb:,} MB",
                f"{share:.2f}",
                f"{minute:.1f}",
                dollars(minute * PRICES.gb_second * 1_000),
                f"{own_ms:.0f} ms",
            )
        )
    head = ("Memory", "vCPU", "GB-seconds", "A thousand minutes", "Our own work for an agent's request")
    return table(head, rows)


def million_table() -> str:
    """A million requests of each shape."""
    rows = []
    for shape in SHAPES:
        costs = million_costs(shape)
        on_lambda = (costs.waiting, costs.invocations, costs.dynamodb)
        lines = (costs.settled_lines, costs.metrics_lines, costs.lambda_lines)
        rows.append((shape.name, *map(dollars, (*on_lambda, *lines, costs.total))))
    head = ("A million", "Lambda, time", "Lambda, calls", "DynamoDB")
    return table((*head, "Our log line", "Metrics' line", "Lambda's lines", "Total"), rows)


def use_table() -> str:
    """What a stream uses, and how many fit."""
    rows = [
        (
            shape.name.partition(":")[0],
            f"{shape.own_cpu_ms(MEASURED):.1f} ms",
            f"{shape.own_cpu_ms(MEASURED) / 10 / shape.seconds:.2f} %",
            f"{shape.memory_mb(MEASURED)} MB",
            *(f"{fleet.streams_a_unit(shape):,}" for fleet in FLEETS),
        )
        for shape in SHAPES
    ]
    head = (
        "Request",
        "CPU",
        "Of a vCPU",
        "Memory",
        "On an m7g.large",
        "On a task of 0.25 vCPU",
        "On a task of 1 vCPU",
    )
    return table(head, rows)


def break_even_table() -> str:
    """From how many streams at once each fleet is cheaper than Lambda."""
    rows = [(fleet.name, *(f"{break_even(fleet, shape):,}" for shape in SHAPES)) for fleet in FLEETS]
    return table(("Cheaper than Lambda from", *(shape.name.partition(":")[0] for shape in SHAPES)), rows)


def month_table() -> str:
    """A month of chat, by how many streams there are at once on average."""
    rows = [
        (
            f"{streams:,}",
            dollars(lambda_hour(CHAT, streams) * _HOURS_A_MONTH),
            *(dollars(fleet.hour(CHAT, streams) * _HOURS_A_MONTH) for fleet in FLEETS),
        )
        for streams in (1, 10, 100, 1_000, 10_000)
    ]
    return table(("Chats at once", f"Lambda, {LAMBDA_MB} MB", *(fleet.name for fleet in FLEETS)), rows)


def tables() -> list[str]:
    """Return the page's computed tables."""
    return [minute_table(), million_table(), use_table(), break_even_table(), month_table()]


if __name__ == "__main__":
    sys.stdout.write("\n\n".join(tables()) + "\n")
