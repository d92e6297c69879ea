-- The last context of a queue whose event was evicted; an eviction leaves the last context as it is
-- (ROUTING section 7). Null where a pending event has the last context, or there is none.
ALTER TABLE session ADD COLUMN last_context TEXT;
CREATE INDEX session_last_context ON session(id) WHERE last_context IS NOT NULL;
