-- The highest ids and the latest time of rows that were removed. Ids are never given twice and times
-- never go back, even when no event is left.
CREATE TABLE newest (
	event INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	ts INTEGER NOT NULL
) STRICT;
INSERT INTO newest VALUES (0, 0, 0);
