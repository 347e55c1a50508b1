# One image for API, worker, sweeper and migration; the command says which (docker-compose.yml).
FROM python:3.11-slim AS environment

WORKDIR /opt/stillhouse
COPY server.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check uv \
 && python -m venv --without-pip .venv \
 && uv pip install --python .venv/bin/python --no-cache --compile-bytecode --require-hashes -r server.lock

COPY . .
RUN uv pip install --python .venv/bin/python --no-cache --no-deps --editable . \
 && .venv/bin/python -m compileall -q api core migrations stillhouse worker


FROM python:3.11-slim

# The engine compiles its kernels at run time, on CPUs and on GPUs: without a compiler it is several times as slow.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 10001 --create-home --home-dir /var/lib/stillhouse stillhouse
COPY --from=environment /opt/stillhouse /opt/stillhouse
ENV PATH=/opt/stillhouse/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STILLHOUSE_HOME=/var/lib/stillhouse

USER stillhouse
WORKDIR /var/lib/stillhouse
VOLUME /var/lib/stillhouse
EXPOSE 8000
CMD ["python", "-m", "api"]
