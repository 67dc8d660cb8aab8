"""The admin function: what template.yaml names as its handler, `app.app`, for the runtime layer.

`app.handler` is the same for Lambda's own Python runtime, which streams nothing.
"""

import os

from mangum import Mangum

from channeling.json_logs import log_json
from channeling_admin.function import admin_app

log_json()
app = admin_app(os.environ)
handler = Mangum(app, lifespan="off")
