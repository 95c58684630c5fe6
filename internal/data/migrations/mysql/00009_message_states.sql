-- What a message has besides what it says: the message that it answers, whom it mentions, when it expires, and what
-- has become of it since. Most have nothing, which is NULL and was so before. The column is made only where it was
-- not before: a change of the schema commits at once here, also when the migration then fails.

-- +goose Up
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'messages' AND column_name = 'extras') = 0,
  'ALTER TABLE messages ADD COLUMN extras mediumtext', -- a JSON object
  'DO 0');
PREPARE change_messages FROM @change;
EXECUTE change_messages;
DEALLOCATE PREPARE change_messages;

CREATE TABLE IF NOT EXISTS reactions (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  event bigint NOT NULL, -- seq of the event that tells of it: the order in which they came
  user_id varbinary(255) NOT NULL,
  reaction varbinary(255) NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (room_id, seq, event),
  UNIQUE (room_id, seq, user_id, reaction)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The events that repeat what a message says, so that they forget it with the message.
CREATE TABLE IF NOT EXISTS message_events (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  event bigint NOT NULL, -- seq of the event
  PRIMARY KEY (room_id, seq, event)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Whom messages mention, to be counted; the user * is everybody.
CREATE TABLE IF NOT EXISTS mentions (
  user_id varbinary(255) NOT NULL,
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  sender varbinary(255) NOT NULL,
  PRIMARY KEY (user_id, room_id, seq),
  INDEX mentions_by_message (room_id, seq)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS expiries (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (room_id, seq),
  INDEX expiries_by_time (expires_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS expiries;
DROP TABLE IF EXISTS mentions;
DROP TABLE IF EXISTS message_events;
DROP TABLE IF EXISTS reactions;
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'messages' AND column_name = 'extras') = 1,
  'ALTER TABLE messages DROP COLUMN extras',
  'DO 0');
PREPARE change_messages FROM @change;
EXECUTE change_messages;
DEALLOCATE PREPARE change_messages;
