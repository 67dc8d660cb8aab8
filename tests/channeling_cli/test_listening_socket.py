"""A port is taken first and a wrong one is said plainly; the printed address is one that clients can reach."""

import socket

import pytest

from channeling_cli.failure import CommandFailed
from channeling_cli.listening_socket import base_url_of, listening_socket


def test_a_free_port_is_taken() -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        assert base_url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(CommandFailed, match="is in use"):
            listening_socket("127.0.0.1", listener.getsockname()[1])


def test_all_addresses_are_reached_by_loopback() -> None:
    with listening_socket("0.0.0.0", 0) as listener:
        assert base_url_of(listener).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_goes_in_brackets() -> None:
    with listening_socket("::1", 0) as listener:
        assert base_url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize("host", ["no such host", "256.1.1.1", "192.0.2.1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(CommandFailed, match="listen on"):
        listening_socket(host, 0)
