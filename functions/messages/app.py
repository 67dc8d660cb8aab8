"""The messages function: what template.yaml names as its handler, `app.app`."""

import os

from channeling.app import create_app_from_environment

app = create_app_from_environment(os.environ)
