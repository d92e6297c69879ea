-- A dead letter can be discarded. Its event and what happened to it stay as long as other history.
-- dead_letter.requeued: the outcome that enqueued it again, or that discarded it.
INSERT INTO outcome_kind VALUES (17, 'discarded'); -- detail: who did it
