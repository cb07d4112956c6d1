# The program with what it needs, on Debian 12. docker build -t massdpo .
# docker-compose.yml runs it over Kafka, docker-compose.cluster.yml as nodes of an Akka cluster (--build-arg PROGRAM=Cluster).

# App: massdpo without the verb cluster. Cluster: with it, which takes Akka.NET's packages from the registry.
ARG PROGRAM=App

FROM debian:bookworm AS build
ARG PROGRAM
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates cmake curl g++ libopenblas0-pthread librdkafka-dev libtorch-dev make \
    && rm -rf /var/lib/apt/lists/*
ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
RUN curl -fsSL https://dot.net/v1/dotnet-install.sh -o /tmp/dotnet-install.sh \
    && bash /tmp/dotnet-install.sh --channel 10.0 --install-dir /usr/share/dotnet \
    && ln -s /usr/share/dotnet/dotnet /usr/local/bin/dotnet
WORKDIR /src
COPY . .
RUN dotnet publish src/$PROGRAM/$PROGRAM.csproj --configuration Release --output /app \
    && ([ "$PROGRAM" = App ] && echo massdpo.dll || echo MassDpo.$PROGRAM.dll) > /app/program

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libopenblas0-pthread librdkafka1 libssl3 libtorch1.13 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home massdpo \
    && install -d -o massdpo -g massdpo /out
# Host and runtime without the SDK.
COPY --from=build /usr/share/dotnet/dotnet /usr/share/dotnet/dotnet
COPY --from=build /usr/share/dotnet/host /usr/share/dotnet/host
COPY --from=build /usr/share/dotnet/shared/Microsoft.NETCore.App /usr/share/dotnet/shared/Microsoft.NETCore.App
COPY --from=build /app /app
COPY --from=build /src/hocon /app/hocon
# Health can be asked for within the container alone. To be scraped from elsewhere, listen on 0.0.0.0:9464 and set MASSDPO__WATCH__TOKEN.
ENV DOTNET_ROOT=/usr/share/dotnet MASSDPO__WATCH__LISTEN=127.0.0.1:9464
USER massdpo
WORKDIR /home/massdpo
VOLUME /out
# The token does not stand in the process list.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD printf 'header = "Authorization: Bearer %s"\n' "${MASSDPO__WATCH__TOKEN:-none}" | curl -fsS -K - -o /dev/null http://127.0.0.1:9464/health/live
ENTRYPOINT ["/bin/sh", "-c", "exec /usr/share/dotnet/dotnet /app/$(cat /app/program) \"$@\"", "massdpo"]
CMD ["--help"]
