// What a plugin in Node.js needs to be called by a node. It answers each call once, and puts what is ready
// at the same time into one frame.
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const proto = process.env.HERMOD_PLUGIN_PROTO || path.join(__dirname, "../../../api/plugin/v1/plugin.proto");
const { hermod } = grpc.loadPackageDefinition(
  loader.loadSync(proto, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }),
);

// Refused is what a handler throws when what was asked for is not to be: the reason is told to the client.
class Refused extends Error {}

// calls has for each kind of call the capability that it takes, and where its answer goes.
const calls = {
  intercept_message: ["CAPABILITY_MESSAGE_INTERCEPTOR", "payload"],
  observe_message: ["CAPABILITY_MESSAGE_OBSERVER"],
  observe_room: ["CAPABILITY_ROOM_OBSERVER"],
  handle_action: ["CAPABILITY_ACTION_HANDLER", "action"],
  authenticate: ["CAPABILITY_AUTHENTICATOR", "identity"],
  authorize: ["CAPABILITY_AUTHORIZER"],
  observe_session: ["CAPABILITY_SESSION_OBSERVER"],
  notify_offline: ["CAPABILITY_OFFLINE_NOTIFIER"],
};

// plain is a google.protobuf.Value as a value of JavaScript.
function plain(v) {
  switch (v.kind) {
    case "structValue":
      return object(v.structValue);
    case "listValue":
      return v.listValue.values.map(plain);
    case "nullValue":
      return null;
  }
  return v[v.kind];
}

function object(struct) {
  return Object.fromEntries(Object.entries((struct && struct.fields) || {}).map(([k, v]) => [k, plain(v)]));
}

// answer makes one call of the plugin.
async function answer(plugin, call) {
  const [, outcome] = calls[call.request] || [];
  try {
    const got = await plugin[call.request](call[call.request]);
    return got === undefined || !outcome ? { id: call.id } : { id: call.id, [outcome]: got };
  } catch (e) {
    const kind = e instanceof Refused ? "KIND_REFUSED" : "KIND_UNSPECIFIED";
    return { id: call.id, error: { kind, reason: String(e.message || e).slice(0, 300) } };
  }
}

// connect serves one connection of a node.
function connect(plugin, stream) {
  let ready = [];
  const flush = () => {
    const answers = ready;
    ready = [];
    if (!stream.destroyed) stream.write({ answers });
  };
  stream.on("data", (frame) => {
    if (frame.hello) {
      const problems = plugin.configure ? plugin.configure(object(frame.hello.config)) : [];
      const capabilities = Object.keys(calls).filter((name) => plugin[name]).map((name) => calls[name][0]);
      stream.write({ description: { capabilities, actions: plugin.actions || [], problems } });
    }
    for (const call of frame.calls) {
      answer(plugin, call).then((a) => {
        if (ready.push(a) === 1) setImmediate(flush);
      });
    }
  });
  stream.on("end", () => stream.end());
  stream.on("error", () => {}); // the node is gone, or will connect again
}

// serve has a plugin called by the node that has started this process.
function serve(plugin) {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 4 << 20 });
  server.addService(hermod.plugin.v1.PluginService.service, { Connect: (stream) => connect(plugin, stream) });
  server.bindAsync(process.env.HERMOD_PLUGIN_LISTEN, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) throw err;
  });
  const end = () => process.exit(0);
  process.on("SIGTERM", end);
  if (process.env.HERMOD_PLUGIN_SUPERVISED) process.stdin.resume().on("end", end); // the node is gone
}

module.exports = { serve, Refused };
