# One image for each program: docker build --build-arg APP=hermodctl .
FROM golang:1.26-bookworm AS build
WORKDIR /src

# Downloaded once for as long as the dependencies stay the same.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG APP=hermod
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath \
      -ldflags "-s -w -X github.com/game-im/hermod/app/${APP}.Version=${VERSION}" \
      -o /out/app "./app/${APP}/cmd/${APP}" \
 && mkdir -p /out/data/blobs /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/share/
# The database lives in /data, recordings in /data/blobs, which nodes share where there are several; SQLite
# sorts large results in files under /tmp.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build /out/app /app

ENV ZONEINFO=/usr/share/zoneinfo.zip HERMOD_DATA_DIR=/data
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
WORKDIR /data
VOLUME /data

# Clients over HTTP, operations, gateway, IM. The embedded defaults listen on the loopback of the
# container: see "In a container" in README.md.
EXPOSE 8080 8081 8082 8083
ENTRYPOINT ["/app"]
