-- How many bytes messages have, of so many that stand side by side: where only so many bytes are kept of a room, nobody
-- reads all of it again to know. Written by the sweep that deletes, and not with a message.

-- +goose Up
CREATE TABLE message_sums (
  room_id    TEXT    NOT NULL,
  seq        INTEGER NOT NULL, -- of the last of them
  bytes      INTEGER NOT NULL,
  counted_at INTEGER NOT NULL, -- what was edited or recalled since is not in it
  PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE message_sums;
