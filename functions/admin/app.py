"""The admin function: what template.yaml names as its handler, `app.app`, for the runtime layer, which streams."""

import os

from channeling.json_logs import log_json
from channeling_admin.function import admin_app

log_json()
app = admin_app(os.environ)
