-- What a message has besides what it says: the message that it answers, whom it mentions, when it expires, and what
-- has become of it since. Most have nothing, which is NULL and was so before.

-- +goose Up
ALTER TABLE messages ADD COLUMN extras TEXT; -- a JSON object

CREATE TABLE reactions (
  room_id  TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  event    INTEGER NOT NULL, -- seq of the event that tells of it: the order in which they came
  user_id  TEXT    NOT NULL,
  reaction TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (room_id, seq, event),
  UNIQUE (room_id, seq, user_id, reaction)
) WITHOUT ROWID;

-- The events that repeat what a message says, so that they forget it with the message.
CREATE TABLE message_events (
  room_id TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  event   INTEGER NOT NULL, -- seq of the event
  PRIMARY KEY (room_id, seq, event)
) WITHOUT ROWID;

-- Whom messages mention, to be counted; the user * is everybody.
CREATE TABLE mentions (
  user_id TEXT    NOT NULL,
  room_id TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  sender  TEXT    NOT NULL,
  PRIMARY KEY (user_id, room_id, seq)
) WITHOUT ROWID;
CREATE INDEX mentions_by_message ON mentions (room_id, seq);

CREATE TABLE expiries (
  room_id    TEXT    NOT NULL,
  seq        INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
CREATE INDEX expiries_by_time ON expiries (expires_at);

-- +goose Down
DROP TABLE expiries;
DROP TABLE mentions;
DROP TABLE message_events;
DROP TABLE reactions;
ALTER TABLE messages DROP COLUMN extras;
