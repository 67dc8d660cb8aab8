"""The messages API in a container: the app of the messages function on uvicorn, on the port that PORT names (8080).

Its settings are the function's own environment variables. On SIGTERM requests have three seconds to end by
themselves; those that run on are ended in good order, and settled, before the process goes.
"""

import logging
import os
import sys

from channeling.app import create_app_from_environment
from channeling.json_logs import log_json
from channeling.settings import SettingsError
from channeling_cli.failure import CommandFailed
from channeling_cli.listening_socket import listening_socket
from channeling_cli.server import serve_until_stopped

_log = logging.getLogger("channeling.container")


def main() -> None:
    """Serve until SIGTERM; exit with a sentence where it cannot."""
    log_json()
    try:
        app = create_app_from_environment(os.environ)
        # The container's own addresses: who may come in is for the security group to say.
        listener = listening_socket("0.0.0.0", int(os.environ.get("PORT", "8080")))  # noqa: S104
        port = listener.getsockname()[1]
        serve_until_stopped(
            app,
            listener,
            when_ready=lambda: _log.info("listening on port %d", port),
            when_stopped=_say_that_all_is_settled,
        )
    except (SettingsError, CommandFailed) as error:
        sys.exit(str(error))


async def _say_that_all_is_settled() -> None:
    _log.info("stopped: no request is left")


if __name__ == "__main__":
    main()
