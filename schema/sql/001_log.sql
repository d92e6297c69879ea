-- The two logs, events and outcomes (DESIGN section 1). Both are only appended to; retention
-- removes rows, oldest outcome first. While events are pending, some of their outcomes give way to
-- later ones (queue/ops/timeline.h).
-- application_id 0x73657671 is "sevq"; user_version is the number of the last migration.

-- Queue keys, each with the small number that events and outcomes refer to. A session's row is
-- removed with its last event.
CREATE TABLE session (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE
) STRICT;

-- Events, immutable, in id order. The columns that the catalog reads on a start come first, the text
-- last.
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	session INTEGER NOT NULL,
	ts INTEGER NOT NULL,          -- milliseconds since 1970
	text_hash INTEGER NOT NULL,   -- 64 bits of SHA-256(text)
	text_bytes INTEGER NOT NULL,
	rule INTEGER NOT NULL,        -- 0 keep, 1 main-alias, 2 cron-run, 3 direct-main
	wake INTEGER NOT NULL,        -- 0 next-heartbeat, 1 now
	exec INTEGER NOT NULL,        -- a prompt: 1 an exec completion, 2 left out, 3 both (ROUTING section 8)
	available_at INTEGER,         -- not delivered before; null: at once
	expires_at INTEGER,           -- expires then; null: never
	context_key TEXT,
	delivery TEXT,                -- JSON object
	original_key TEXT,            -- the session key as sent; null when it is the queue key
	source TEXT,
	traceparent TEXT,
	text TEXT NOT NULL
) STRICT;

-- Outcomes: what happened to events, one row for each call. Kinds up to 9 settle their events, the
-- others leave them as they are. The kind says what lease, until and detail mean.
CREATE TABLE outcome (
	id INTEGER PRIMARY KEY,       -- of a 'leased' row also the lease's id
	ts INTEGER NOT NULL,
	kind INTEGER NOT NULL REFERENCES outcome_kind(id),
	session INTEGER NOT NULL,
	events TEXT NOT NULL,         -- JSON array, ascending: ids, and ranges [first,last]
	lease INTEGER,                -- leased: -1 when exclusive;
	                              -- acked, nacked, returned, extended, lapsed: the lease's id
	until INTEGER,                -- leased, extended: when the lease ends;
	                              -- nacked, returned: when the events are available again
	detail TEXT                   -- leased: the consumer; nacked, returned, dead: the reason;
	                              -- requeued: the new event's id
) STRICT;

CREATE INDEX outcome_session ON outcome(session);

-- Dead letters: events that were evicted or died. A row is removed with its event.
CREATE TABLE dead_letter (
	event INTEGER PRIMARY KEY,
	outcome INTEGER NOT NULL,
	requeued INTEGER              -- the outcome that enqueued it again; null: none has
) STRICT;

CREATE INDEX dead_letter_order ON dead_letter(outcome, event) WHERE requeued IS NULL;

CREATE TABLE outcome_kind (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL
) STRICT;
INSERT INTO outcome_kind VALUES
	(1, 'drained'), (2, 'consumed'), (3, 'withdrawn'), (4, 'purged'), (5, 'replaced'), (6, 'evicted'),
	(7, 'acked'), (8, 'expired'), (9, 'dead'),
	(10, 'leased'), (11, 'extended'), (12, 'nacked'), (13, 'returned'), (14, 'lapsed'), (15, 'requeued');

-- Requests with an idempotency key, and the answers they got, in id order. Rows are removed after a
-- day.
CREATE TABLE idempotency (
	id INTEGER PRIMARY KEY,
	ts INTEGER NOT NULL,
	key TEXT NOT NULL UNIQUE,
	request INTEGER NOT NULL,     -- 64 bits of SHA-256(request); another request is refused
	answer TEXT NOT NULL          -- JSON, for the queue alone
) STRICT;

-- Views for people with the sqlite3 shell.
CREATE VIEW settled AS
	WITH RECURSIVE range(outcome, first, last) AS (
		SELECT outcome.id,
			CASE e.type WHEN 'array' THEN json_extract(e.value, '$[0]') ELSE e.value END,
			CASE e.type WHEN 'array' THEN json_extract(e.value, '$[1]') ELSE e.value END
		FROM outcome, json_each(outcome.events) AS e
		UNION ALL
		SELECT outcome, first + 1, last FROM range WHERE first < last
	)
	SELECT range.first AS event, outcome_kind.name AS outcome, outcome.ts AS ts
	FROM range JOIN outcome ON outcome.id = range.outcome
		JOIN outcome_kind ON outcome_kind.id = outcome.kind
	WHERE outcome.kind <= 9;

CREATE VIEW pending AS
	SELECT event.id, session.key AS session_key, event.original_key, event.ts,
		datetime(event.ts / 1000, 'unixepoch') AS time, event.context_key, event.source, event.text
	FROM event JOIN session ON session.id = event.session
	WHERE event.id NOT IN (SELECT event FROM settled);
