# The messages API as a container, for requests that are too long or too large for Lambda (docs/limits.md). It works on
# the tables and the key of a deployed stack; the reconciler and the admin API stay the stack's functions.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements/container.lock .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r container.lock

COPY shared/channeling channeling/
COPY shared/channeling_cli/__init__.py shared/channeling_cli/failure.py shared/channeling_cli/listening_socket.py shared/channeling_cli/server.py channeling_cli/
COPY container/serve.py .
RUN python -m compileall -q .

USER 65534:65534
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
CMD ["python", "serve.py"]
