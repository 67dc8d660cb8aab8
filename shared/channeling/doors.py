"""The doors to the world that the request path goes through, made once per process and handed in."""

from collections.abc import Callable

from msgspec import Struct, field

from channeling.alert_door import AlertDoor, LoggedAlerts
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.metrics import Metrics, NoMetrics
from channeling.projects.cipher import Cipher
from channeling.upstream import UpstreamClient


class Doors(Struct, frozen=True):
    """Store, encryption, providers, time, chance, alerts, metrics; `randomness(n)` returns n random bytes.

    `reset` drops connections and credentials, which no two copies of a process restored from a snapshot may share.
    `connect_ahead` begins to connect to the server of a URL, where this process has not called it yet.
    """

    dynamodb: DynamoDB
    cipher: Cipher
    upstream: UpstreamClient
    clock: Clock
    randomness: Callable[[int], bytes]
    alerts: AlertDoor = field(default_factory=LoggedAlerts)
    metrics: Metrics = field(default_factory=NoMetrics)
    reset: Callable[[], None] = lambda: None
    connect_ahead: Callable[[str], None] = lambda url: None
