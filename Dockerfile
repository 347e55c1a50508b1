# One image for API, worker, sweeper and migration; the command says which (docker-compose.yml).
FROM python:3.11-slim AS environment

WORKDIR /opt/stillhouse
COPY requirements.lock ./
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --disable-pip-version-check uv \
 && .venv/bin/uv pip install --python .venv/bin/python --no-cache --require-hashes -r requirements.lock

COPY . .
RUN .venv/bin/uv pip install --python .venv/bin/python --no-cache --no-deps --editable .


FROM python:3.11-slim

RUN useradd --uid 10001 --create-home --home-dir /var/lib/stillhouse stillhouse
COPY --from=environment /opt/stillhouse /opt/stillhouse
ENV PATH=/opt/stillhouse/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STILLHOUSE_HOME=/var/lib/stillhouse

USER stillhouse
WORKDIR /var/lib/stillhouse
VOLUME /var/lib/stillhouse
EXPOSE 8000
CMD ["python", "-m", "api"]
