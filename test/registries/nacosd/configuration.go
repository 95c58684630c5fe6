package main

// configuration is Polaris' own, without what a registry does not need. diffTime is how far back its
// cache looks when it follows its store: with the usual 5s, instances that have deregistered stay
// listed.
const configuration = `
bootstrap:
  logger:
    default: {rotateOutputPath: log/polaris.log, errorRotateOutputPath: log/polaris-error.log, outputLevel: info}
  startInOrder: {open: false, key: nacosd}
  polaris_service:
    self_address: 127.0.0.1
    enable_register: true
    disable_heartbeat: true
    services:
      - name: polaris.checker
        protocols: [service-nacos]
apiservers:
  - name: service-nacos
    option:
      listenIP: "127.0.0.1"
      listenPort: PORT
      defaultNamespace: default
      connLimit: {openConnLimit: false}
auth:
  user:
    name: defaultUser
    option: {salt: polarismesh@2021}
  strategy:
    name: defaultStrategy
    option: {consoleOpen: false, consoleStrict: false, clientOpen: false, clientStrict: false}
namespace: {autoCreate: true}
naming:
  autoCreate: true
  batch:
    register: {open: true, queueSize: 1024, waitTime: 8ms, maxBatchCount: 32, concurrency: 4}
    deregister: {open: true, queueSize: 1024, waitTime: 8ms, maxBatchCount: 32, concurrency: 4}
healthcheck:
  open: true
  service: polaris.checker
  slotNum: 30
  minCheckInterval: 1s
  maxCheckInterval: 30s
  clientReportInterval: 120s
  batch:
    heartbeat: {open: true, queueSize: 1024, waitTime: 8ms, maxBatchCount: 32, concurrency: 4}
  checkers:
    - name: heartbeatMemory
config: {open: true, contentMaxLength: 20000}
cache: {diffTime: 24h}
maintain: {jobs: []}
store:
  name: boltdbStore
  option: {path: ./polaris.bolt}
plugin:
  crypto: {entries: [{name: AES}]}
  cmdb: {name: memory, option: {url: "", interval: 60s}}
  ratelimit: {name: token-bucket, option: {enable: false}}
`
