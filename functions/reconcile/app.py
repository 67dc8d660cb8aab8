"""The reconcile function: what template.yaml names as its handler, `app.handler`."""

import os

from channeling.json_logs import log_json
from channeling.reconcile.scheduled import scheduled_handler

log_json()
handler = scheduled_handler(os.environ)
