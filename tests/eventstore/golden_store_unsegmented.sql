PRAGMA application_id=1835820406;
PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE checkpoints (                     -- where consumers and pollers stand
  name       TEXT PRIMARY KEY,
  position   INTEGER NOT NULL,
  cursor     BLOB,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "checkpoints" VALUES('poll:main',0,X'323032342D30352D3036',1700000000000000);
INSERT INTO "checkpoints" VALUES('projector',2,NULL,1700000001000000);
CREATE TABLE commits (                         -- one row per append that holds events
  last_position  INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL,
  recorded_at    INTEGER NOT NULL,             -- µs since 1970-01-01 UTC
  meta           BLOB    NOT NULL,             -- JSON: actor, traceparent
  digest         BLOB    NOT NULL              -- SHA-256, chained to the commit before
) STRICT;
INSERT INTO "commits" VALUES(2,1,1700000000000000,X'7B226163746F72223A22706F6C6C6572222C227472616365706172656E74223A2230302D30303030303030303030303030303030303030303030303030303030303030312D303030303030303030303030303030322D3031227D',X'E6D9B930F41CC3B1442E47A6F13A5033578570FCAED66B621A1A4F4A64993300');
INSERT INTO "commits" VALUES(3,3,1700000001000000,X'7B7D',X'0F1F818F71E6717DD2F1437645F858661E35FAE7D99856E32A8D2F63102EE0DA');
INSERT INTO "commits" VALUES(4,4,1700000002000000,X'7B226163746F72223A226F666669636572227D',X'BC20FAF09E3DD018D9E5D7E937BB5AB6B895EE07C3BA63F093F00808CF1DDC22');
CREATE TABLE events (
  position  INTEGER PRIMARY KEY,               -- 1, 2, 3 … without gaps, in order of commit
  stream_id INTEGER NOT NULL REFERENCES streams,
  version   INTEGER NOT NULL,                  -- 1, 2, 3 … within the stream
  type      TEXT    NOT NULL,
  schema    INTEGER NOT NULL,                  -- shape of the payload; lifted on read when old
  cause     INTEGER,                           -- position of the event that led to this one
  salt      BLOB,                              -- 16 random bytes; NULL once erased
  data      BLOB,                              -- JSON; NULL once erased
  digest    BLOB,                              -- SHA-256(salt ‖ data), only once erased
  UNIQUE (stream_id, version),
  CONSTRAINT numbers_start_at_one CHECK (version >= 1 AND schema >= 1 AND type <> ''),
  CONSTRAINT cause_is_earlier CHECK (cause IS NULL OR (cause >= 1 AND cause < position))
) STRICT;
INSERT INTO "events" VALUES(1,1,1,'RecordObserved',1,NULL,NULL,NULL,X'554BD5F84497D5BA9A4CBC5DA1F46E382B799D64CF4B98BE39FD7853EBEB08B8');
INSERT INTO "events" VALUES(2,2,1,'PollCompleted',2,NULL,X'101112131415161718191A1B1C1D1E1F',X'7B22726F7773223A317D',NULL);
INSERT INTO "events" VALUES(3,3,1,'CommandEmitted',1,1,X'202122232425262728292A2B2C2D2E2F',X'7B226E223A22C3A9227D',NULL);
INSERT INTO "events" VALUES(4,4,1,'Erased',1,NULL,X'303132333435363738393A3B3C3D3E3F',X'7B2273747265616D73223A5B22736167652F6D61696E2F4142432F41525F437573746F6D65722F30312D414246225D2C22726561736F6E223A2261736B6564222C22626C616E6B6564223A317D',NULL);
CREATE TABLE streams (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT;
INSERT INTO "streams" VALUES(1,'sage/main/ABC/AR_Customer/01-ABF');
INSERT INTO "streams" VALUES(2,'poll/main/ABC/AR_Customer');
INSERT INTO "streams" VALUES(3,'hubspot/company/ABC:01-ABF');
INSERT INTO "streams" VALUES(4,'audit/erasure');
CREATE TABLE t_items (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "t_items" VALUES('a',X'31');
CREATE TABLE t_jobs (
  key   TEXT PRIMARY KEY,
  rank  INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "t_jobs" VALUES('b',3,X'32');
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
CREATE VIEW event_log AS
  SELECT e.position, s.name AS stream, e.version, e.type, e.schema, e.cause,
         strftime('%Y-%m-%dT%H:%M:%fZ', (
           SELECT c.recorded_at FROM commits c
           WHERE c.last_position >= e.position ORDER BY c.last_position LIMIT 1
         ) / 1000000.0, 'unixepoch') AS recorded_at,
         CAST(e.data AS TEXT) AS data
  FROM events e JOIN streams s ON s.id = e.stream_id;
CREATE INDEX i_jobs_rank ON t_jobs (rank);
COMMIT;
