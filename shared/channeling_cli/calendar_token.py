"""Minting a token at a terminal, on calendar windows."""

from collections.abc import Sequence

from channeling.auth.mint import mint_token
from channeling.budgets.windows import tile
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.window_kind import WindowKind
from channeling_cli.amounts import usd_text
from channeling_cli.failure import CommandFailed, ExitCode

# 1970-01-05 was a Monday; 1970-01-01 starts an hour, a day and a month. All in UTC.
_FIRST_MONDAY_S = 4 * 86_400


def mint_calendar_token(
    rules: ProjectRules,
    opened: ProjectSecrets,
    *,
    project_id: str,
    user_id: str,
    limit_microusd: int,
    window: WindowKind,
    lifetime_s: int,
    now_s: float,
    models: Sequence[str] | None = None,
    flags: str = "",
) -> str:
    """Return a token signed with the newest secret, its window on the calendar's grid in UTC.

    Raises CommandFailed when the project would refuse it; `flags` go on in the command that it suggests.
    """
    if not opened.hmac_secrets:
        raise CommandFailed(
            f"project {project_id} has no HMAC secret to sign with",
            next_step=f"channeling secret add --project {project_id}{flags}",
            exit_code=ExitCode.REFUSED,
        )
    if rules.max_ai_microusd is not None and limit_microusd > rules.max_ai_microusd:
        raise CommandFailed(
            f"project {project_id} takes budgets up to ${usd_text(rules.max_ai_microusd)}, "
            f"not ${usd_text(limit_microusd)}",
            next_step=f"channeling project set {project_id} --max-ai USD{flags}",
            exit_code=ExitCode.REFUSED,
        )
    anchor_s = _FIRST_MONDAY_S if window == "week" else 0
    try:
        return mint_token(
            user_id=user_id,
            project_id=project_id,
            secret=opened.hmac_secrets[-1],
            limit_microusd=limit_microusd,
            window=window,
            window_start_s=tile(window, anchor_s, int(now_s)).start_s,
            now_s=now_s,
            lifetime_s=lifetime_s,
            models=models,
        )
    except ValueError as error:
        raise CommandFailed(str(error), exit_code=ExitCode.REFUSED) from error
