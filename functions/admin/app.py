"""The admin function: what template.yaml names as its handler, `app.handler`."""

import os

from channeling.json_logs import log_json
from channeling_admin.function import admin_handler

log_json()
handler = admin_handler(os.environ)
