"""Addresses that requests may go to with a provider's key on board: which texts are one, and who may not answer."""

import ipaddress
from urllib.parse import urlsplit

_LONGEST = 500
# AWS's services beside an instance over IPv6, its metadata among them ("Instance metadata", EC2 User Guide). They
# are unique-local, which other private networks are too.
_AWS_LOCAL_SERVICES = ipaddress.ip_network("fd00:ec2::/32")


class BaseUrlInvalid(ValueError):
    """A text is no base URL; the message says what one is and does not repeat it: there may be a password in it."""


def checked_base_url(text: str, *, on_lambda: bool = False) -> str:
    """Return a base URL without its trailing slashes; raise BaseUrlInvalid for anything else.

    Addresses that are link-local, written as numbers, are refused; on Lambda the machine's own, too. What a name
    leads to is seen when it is connected to: `is_forbidden_peer`.
    """
    try:
        url = urlsplit(text)
        host = url.hostname
        usable = url.scheme in ("http", "https") and bool(host) and url.port != 0 and len(text) <= _LONGEST
    except ValueError:
        host, usable = None, False
    # A backslash is a slash to some, and ends the host.
    plain = text.isascii() and text.isprintable() and not any(mark in text for mark in "?#\\ ")
    if not usable or host is None or not plain or "@" in url.netloc:
        raise BaseUrlInvalid(
            "must be an http:// or https:// address with neither credentials nor a query in it"
        )
    if _is_local_name(host, on_lambda=on_lambda):
        raise BaseUrlInvalid("must not be an address of the machine itself or of its metadata service")
    return text.rstrip("/")


def is_forbidden_peer(address: str) -> bool:
    """Say whether an IP address is one that no project's server on Lambda has: the machine's own (where Lambda
    answers to the function itself), or link-local (where clouds keep credentials)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True  # no internet address at all
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast or _is_link_local(parsed)


def _is_link_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_link_local or address in _AWS_LOCAL_SERVICES


def _is_local_name(host: str, *, on_lambda: bool) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return on_lambda and (host == "localhost" or host.endswith(".localhost"))
    if on_lambda:
        return is_forbidden_peer(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _is_link_local(address)
