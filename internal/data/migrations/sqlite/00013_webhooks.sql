-- What webhooks have delivered. The log of a room is what they deliver from: nothing is written beside a message.

-- +goose Up
CREATE TABLE webhooks (
  name         TEXT NOT NULL PRIMARY KEY,
  since        INTEGER NOT NULL, -- what was stored before is not delivered
  replays      INTEGER NOT NULL, -- how often somebody asked for something again
  owner        TEXT NOT NULL, -- the node that delivers
  term         INTEGER NOT NULL, -- rises with each owner
  until        INTEGER NOT NULL, -- how long it is his
  lag          INTEGER NOT NULL, -- messages to be delivered, when he last looked
  delivered_at INTEGER NOT NULL, -- when a request was last answered well; 0: never
  failed_at    INTEGER NOT NULL, -- and when not; 0: never
  last_error   TEXT NOT NULL
) WITHOUT ROWID;

-- How far each room is delivered. A room that was deleted and made anew is another one: created_at tells.
CREATE TABLE webhook_marks (
  webhook    TEXT NOT NULL,
  room_id    TEXT NOT NULL,
  created_at INTEGER NOT NULL, -- of the room
  seq        INTEGER NOT NULL,
  PRIMARY KEY (webhook, room_id)
) WITHOUT ROWID;

-- What was given up: messages of a room that stand side by side.
CREATE TABLE webhook_dead (
  webhook  TEXT NOT NULL,
  room_id  TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq   INTEGER NOT NULL,
  died_at  INTEGER NOT NULL,
  again    INTEGER NOT NULL, -- 1: somebody wants it to be tried once more
  reason   TEXT NOT NULL,
  PRIMARY KEY (webhook, room_id, from_seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE webhook_dead;
DROP TABLE webhook_marks;
DROP TABLE webhooks;
