"""The messages function: what template.yaml names as its handler, `app.app`; the runtime calls `after_restore`."""

import os

from channeling.app import create_app_from_environment
from channeling.garbage import spare_what_stays
from channeling.json_logs import log_json
from lambda_asgi import request_id

log_json(invocation_id=request_id.get)
app = create_app_from_environment(os.environ)
after_restore = app.after_restore
spare_what_stays()
