"""A name's addresses are tried side by side, the first that answers is taken, and no socket is left open."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from channeling.http1.dial import dial

LIMIT_S = 60
Address = tuple[str, int]


@pytest.fixture
def listener() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


class Network:
    """What the loop resolves and connects to: addresses that hang until they are let go, others as they are."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *addresses: Address, hanging: tuple[Address, ...] = ()
    ) -> None:
        loop = asyncio.get_running_loop()
        self.tried: list[Address] = []
        self.sockets: list[socket.socket] = []
        self.hangs = asyncio.Event()
        self.goes_on = asyncio.Event()
        connect = loop.sock_connect

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            return [(_family(address), socket.SOCK_STREAM, 6, "", address) for address in addresses]

        async def sock_connect(connecting: socket.socket, address: Address) -> None:
            self.tried.append(address)
            self.sockets.append(connecting)
            if address in hanging:
                self.hangs.set()
                await self.goes_on.wait()
                return
            await connect(connecting, address)

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(loop, "sock_connect", sock_connect)

    def still_open(self) -> int:
        return sum(one.fileno() >= 0 for one in self.sockets)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def closed_port() -> Address:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()


async def dialled(host: str = "name.example", port: int = 80) -> socket.socket:
    async with asyncio.timeout(LIMIT_S):
        return await dial(host, port)


async def test_an_address_is_called_as_it_stands(listener: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch)
    with await dialled(*listener) as connected:
        assert connected.getpeername() == listener
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert network.tried == [listener]


async def test_an_ipv6_address_is_called_as_it_stands() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        with await dialled("::1", port) as connected:
            assert connected.getpeername()[:2] == ("::1", port)


async def test_an_address_that_is_silent_holds_nobody_up(
    listener: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = ("192.0.2.1", 80)
    network = Network(monkeypatch, silent, listener, hanging=(silent,))
    with await dialled() as connected:
        assert connected.getpeername() == listener
        assert network.tried == [silent, listener]
        await asyncio.sleep(0)
        assert network.still_open() == 1


async def test_two_that_answer_at_once_leave_one(listener: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [("192.0.2.1", 80), ("192.0.2.2", 80)]
    network = Network(monkeypatch, *silent, hanging=tuple(silent))
    dialling = asyncio.create_task(dialled())
    async with asyncio.timeout(LIMIT_S):
        while len(network.tried) < 2:  # noqa: ASYNC110 # the second begins when the first was silent for a while
            await asyncio.sleep(0)
    network.goes_on.set()
    with await dialling:
        await asyncio.sleep(0)
        assert network.still_open() == 1


async def test_an_address_that_refuses_is_passed_over(
    listener: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = closed_port()
    network = Network(monkeypatch, refusing, listener)
    with await dialled() as connected:
        assert connected.getpeername() == listener
    assert network.still_open() == 0


async def test_families_take_turns(listener: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a name with many addresses of a family that leads nowhere takes as many waits."""
    dead = [("::1", 1), ("::1", 2), ("::1", 3)]
    network = Network(monkeypatch, *dead, listener)
    (await dialled()).close()
    assert network.tried[:2] == [dead[0], listener]


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, closed_port(), closed_port())
    with pytest.raises(ConnectionRefusedError):
        await dialled()
    assert network.still_open() == 0


async def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    Network(monkeypatch)
    with pytest.raises(OSError, match="no address"):
        await dialled()


@pytest.mark.parametrize("addresses", [1, 2])
async def test_giving_up_leaves_no_socket(monkeypatch: pytest.MonkeyPatch, addresses: int) -> None:
    """Also where the connection came about at the very moment."""
    silent = tuple((f"192.0.2.{number}", 80) for number in range(addresses))
    for goes_on in (False, True):
        network = Network(monkeypatch, *silent, hanging=silent)
        dialling = asyncio.create_task(dialled())
        await asyncio.wait_for(network.hangs.wait(), LIMIT_S)
        if goes_on:
            network.goes_on.set()
            for _ in range(addresses - 1):
                await asyncio.sleep(0)  # the attempt has ended, and who began it does not know yet
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        for _ in range(3):
            await asyncio.sleep(0)
        assert network.still_open() == 0
