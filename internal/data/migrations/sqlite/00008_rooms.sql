-- Rooms that a product can be built on: who is kept out, who is invited, mutes that end, direct rooms, and rooms that
-- have been deleted. A deleted room keeps its row, so that no place in it is ever given out twice.

-- +goose Up
ALTER TABLE members ADD COLUMN muted_until INTEGER NOT NULL DEFAULT 0; -- 0: until he is unmuted
CREATE INDEX members_by_role ON members (room_id, role, no) WHERE role > 1; -- moderators and admins
ALTER TABLE rooms ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN invite_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0; -- 0: it is there

CREATE TABLE bans (
  room_id    TEXT    NOT NULL,
  user_id    TEXT    NOT NULL,
  banned_by  TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  until      INTEGER NOT NULL, -- 0: for good
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE INDEX bans_by_end ON bans (until);

CREATE TABLE invitations (
  room_id    TEXT    NOT NULL,
  user_id    TEXT    NOT NULL,
  inviter    TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE INDEX invitations_by_user ON invitations (user_id, created_at);
CREATE INDEX invitations_by_time ON invitations (created_at);

-- What of deleted rooms is still to be cleared away: messages up to the floor, and members.
CREATE TABLE ended_rooms (
  room_id    TEXT    NOT NULL PRIMARY KEY,
  floor_seq  INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE ended_rooms;
DROP TABLE invitations;
DROP TABLE bans;
ALTER TABLE rooms DROP COLUMN deleted_at;
ALTER TABLE rooms DROP COLUMN invite_only;
ALTER TABLE rooms DROP COLUMN kind;
DROP INDEX members_by_role;
ALTER TABLE members DROP COLUMN muted_until;
