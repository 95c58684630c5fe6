-- Rooms that a product can be built on: who is kept out, who is invited, mutes that end, direct rooms, and rooms that
-- have been deleted. A deleted room keeps its row, so that no place in it is ever given out twice. What is there is
-- left alone: a change of the schema commits at once here, also when the migration then fails.

-- +goose Up
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'members' AND column_name = 'muted_until') = 0,
  'ALTER TABLE members ADD COLUMN muted_until bigint NOT NULL DEFAULT 0, ADD INDEX members_by_role (room_id, role, no)',
  'DO 0');
PREPARE change_members FROM @change;
EXECUTE change_members;
DEALLOCATE PREPARE change_members;

SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'rooms' AND column_name = 'deleted_at') = 0,
  'ALTER TABLE rooms ADD COLUMN kind smallint NOT NULL DEFAULT 0, ADD COLUMN invite_only boolean NOT NULL DEFAULT false, ADD COLUMN deleted_at bigint NOT NULL DEFAULT 0',
  'DO 0');
PREPARE change_rooms FROM @change;
EXECUTE change_rooms;
DEALLOCATE PREPARE change_rooms;

CREATE TABLE IF NOT EXISTS bans (
  room_id varbinary(255) NOT NULL,
  user_id varbinary(255) NOT NULL,
  banned_by varbinary(255) NOT NULL,
  reason mediumtext NOT NULL,
  created_at bigint NOT NULL,
  until bigint NOT NULL, -- 0: for good
  PRIMARY KEY (room_id, user_id),
  INDEX bans_by_end (until)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS invitations (
  room_id varbinary(255) NOT NULL,
  user_id varbinary(255) NOT NULL,
  inviter varbinary(255) NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (room_id, user_id),
  INDEX invitations_by_user (user_id, created_at),
  INDEX invitations_by_time (created_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What of deleted rooms is still to be cleared away: messages up to the floor, and members.
CREATE TABLE IF NOT EXISTS ended_rooms (
  room_id varbinary(255) NOT NULL PRIMARY KEY,
  floor_seq bigint NOT NULL,
  created_at bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS ended_rooms;
DROP TABLE IF EXISTS invitations;
DROP TABLE IF EXISTS bans;
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'rooms' AND column_name = 'deleted_at') = 1,
  'ALTER TABLE rooms DROP COLUMN deleted_at, DROP COLUMN invite_only, DROP COLUMN kind',
  'DO 0');
PREPARE change_rooms FROM @change;
EXECUTE change_rooms;
DEALLOCATE PREPARE change_rooms;
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'members' AND column_name = 'muted_until') = 1,
  'ALTER TABLE members DROP INDEX members_by_role, DROP COLUMN muted_until',
  'DO 0');
PREPARE change_members FROM @change;
EXECUTE change_members;
DEALLOCATE PREPARE change_members;
