"""What one process of the admin API works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from channeling.clock import Clock
from channeling.operations.stores import Stores
from channeling.provider import Provider
from channeling.upstream import UpstreamClient
from channeling_admin.admin_secret import AdminSecret
from channeling_admin.sign_in_rate import SignInRate


@dataclass(frozen=True, slots=True)
class Admin:
    """Stores, the door to providers, and what admin tokens are checked with.

    `messages_url` is the base URL that users' clients take.
    """

    stores: Stores
    upstream: UpstreamClient
    base_urls: Mapping[Provider, str]
    secret: AdminSecret
    sign_in_rate: SignInRate
    clock: Clock
    randomness: Callable[[int], bytes]
    messages_url: str = ""
