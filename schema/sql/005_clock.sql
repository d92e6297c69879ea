-- Times are wall clock times, and a wall clock may jump. Each row says how far it was ahead of the
-- queue's own clock, which never jumps, for events and outcomes from these ids on.
CREATE TABLE clock (
	event INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	ahead INTEGER NOT NULL,       -- the wall clock less the queue's clock
	unproven INTEGER NOT NULL,    -- of the queue's clock: what only a wall clock said
	boot INTEGER NOT NULL,        -- 64 bits of the kernel's boot id; 0: unknown
	boot_ahead INTEGER NOT NULL,  -- the clock of that boot less the queue's clock
	PRIMARY KEY (event, outcome)
) STRICT, WITHOUT ROWID;

-- Rows that are stamped ahead of the present are taken for as old as the newest of them is now.
INSERT INTO clock
	SELECT ifnull((SELECT min(id) FROM event WHERE ts > now + 60000),
			(SELECT ifnull(max(id), 0) + 1 FROM event)),
		ifnull((SELECT min(id) FROM outcome WHERE ts > now + 60000),
			(SELECT ifnull(max(id), 0) + 1 FROM outcome)),
		latest - now, 0, 0, 0
	FROM (SELECT unixepoch('now') * 1000 AS now,
		max((SELECT ifnull(max(ts), 0) FROM event), (SELECT ifnull(max(ts), 0) FROM outcome)) AS latest)
	WHERE latest > now + 60000;
UPDATE idempotency SET ts = min(ts, unixepoch('now') * 1000);

-- The latest time of the queue's clock that is known; 0: that of the newest row.
ALTER TABLE newest ADD COLUMN steady INTEGER NOT NULL DEFAULT 0;
