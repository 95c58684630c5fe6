-- Uploads and their transcripts. The bytes are blobs named by id.

-- +goose Up
CREATE TABLE audios (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  room_id    text   NOT NULL,
  user_id    text   NOT NULL,
  format     text   NOT NULL,
  size       bigint NOT NULL, -- bytes
  duration   bigint NOT NULL, -- microseconds
  created_at bigint NOT NULL
);

CREATE TABLE transcripts (
  audio_id    text COLLATE "C" NOT NULL PRIMARY KEY,
  status      smallint NOT NULL,
  text        text     NOT NULL,
  confidence  double precision NOT NULL,
  reason      text     NOT NULL,
  attempts    bigint   NOT NULL,
  due_at      bigint, -- when it may be claimed next; NULL once it has ended and its room was told
  created_at  bigint   NOT NULL,
  updated_at  bigint   NOT NULL
);
CREATE INDEX transcripts_by_due ON transcripts (due_at) WHERE due_at IS NOT NULL;

-- +goose Down
DROP TABLE transcripts;
DROP TABLE audios;
