"""`channeling dashboard`: the page of operators, opened signed in."""

import time
import webbrowser
from typing import Annotated, Any

import typer

from channeling.auth.admin_token import MAX_LIFETIME_S, Role, mint_admin_token
from channeling_cli.aws_clients import aws_client, aws_failure
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import operator_name
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_json, print_line
from channeling_cli.stack_outputs import read_admin_outputs


def dashboard(
    show_url: Annotated[
        bool, typer.Option("--print", help="Print the address and open nothing: it is a credential.")
    ] = False,
    role: Annotated[Role, typer.Option(help="A viewer changes nothing.")] = "operator",
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Open the dashboard in a browser, signed in for twelve hours; with --project, for that project alone."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        page_url, secret = _page(deployment)
    now_s = int(time.time())
    try:
        token = mint_admin_token(
            name=operator_name(None), secret=secret, now_s=now_s, role=role, project_id=project
        )
    except ValueError as error:
        raise CommandFailed(str(error), exit_code=ExitCode.REFUSED) from error
    # What follows "#" goes to no server, into no log and no referrer.
    url = f"{page_url}#token={token}"
    if as_json:
        print_json(
            {
                "dashboard_url": page_url,
                "admin_token": token,
                "role": role,
                "project_id": project,
                "expires_at_s": now_s + MAX_LIFETIME_S,
            }
        )
    elif show_url:
        print_line(url)
    elif webbrowser.open(url):
        print_line(f"Opened {page_url}, signed in as {role} for {MAX_LIFETIME_S // 3_600} hours.")
    else:
        raise CommandFailed(
            "no browser could be opened here",
            next_step="channeling dashboard --print prints the address, which signs in whoever has it",
        )


def _page(deployment: Deployment) -> tuple[str, str]:
    """Return the page's address and the secret that signs admin tokens."""
    local = deployment.local
    if local is None:
        return _page_of_stack(deployment)
    from channeling_admin.admin_secret import AdminSecretError, open_admin_secret_file
    from channeling_cli.admin_mount import ADMIN_PATH, ADMIN_SECRET_FILE

    try:
        secret = open_admin_secret_file(local.key_file.parent / ADMIN_SECRET_FILE)
    except AdminSecretError as error:
        raise CommandFailed(str(error), exit_code=ExitCode.NOT_FOUND) from error
    return f"{local.base_url}{ADMIN_PATH}/", secret


def _page_of_stack(deployment: Deployment) -> tuple[str, str]:
    from botocore.exceptions import BotoCoreError, ClientError

    target = deployment.target
    clients: list[Any] = []
    try:
        for service in ("cloudformation", "secretsmanager"):
            clients.append(aws_client(service, region=target.region, profile=target.profile))
        cloudformation, secrets_manager = clients
        outputs = read_admin_outputs(cloudformation, target.stack or "")
        try:
            value = secrets_manager.get_secret_value(SecretId=outputs.secret_id)
        except (BotoCoreError, ClientError) as error:
            raise aws_failure(error, "the admin secret cannot be read") from error
    finally:
        for client in clients:
            client.close()
    return f"{outputs.url}/", str(value["SecretString"])
