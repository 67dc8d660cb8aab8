"""What a command works on, wherever it runs: tables, encryption, address, and the project meant by default."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.clock import SystemClock
from channeling.operations.stores import Stores, open_stores
from channeling.projects.cipher import Cipher
from channeling.projects.key_file_cipher import open_key_file
from channeling.projects.kms_cipher import KmsCipher
from channeling.projects.store import ProjectStore, StoredProject
from channeling.tables import TableNames
from channeling_cli.aws_clients import aws_client, dynamodb_client
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.local_file import LocalServer, find_local_server
from channeling_cli.options import Target
from channeling_cli.stack_outputs import read_stack_outputs


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that a command has opened."""

    label: str
    target: Target
    base_url: str
    tables: TableNames
    dynamodb_client: Any
    dynamodb: BotocoreDynamoDB
    cipher: Cipher
    local: LocalServer | None

    @property
    def projects(self) -> ProjectStore:
        return ProjectStore(self.dynamodb, self.tables.projects)

    @property
    def stores(self) -> Stores:
        """The stores as operations take them."""
        return open_stores(self.dynamodb, self.tables, self.cipher, SystemClock(), secrets.token_bytes)

    @property
    def servers_follow(self) -> str:
        """A sentence on when a change of a project takes effect."""
        if self.local is not None:
            return "The running server has it with the next request."
        return "The function follows within a minute."

    def project_id(self, named: str | None) -> str:
        """Return the project that is meant; raise CommandFailed when a stack's has to be named."""
        if named is not None:
            return named
        if self.local is not None:
            return self.local.project_id
        raise CommandFailed("which project?", next_step="add --project ID", exit_code=ExitCode.USAGE)

    async def read_project(self, project_id: str) -> StoredProject:
        """Return a project as stored; raise CommandFailed when there is none."""
        stored = await self.projects.read(project_id)
        if stored is None:
            raise CommandFailed(
                f"there is no project {project_id!r} in {self.label}",
                next_step=f"channeling project create {project_id}{self.target.flags}",
                exit_code=ExitCode.NOT_FOUND,
            )
        return stored


@contextmanager
def open_deployment(target: Target) -> Iterator[Deployment]:
    """Open the stack that is named, else the server on this machine; close its clients at the end."""
    if target.stack is None:
        server = find_local_server(os.environ, Path.cwd())
        label, base_url, tables = "the server on this machine", server.base_url, server.tables
        client = dynamodb_client(server.dynamodb_endpoint_url)
        cipher: Cipher = open_key_file(server.key_file)
        kms = None
    else:
        server = None
        cloudformation = aws_client("cloudformation", region=target.region, profile=target.profile)
        try:
            outputs = read_stack_outputs(cloudformation, target.stack)
        finally:
            cloudformation.close()
        label, base_url, tables = f"stack {target.stack!r}", outputs.messages_url, outputs.tables
        client = aws_client("dynamodb", region=target.region, profile=target.profile)
        kms = aws_client("kms", region=target.region, profile=target.profile)
        cipher = KmsCipher(kms, outputs.key_id)
    dynamodb = BotocoreDynamoDB(client, threads=4)
    try:
        yield Deployment(label, target, base_url, tables, client, dynamodb, cipher, server)
    finally:
        dynamodb.close()
        if kms is not None:
            kms.close()
