-- How far a member has read: it comes and goes with his membership. The index is the order in which
-- somebody's rooms are gone through, a part at a time. Both are one statement, which is made only where
-- it was not before: a change of the schema commits at once here, also when the migration then fails.

-- +goose Up
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'members' AND column_name = 'read_seq') = 0,
  'ALTER TABLE members ADD COLUMN read_seq bigint NOT NULL DEFAULT 0, ADD INDEX members_by_user_room (user_id, room_id)',
  'DO 0');
PREPARE change_members FROM @change;
EXECUTE change_members;
DEALLOCATE PREPARE change_members;

-- +goose Down
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'members' AND column_name = 'read_seq') = 1,
  'ALTER TABLE members DROP INDEX members_by_user_room, DROP COLUMN read_seq',
  'DO 0');
PREPARE change_members FROM @change;
EXECUTE change_members;
DEALLOCATE PREPARE change_members;
