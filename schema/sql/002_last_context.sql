-- The last context of a queue whose event was evicted, which leaves it as it is (ROUTING section 7); null where an event that is
-- pending has it, or there is none.
ALTER TABLE session ADD COLUMN last_context TEXT;
CREATE INDEX session_last_context ON session(id) WHERE last_context IS NOT NULL;
