# docs/examples/kratos-push: a Kratos service that finds the node in Nacos and pushes. The build
# context is the root of the repository.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
WORKDIR /src/docs/examples/kratos-push
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/app . && mkdir /out/tmp

FROM scratch
# Nacos' client logs there.
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build /out/app /app
USER 65532:65532
ENTRYPOINT ["/app"]
