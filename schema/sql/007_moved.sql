-- When a policy strands a queue its events are moved to another queue: one outcome for each pair of
-- queues names them. Their own rows, with the session that they were stored in, stay as they are.
ALTER TABLE outcome ADD COLUMN target INTEGER; -- moved: the session that they went to; detail: the rule
INSERT INTO outcome_kind VALUES (16, 'moved');
CREATE INDEX outcome_moved ON outcome(session) WHERE kind = 16;

-- Each move of each event.
CREATE VIEW moved AS
	WITH RECURSIVE range(outcome, first, last) AS (
		SELECT outcome.id,
			CASE e.type WHEN 'array' THEN json_extract(e.value, '$[0]') ELSE e.value END,
			CASE e.type WHEN 'array' THEN json_extract(e.value, '$[1]') ELSE e.value END
		FROM outcome, json_each(outcome.events) AS e
		WHERE outcome.kind = 16
		UNION ALL
		SELECT outcome, first + 1, last FROM range WHERE first < last
	)
	SELECT range.first AS event, outcome.id AS outcome, outcome.ts AS ts, outcome.target AS target
	FROM range JOIN outcome ON outcome.id = range.outcome;

-- The session key is that of the queue that holds the event now.
DROP VIEW pending;
CREATE VIEW pending AS
	WITH now(event, outcome, target) AS MATERIALIZED (
		SELECT event, max(outcome), target FROM moved GROUP BY event
	)
	SELECT event.id, session.key AS session_key, event.original_key, event.ts,
		datetime(event.ts / 1000, 'unixepoch') AS time, event.context_key, event.source, event.text
	FROM event LEFT JOIN now ON now.event = event.id
		JOIN session ON session.id = ifnull(now.target, event.session)
	WHERE event.id NOT IN (SELECT event FROM settled);
