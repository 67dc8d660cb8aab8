"""The admin API over HTTP: FastAPI, and nothing else of it; what it does is in `channeling.operations`."""
