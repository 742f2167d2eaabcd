# Build:  docker build -t otonom-trader .
# Run:    docker run -v trader-state:/var/lib/otonom-trader \
#             -v "$PWD/config:/etc/otonom-trader:ro" --env-file keys.env otonom-trader
#         with the keys in keys.env: OTONOM_TRADER__BROKER__BINANCE__API_KEY=… and …__API_SECRET=…
# Kill:   docker kill -s USR1 CONTAINER        trips the kill switch, the process stays
# Stop:   docker stop -t 90 CONTAINER          drains, exits 0
# Ask:    docker exec CONTAINER otonom-trader status
#
# Write decisions to /var/lib/otonom-trader/decisions.jsonl, or with: otonom-trader decide.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --constraint constraints.txt hatchling \
    && python -m venv /opt/otonom-trader
COPY pyproject.toml README.md LICENSE ./
COPY domain/ domain/
COPY risk/ risk/
COPY brokers/ brokers/
COPY storage/ storage/
COPY daemon/ daemon/
COPY testnet/ testnet/
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/otonom-trader/bin/pip install --no-cache-dir --constraint constraints.txt /wheels/*.whl \
    && /opt/otonom-trader/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin trader \
    && install --directory --owner=trader --group=trader --mode=0700 /var/lib/otonom-trader
COPY --from=build /opt/otonom-trader /opt/otonom-trader
COPY config/ /etc/otonom-trader/
ENV PATH=/opt/otonom-trader/bin:$PATH \
    STATE_DIRECTORY=/var/lib/otonom-trader \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/otonom-trader
USER 10001:10001
VOLUME ["/var/lib/otonom-trader"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["otonom-trader", "status", "--check"]
ENTRYPOINT ["otonom-trader"]
CMD ["run"]
