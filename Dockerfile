# The API in an image of its own: `docker build -t scaiflow .`

FROM python:3.11-slim AS build
RUN python -m venv /opt/scaiflow
ENV PATH=/opt/scaiflow/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src
# Dependencies first: their layer changes only when a pin does.
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md ./
COPY scaiflow_api ./scaiflow_api
RUN pip install --no-build-isolation --no-deps .

FROM python:3.11-slim
RUN useradd --system --user-group --uid 10001 --create-home --home-dir /var/lib/scaiflow \
        --shell /usr/sbin/nologin scaiflow
COPY --from=build /opt/scaiflow /opt/scaiflow
ENV PATH=/opt/scaiflow/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCAIFLOW_API_HOST=0.0.0.0
# What the defaults write (./scaiflow.db, ./blobs) lands here; a deployment names servers instead.
WORKDIR /var/lib/scaiflow
# By number, so that a cluster can tell that it is not root.
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('SCAIFLOW_API_PORT', '8001') + '/healthz', timeout=3)"]
CMD ["scaiflow", "serve"]
