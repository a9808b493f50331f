# syntax=docker/dockerfile:1
# One image for all roles: `docker run … tizza:0.1.0 projector`; without a role, all of Tizza in one process, its data in /var/lib/tizza.

FROM rust:1.95-slim-bookworm AS build
# What C there is (SQLite, librdkafka and what these bring) is compiled; OpenSSL's configuration is written in Perl.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends g++ gcc make perl && rm -rf /var/lib/apt/lists/*
WORKDIR /tizza
COPY . .
# Dependencies stay compiled in the caches, where the next build finds them. Where a line is in the source is three quarters of the program; names stay.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/tizza/target \
    cargo build --locked --release --package tizza \
    && strip --strip-debug -o /usr/local/bin/tizza target/release/tizza
# A volume that is mounted there begins as this folder: with its owner.
RUN mkdir /var/lib/tizza

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Tizza" \
    org.opencontainers.image.description="An event-sourced CQRS system: command API, relay, projector and query API" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"
# Whom TLS trusts, unless KAFKA_CA_FILE or sslrootcert name others.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /var/lib/tizza /var/lib/tizza
COPY --from=build /usr/local/bin/tizza /usr/local/bin/
USER 65532:65532
# Inside a container, 127.0.0.1 is reached by nobody else.
ENV DATA_DIR=/var/lib/tizza HTTP_HOST=0.0.0.0
# The public listeners: all in one process, command-api, query-api.
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["tizza", "ready"]
ENTRYPOINT ["tizza"]
