-- The event store's tables. One file, one store; see chain.py for what a digest covers.

-- :section create
-- Everything a new store holds; run once, in one transaction, on an empty file.
CREATE TABLE streams (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;

CREATE TABLE events (
  position  INTEGER PRIMARY KEY,               -- 1, 2, 3 … without gaps, in order of commit
  stream_id INTEGER NOT NULL REFERENCES streams,
  version   INTEGER NOT NULL,                  -- 1, 2, 3 … within the stream
  type      TEXT    NOT NULL,
  schema    INTEGER NOT NULL,                  -- shape of the payload; lifted on read when old
  cause     INTEGER,                           -- position of the event that led to this one
  salt      BLOB,                              -- 16 random bytes; NULL once erased
  data      BLOB,                              -- JSON; NULL once erased
  digest    BLOB                               -- SHA-256(salt ‖ data), only once erased
) STRICT;

-- A stream's events, by segments of 131,072 positions. One index over the whole log would dirty a
-- page of its own for nearly every event of a batch; a segment's share of it stays small and warm.
-- The one writer gives out versions; within a segment the index proves that none is given twice.
CREATE UNIQUE INDEX events_by_stream ON events (position >> 17, stream_id, version);

CREATE TABLE commits (                         -- one row per append that holds events
  last_position  INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL,
  recorded_at    INTEGER NOT NULL,             -- µs since 1970-01-01 UTC
  meta           BLOB    NOT NULL,             -- JSON: actor, traceparent
  digest         BLOB    NOT NULL              -- SHA-256, chained to the commit before
) STRICT;

CREATE TABLE checkpoints (                     -- where consumers and pollers stand
  name       TEXT PRIMARY KEY,
  position   INTEGER NOT NULL,
  cursor     BLOB,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Blanking a payload while keeping its digest is the one change an event allows. These triggers guard
-- against accidents: SQLite runs none of them for the row that an INSERT OR REPLACE takes away (unless
-- the connection asks for recursive triggers), and one that looked before every insert would cost a
-- tenth of an append. What gets past them, or drops them, is found by the chain.
CREATE TRIGGER events_are_permanent BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'events are permanent'); END;
CREATE TRIGGER events_are_immutable BEFORE UPDATE ON events
  WHEN NEW.data IS NOT NULL OR NEW.salt IS NOT NULL OR OLD.data IS NULL
    OR NEW.digest IS NULL OR length(NEW.digest) <> 32
    OR (NEW.position, NEW.stream_id, NEW.version, NEW.type, NEW.schema, NEW.cause)
      IS NOT (OLD.position, OLD.stream_id, OLD.version, OLD.type, OLD.schema, OLD.cause)
  BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE TRIGGER commits_are_permanent BEFORE DELETE ON commits
  BEGIN SELECT RAISE(ABORT, 'commits are permanent'); END;
CREATE TRIGGER commits_are_immutable BEFORE UPDATE ON commits
  BEGIN SELECT RAISE(ABORT, 'commits are immutable'); END;
CREATE TRIGGER streams_are_permanent BEFORE DELETE ON streams
  BEGIN SELECT RAISE(ABORT, 'streams are permanent'); END;
CREATE TRIGGER streams_are_immutable BEFORE UPDATE ON streams
  BEGIN SELECT RAISE(ABORT, 'streams are immutable'); END;

-- For people with a sqlite3 shell.
CREATE VIEW event_log AS
  SELECT e.position, s.name AS stream, e.version, e.type, e.schema, e.cause,
         strftime('%Y-%m-%dT%H:%M:%fZ', (
           SELECT c.recorded_at FROM commits c
           WHERE c.last_position >= e.position ORDER BY c.last_position LIMIT 1
         ) / 1000000.0, 'unixepoch') AS recorded_at,
         CAST(e.data AS TEXT) AS data
  FROM events e JOIN streams s ON s.id = e.stream_id;

-- :section create_table
-- A read-model table without rank.
CREATE TABLE IF NOT EXISTS t_{table} (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- :section create_ranked_table
-- A read-model table that can be asked for what is due.
CREATE TABLE IF NOT EXISTS t_{table} (
  key   TEXT PRIMARY KEY,
  rank  INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- :section create_rank_index
CREATE INDEX IF NOT EXISTS i_{table}_rank ON t_{table} (rank);
