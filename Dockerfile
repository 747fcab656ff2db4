FROM python:3.13-slim AS packages

COPY requirements.lock .
RUN python -m venv --without-pip /opt/paceline \
    && pip --python /opt/paceline install --no-cache-dir --no-compile --require-hashes -r requirements.lock \
    && /opt/paceline/bin/python -m compileall -q -j 0 /opt/paceline/lib


FROM python:3.13-slim

# A user with an entry in passwd: the embedded PostgreSQL's initdb asks for it.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/paceline --shell /usr/sbin/nologin paceline

COPY --from=packages /opt/paceline /opt/paceline
WORKDIR /srv/paceline
COPY alembic.ini ./
COPY migrations migrations
COPY app app
RUN python -m compileall -q app migrations

ENV PATH=/opt/paceline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PACELINE_HOST=0.0.0.0 \
    PACELINE_PORT=8000 \
    PACELINE_DATA_DIR=/var/lib/paceline

USER paceline
VOLUME /var/lib/paceline
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["serve"]
