/*
 * key_rows.h - the table idempotency: adding keys and removing the oldest, so that there are never
 * too many.
 *
 * Here: rows, and how many there are of each owner (struct store_key) and in all. Not here: looking
 * a key up (lookup.h), what an answer means (queue/ops/idempotency.h).
 */
#ifndef QUEUE_SQLITE_KEY_ROWS_H
#define QUEUE_SQLITE_KEY_ROWS_H

#include "queue/sqlite/database.h"

/* Counts the rows that are there. */
int key_rows_load(struct sqlite_store *store, struct error *err);

/*
 * Adds a row in the transaction under way, and removes the oldest of its owner, or of all, where
 * there are now more than the store's limits. SQLITE_OK or why not.
 */
int key_rows_add(struct sqlite_store *store, const struct store_key *key);

/*
 * Removes a few rows that are older, in the transaction under way. SQLITE_OK or why not. more:
 * others may be as old.
 */
int key_rows_remove_old(struct sqlite_store *store, int64_t before_ms, bool *more);

/* Call when the transaction has ended: keeps what it has changed in the counts, or takes it back.
 */
void key_rows_end(struct sqlite_store *store, bool committed);

void key_rows_clear(struct sqlite_store *store);

#endif
