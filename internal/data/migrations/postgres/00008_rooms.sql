-- Rooms that a product can be built on: who is kept out, who is invited, mutes that end, direct rooms, and rooms that
-- have been deleted. A deleted room keeps its row, so that no place in it is ever given out twice.

-- +goose Up
ALTER TABLE members ADD COLUMN muted_until bigint NOT NULL DEFAULT 0; -- 0: until he is unmuted
CREATE INDEX members_by_role ON members (room_id, role, no) WHERE role > 1; -- moderators and admins
ALTER TABLE rooms
  ADD COLUMN kind smallint NOT NULL DEFAULT 0,
  ADD COLUMN invite_only boolean NOT NULL DEFAULT false,
  ADD COLUMN deleted_at bigint NOT NULL DEFAULT 0; -- 0: it is there

CREATE TABLE bans (
  room_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  banned_by text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  created_at bigint NOT NULL,
  until bigint NOT NULL, -- 0: for good
  PRIMARY KEY (room_id, user_id)
);
CREATE INDEX bans_by_end ON bans (until);

CREATE TABLE invitations (
  room_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  inviter text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (room_id, user_id)
);
CREATE INDEX invitations_by_user ON invitations (user_id, created_at);
CREATE INDEX invitations_by_time ON invitations (created_at);

-- What of deleted rooms is still to be cleared away: messages up to the floor, and members.
CREATE TABLE ended_rooms (
  room_id text COLLATE "C" NOT NULL PRIMARY KEY,
  floor_seq bigint NOT NULL,
  created_at bigint NOT NULL
);

-- +goose Down
DROP TABLE ended_rooms;
DROP TABLE invitations;
DROP TABLE bans;
ALTER TABLE rooms DROP COLUMN deleted_at, DROP COLUMN invite_only, DROP COLUMN kind;
DROP INDEX members_by_role;
ALTER TABLE members DROP COLUMN muted_until;
