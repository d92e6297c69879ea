-- How many deliveries of each event had failed when an outcome settled it: a JSON array, one number
-- for each event. Null where none had failed, or where an older version wrote the row. Of
-- returned outcomes: how often each event had been returned by then; of extended ones: how often its
-- lease had been extended. Null: once.
ALTER TABLE outcome ADD COLUMN attempts TEXT;
ALTER TABLE dead_letter ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
