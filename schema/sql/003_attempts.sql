-- Deliveries of its events that had failed when an outcome settled them: a JSON array, one number an event; null where none had, or
-- where an older version wrote it.
ALTER TABLE outcome ADD COLUMN attempts TEXT;
ALTER TABLE dead_letter ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
