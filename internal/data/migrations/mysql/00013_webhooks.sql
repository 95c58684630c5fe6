-- What webhooks have delivered. The log of a room is what they deliver from: nothing is written beside a message.

-- +goose Up
CREATE TABLE IF NOT EXISTS webhooks (
  name         varbinary(255) NOT NULL PRIMARY KEY,
  since        bigint NOT NULL, -- what was stored before is not delivered
  replays      bigint NOT NULL, -- how often somebody asked for something again
  owner        varbinary(255) NOT NULL, -- the node that delivers
  term         bigint NOT NULL, -- rises with each owner
  until        bigint NOT NULL, -- how long it is his
  "lag"        bigint NOT NULL, -- messages to be delivered, when he last looked
  delivered_at bigint NOT NULL, -- when a request was last answered well; 0: never
  failed_at    bigint NOT NULL, -- and when not; 0: never
  last_error   text NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How far each room is delivered. A room that was deleted and made anew is another one: created_at tells.
CREATE TABLE IF NOT EXISTS webhook_marks (
  webhook    varbinary(255) NOT NULL,
  room_id    varbinary(255) NOT NULL,
  created_at bigint NOT NULL, -- of the room
  seq        bigint NOT NULL,
  PRIMARY KEY (webhook, room_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What was given up: messages of a room that stand side by side.
CREATE TABLE IF NOT EXISTS webhook_dead (
  webhook  varbinary(255) NOT NULL,
  room_id  varbinary(255) NOT NULL,
  from_seq bigint NOT NULL,
  to_seq   bigint NOT NULL,
  died_at  bigint NOT NULL,
  again    bigint NOT NULL, -- 1: somebody wants it to be tried once more
  reason   text NOT NULL,
  PRIMARY KEY (webhook, room_id, from_seq)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS webhook_dead;
DROP TABLE IF EXISTS webhook_marks;
DROP TABLE IF EXISTS webhooks;
