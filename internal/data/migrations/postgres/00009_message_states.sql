-- What a message has besides what it says: the message that it answers, whom it mentions, when it expires, and what
-- has become of it since. Most have nothing, which is NULL and was so before.

-- +goose Up
ALTER TABLE messages ADD COLUMN extras text; -- a JSON object

CREATE TABLE reactions (
  room_id  text COLLATE "C" NOT NULL,
  seq      bigint NOT NULL,
  event    bigint NOT NULL, -- seq of the event that tells of it: the order in which they came
  user_id  text COLLATE "C" NOT NULL,
  reaction text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  PRIMARY KEY (room_id, seq, event),
  UNIQUE (room_id, seq, user_id, reaction)
);

-- The events that repeat what a message says, so that they forget it with the message.
CREATE TABLE message_events (
  room_id text COLLATE "C" NOT NULL,
  seq     bigint NOT NULL,
  event   bigint NOT NULL, -- seq of the event
  PRIMARY KEY (room_id, seq, event)
);

-- Whom messages mention, to be counted; the user * is everybody.
CREATE TABLE mentions (
  user_id text COLLATE "C" NOT NULL,
  room_id text COLLATE "C" NOT NULL,
  seq     bigint NOT NULL,
  sender  text COLLATE "C" NOT NULL,
  PRIMARY KEY (user_id, room_id, seq)
);
CREATE INDEX mentions_by_message ON mentions (room_id, seq);

CREATE TABLE expiries (
  room_id    text COLLATE "C" NOT NULL,
  seq        bigint NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (room_id, seq)
);
CREATE INDEX expiries_by_time ON expiries (expires_at);

-- +goose Down
DROP TABLE expiries;
DROP TABLE mentions;
DROP TABLE message_events;
DROP TABLE reactions;
ALTER TABLE messages DROP COLUMN extras;
