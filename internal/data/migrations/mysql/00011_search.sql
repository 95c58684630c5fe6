-- What messages say, as terms, for a search; not where in them a term is. What is found is compared with the
-- message itself.

-- +goose Up
CREATE TABLE IF NOT EXISTS search_docs (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  created_at bigint NOT NULL,
  terms mediumtext CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (room_id, seq),
  FULLTEXT INDEX search_docs_terms (terms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How far each room is in the index. A room that was deleted and made anew is another one: created_at tells.
CREATE TABLE IF NOT EXISTS search_marks (
  room_id varbinary(255) NOT NULL PRIMARY KEY,
  created_at bigint NOT NULL, -- of the room
  indexed_seq bigint NOT NULL,
  cleared_seq bigint NOT NULL -- up to here nothing is in the index any more
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS search_marks;
DROP TABLE IF EXISTS search_docs;
