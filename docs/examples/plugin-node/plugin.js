// A plugin in Node.js: it refuses messages that shout, answers the action shout.limit, and tells the node's
// log who comes and goes.
"use strict";

const { serve, Refused } = require("./hermod");

const keys = { max_capitals: 10 };

serve({
  configure(given) {
    const problems = Object.keys(given)
      .filter((key) => !(key in keys))
      .map((key) => ({ key, text: `no such key; allowed here: ${Object.keys(keys).join(", ")}` }));
    const max = given.max_capitals ?? keys.max_capitals;
    if (!Number.isInteger(max) || max < 1) problems.push({ key: "max_capitals", text: "must be 1 at least" });
    keys.max_capitals = max;
    return problems;
  },

  // Called before a message is stored: nothing lets it pass, {content, metadata} is stored instead.
  intercept_message(m) {
    const text = m.content.toString("utf8");
    if (new RegExp(`\\p{Lu}{${keys.max_capitals + 1}}`, "u").test(text)) throw new Refused("please do not shout");
    if (text.includes(":shrug:")) {
      return { content: Buffer.from(text.replaceAll(":shrug:", "¯\\_(ツ)_/¯")), metadata: m.metadata };
    }
  },

  observe_room(e) {
    console.log(e.user_id, e.kind === 1 ? "has come to" : "has left", e.room_id);
  },

  actions: ["shout.limit"],
  handle_action() {
    return { code: 200, data: Buffer.from(String(keys.max_capitals)) };
  },
});
