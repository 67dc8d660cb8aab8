"""Taking the port before anything else is started, so that a port in use costs nothing and is said plainly."""

import errno
import os
import socket

from channeling_cli.failure import CommandFailed, ExitCode


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on host and port (0: a free one); raise CommandFailed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise CommandFailed(
            f"there is no address {host!r} to listen on",
            next_step="try --host 127.0.0.1",
            exit_code=ExitCode.REFUSED,
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # At once: until one of two sockets with SO_REUSEADDR listens, Linux binds both to the same port.
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandFailed(
                f"port {port} on {host} is in use",
                next_step=f"stop what listens there, or take another port: make run PORT={port + 1} (--port)",
                exit_code=ExitCode.REFUSED,
            ) from error
        raise CommandFailed(
            f"cannot listen on {host} port {port}: {error.strerror}", exit_code=ExitCode.REFUSED
        ) from error
    return listener


def base_url_of(listener: socket.socket) -> str:
    """Return the address that clients on this machine reach the socket by."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read from a socket, not bound to
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - the same
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
