"""AWS's JSON services over HTTP on the event loop: signatures, credentials, endpoints, retries."""
