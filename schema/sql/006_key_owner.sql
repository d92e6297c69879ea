-- Idempotency keys are limited in number for each owner: who has sent them, and for which session.
-- 0: an older version wrote the row.
ALTER TABLE idempotency ADD COLUMN owner INTEGER NOT NULL DEFAULT 0; -- 64 bits of SHA-256
CREATE INDEX idempotency_owner ON idempotency(owner, id);
