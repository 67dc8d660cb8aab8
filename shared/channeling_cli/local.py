"""Everything behind the gateway on one machine: a store with its tables, encryption, the demo project."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from channeling.aws.errors import AwsError
from channeling.projects.cipher import Cipher
from channeling.projects.key_file_cipher import open_key_file
from channeling.projects.kms_cipher import KmsCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.store import ProjectStore
from channeling.provider import Provider
from channeling.tables import TableNames
from channeling.window_kind import WindowKind
from channeling_cli.aws_clients import aws_failure
from channeling_cli.calendar_token import mint_calendar_token
from channeling_cli.create_tables import create_tables
from channeling_cli.demo_project import DEMO_KEY, DEMO_PROJECT_ID, ensure_demo_project, environment_keys
from channeling_cli.embedded_dynamodb import ENVIRONMENT, local_client, start_embedded_dynamodb
from channeling_cli.lean_store import STORE_VARIABLE, LeanStore, open_lean_store

ANTHROPIC_URL_VARIABLE = "CHANNELING_ANTHROPIC_BASE_URL"
KEY_FILE = "secrets.key"
TABLES = TableNames.with_prefix("channeling")


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """A store on this machine with the demo project in it."""

    dynamodb_endpoint_url: str
    is_embedded: bool
    cipher: Cipher
    key_file: Path | None
    kms_key_id: str | None
    secrets: ProjectSecrets
    tables: TableNames = TABLES
    project_id: str = DEMO_PROJECT_ID

    @property
    def hmac_secret(self) -> str:
        """The newest HMAC secret of the demo project."""
        return self.secrets.hmac_secrets[-1]

    @property
    def is_demo(self) -> bool:
        """Whether nothing but the demo upstream can answer."""
        return self.secrets.provider_keys.get("anthropic") == DEMO_KEY

    def mint(
        self, user_id: str, limit_microusd: int, *, lifetime_s: int = 86_400, window: WindowKind = "day"
    ) -> str:
        """Return a token of the demo project; raise CommandFailed."""
        return mint_calendar_token(
            ProjectRules("Demo"),
            self.secrets,
            project_id=self.project_id,
            user_id=user_id,
            limit_microusd=limit_microusd,
            window=window,
            lifetime_s=lifetime_s,
            now_s=time.time(),
        )

    def gateway_environ(self) -> dict[str, str]:
        """Return the variables that make a gateway in another process use this backend."""
        environ = {
            "CHANNELING_PROJECTS_TABLE": self.tables.projects,
            "CHANNELING_BUDGETS_TABLE": self.tables.budgets,
            "CHANNELING_USAGE_TABLE": self.tables.usage,
            STORE_VARIABLE: self.dynamodb_endpoint_url,
            "AWS_REGION": ENVIRONMENT["AWS_DEFAULT_REGION"],
            **ENVIRONMENT,
        }
        if self.key_file is not None:
            environ["CHANNELING_KEY_FILE"] = str(self.key_file)
        if self.kms_key_id is not None:
            environ |= {
                "CHANNELING_KMS_KEY_ID": self.kms_key_id,
                "AWS_ENDPOINT_URL_KMS": self.dynamodb_endpoint_url,
            }
        return environ


@contextmanager
def start_local_backend(
    environ: Mapping[str, str] | None = None, *, folder: Path | None = None
) -> Iterator[LocalBackend]:
    """Start a store, or use the one that AWS_ENDPOINT_URL_DYNAMODB names, and make the demo project in it.

    Secrets are sealed with the key file in `folder`. Without a folder the embedded store is always started, and
    its own KMS seals them: that is what the built function needs, whose layers hold no `cryptography`.
    Raises CommandFailed, ProjectError, KeyFileError, SettingsError, EmbeddedDynamoDBFailed or StoreUnavailable.
    """
    environ = os.environ if environ is None else environ
    keys = environment_keys(environ)
    lasting_url = environ.get(STORE_VARIABLE, "").strip() if folder is not None else ""
    with ExitStack() as closing:
        if lasting_url:
            endpoint_url = lasting_url
        else:
            embedded = start_embedded_dynamodb()
            closing.callback(embedded.close)
            endpoint_url = embedded.endpoint_url
        key_file = kms_key_id = None
        cipher: Cipher
        if folder is not None:
            key_file = folder / KEY_FILE
            cipher = open_key_file(key_file, create=True)
        else:
            kms = local_client(endpoint_url, service="kms")
            closing.callback(kms.close)
            kms_key_id = str(kms.create_key()["KeyMetadata"]["KeyId"])
            cipher = KmsCipher(kms, kms_key_id)
        demo_allowed = not environ.get(ANTHROPIC_URL_VARIABLE, "").strip()
        opened = asyncio.run(_prepare(endpoint_url, cipher, keys, demo_allowed=demo_allowed))
        yield LocalBackend(endpoint_url, not lasting_url, cipher, key_file, kms_key_id, opened)


async def _prepare(
    endpoint_url: str, cipher: Cipher, keys: Mapping[Provider, str], *, demo_allowed: bool
) -> ProjectSecrets:
    """Make the tables and the demo project, over connections of this event loop's own."""
    store = open_lean_store(endpoint_url)
    try:
        await _create_tables(store, endpoint_url)
        projects = ProjectStore(store.dynamodb, TABLES.projects)
        now_ms = time.time_ns() // 1_000_000
        return await ensure_demo_project(projects, cipher, keys, demo_allowed=demo_allowed, now_ms=now_ms)
    finally:
        await store.aclose()


async def _create_tables(store: LeanStore, endpoint_url: str) -> None:
    try:
        await create_tables(store.tables_client, TABLES)
    except AwsError as error:
        raise aws_failure(error, f"the tables cannot be made in the DynamoDB at {endpoint_url}") from error
