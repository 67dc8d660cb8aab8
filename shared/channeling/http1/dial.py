"""A connected socket for a host and port: the first of its addresses that answers (RFC 8305, "happy eyeballs").

Not `create_connection` by name: uvloop's tries addresses one after the other, and asyncio's (3.11) leaves a socket
open where it is cancelled between two of its steps.
"""

import asyncio
import contextlib
import socket
from collections import deque
from itertools import chain, zip_longest
from typing import Any

_NEXT_ATTEMPT_DELAY_S = 0.25  # RFC 8305, section 5
_FAMILIES = (socket.AF_INET, socket.AF_INET6)

_Address = tuple[int, tuple[Any, ...]]


async def dial(host: str, port: int) -> socket.socket:
    """Return a connected socket, not blocking; raise OSError, or UnicodeError for what can be no name."""
    addresses = await _addresses(host, port)
    return await (_connected(addresses[0]) if len(addresses) == 1 else _first_connected(addresses))


async def _addresses(host: str, port: int) -> list[_Address]:
    """Return the addresses of a host, IPv6 and IPv4 by turns."""
    for family in _FAMILIES:
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            socket.inet_pton(family, host)
            return [(family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: list[_Address] = [(int(family), address) for family, _, _, _, address in found]
    if not addresses:
        raise OSError("the name has no address")
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain(*zip_longest(first, others)) if address is not None]


async def _first_connected(addresses: list[_Address]) -> socket.socket:
    waiting = deque(addresses)
    begun: list[asyncio.Task[socket.socket]] = []
    won = None
    try:
        while True:
            if waiting:
                begun.append(asyncio.create_task(_connected(waiting.popleft())))
            under_way = [attempt for attempt in begun if not attempt.done()]
            if under_way:
                delay_s = _NEXT_ATTEMPT_DELAY_S if waiting else None
                await asyncio.wait(under_way, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
            won = next((attempt for attempt in begun if attempt.done() and not attempt.exception()), None)
            if won is not None:
                return won.result()
            if not waiting and all(attempt.done() for attempt in begun):
                return begun[0].result()  # raises what the best of them did
    finally:
        for attempt in begun:
            if attempt is not won:
                attempt.cancel()
                attempt.add_done_callback(_close_late)


async def _connected(address: _Address) -> socket.socket:
    family, where = address
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # So that the end of a peer that vanished is noticed: an answer may be silent for minutes.
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(connecting, where)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _close_late(attempt: "asyncio.Task[socket.socket]") -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
