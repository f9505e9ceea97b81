-- Every statement of the SQLite backend. {rows}, {marks} are filled with as many placeholders as
-- there are values, {table} with the checked name of a declared read-model table. Prefixes are ranges:
-- from the prefix up to its successor, or up to a BLOB, which sorts after every text. A stream's
-- events are looked up in each segment of the log (schema.sql, events_by_stream).

-- :section head
SELECT first_position, last_position, recorded_at, digest, meta
FROM commits ORDER BY last_position DESC LIMIT 1;

-- :section last_stream_id
SELECT max(id) FROM streams;

-- :section stream_heads
WITH RECURSIVE segments (n) AS (
  SELECT 0 UNION ALL
  SELECT n + 1 FROM segments WHERE n < (SELECT max(position) >> 17 FROM events)
)
SELECT s.name, s.id, (
  SELECT max((
    SELECT e.version FROM events e WHERE e.position >> 17 = g.n AND e.stream_id = s.id
    ORDER BY e.version DESC LIMIT 1
  )) FROM segments g
)
FROM streams s WHERE s.name IN ({marks});

-- :section insert_streams
INSERT INTO streams (id, name) VALUES {rows};

-- :section insert_events
INSERT INTO events (position, stream_id, version, type, schema, cause, salt, data) VALUES {rows};

-- :section restore_events
INSERT INTO events (position, stream_id, version, type, schema, cause, salt, data, digest)
VALUES {rows};

-- :section insert_commits
INSERT INTO commits (first_position, last_position, recorded_at, meta, digest) VALUES {rows};

-- :section read
SELECT e.position, s.name, e.version, e.type, e.schema, e.cause, e.data
FROM events e JOIN streams s ON s.id = e.stream_id
WHERE e.position > ? AND e.position <= ? ORDER BY e.position LIMIT ?;

-- :section read_types
SELECT e.position, s.name, e.version, e.type, e.schema, e.cause, e.data
FROM events e JOIN streams s ON s.id = e.stream_id
WHERE e.position > ? AND e.position <= ? AND e.type IN ({marks}) ORDER BY e.position LIMIT ?;

-- :section history
WITH RECURSIVE segments (n) AS (
  SELECT 0 UNION ALL
  SELECT n + 1 FROM segments WHERE n < (SELECT max(position) >> 17 FROM events)
)
SELECT e.position, s.name, e.version, e.type, e.schema, e.cause, e.data
FROM streams s CROSS JOIN segments g
CROSS JOIN events e ON e.position >> 17 = g.n AND e.stream_id = s.id
WHERE s.name = ? AND e.version > ? AND e.position <= ? ORDER BY e.version;

-- :section streams
SELECT name FROM streams WHERE name >= ? AND name < ? ORDER BY name LIMIT ?;

-- :section locate
WITH RECURSIVE segments (n) AS (
  SELECT 0 UNION ALL
  SELECT n + 1 FROM segments WHERE n < (SELECT max(position) >> 17 FROM events)
)
SELECT e.position FROM streams s CROSS JOIN segments g
CROSS JOIN events e ON e.position >> 17 = g.n AND e.stream_id = s.id
WHERE s.name = ? AND e.version = ?;

-- :section commit_of
SELECT first_position, last_position, recorded_at, digest, meta
FROM commits WHERE last_position >= ? ORDER BY last_position LIMIT 1;

-- :section position_at
-- Walks back from the newest commit; right whatever the clock did in between.
SELECT last_position FROM commits WHERE recorded_at <= ? ORDER BY last_position DESC LIMIT 1;

-- :section checkpoint
SELECT position, cursor FROM checkpoints WHERE name = ?;

-- :section move_checkpoint
INSERT INTO checkpoints (name, position, cursor, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, cursor = excluded.cursor,
  updated_at = excluded.updated_at;

-- :section commit_before
-- The commit to start verifying after: the newest that ends at or before a position.
SELECT last_position, digest FROM commits WHERE last_position <= ?
ORDER BY last_position DESC LIMIT 1;

-- :section commits_after
SELECT first_position, last_position, recorded_at, meta, digest
FROM commits WHERE last_position > ? ORDER BY last_position LIMIT ?;

-- :section chain_events
-- Text as bytes, so that a text which is no UTF-8 is found by its digest and not by a decoder.
SELECT e.position, CAST(s.name AS BLOB), e.version, CAST(e.type AS BLOB), e.schema, e.cause,
       e.salt, e.data, e.digest
FROM events e LEFT JOIN streams s ON s.id = e.stream_id
WHERE e.position BETWEEN ? AND ? ORDER BY e.position;

-- :section event_bounds
SELECT (SELECT min(position) FROM events), (SELECT max(position) FROM events);

-- :section erase_stream
UPDATE events SET digest = payload_digest(salt, data), salt = NULL, data = NULL
WHERE data IS NOT NULL AND position IN (
  WITH RECURSIVE segments (n) AS (
    SELECT 0 UNION ALL
    SELECT n + 1 FROM segments WHERE n < (SELECT max(position) >> 17 FROM events)
  )
  SELECT e.position FROM streams s CROSS JOIN segments g
  CROSS JOIN events e ON e.position >> 17 = g.n AND e.stream_id = s.id
  WHERE s.name = ?
);

-- :section table_columns
SELECT name FROM pragma_table_info(?) ORDER BY cid;

-- :section put
INSERT INTO t_{table} (key, value) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- :section put_ranked
INSERT INTO t_{table} (key, rank, value) VALUES {rows}
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, value = excluded.value;

-- :section remove
DELETE FROM t_{table} WHERE key IN ({marks});

-- :section clear
DELETE FROM t_{table};

-- :section adopt
INSERT INTO t_{table} SELECT * FROM t_{source};

-- :section rows
SELECT key, value FROM t_{table} WHERE key IN ({marks});

-- :section rows_ranked
SELECT key, value, rank FROM t_{table} WHERE key IN ({marks});

-- :section scan
SELECT key, value FROM t_{table} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?;

-- :section scan_ranked
SELECT key, value, rank FROM t_{table}
WHERE key >= ? AND key < ? ORDER BY key LIMIT ?;

-- :section due
SELECT key, value, rank FROM t_{table} WHERE rank <= ? ORDER BY rank, key LIMIT ?;

-- :section next_rank
SELECT min(rank) FROM t_{table};

-- :section count
SELECT count(*) FROM t_{table} WHERE key >= ? AND key < ?;

