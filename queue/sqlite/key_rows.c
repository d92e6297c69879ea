/*
 * key_rows.c - idempotency keys in a table, and their number by owner in memory.
 *
 * A key is kept for a day, and a producer may send any number of them in a day. So each owner has a
 * limit, and all have one together. At a limit the oldest key makes room for the newest one, in the
 * transaction that adds it: a producer repeats a request soon, or not at all, and a key that was
 * refused would refuse its event.
 */
#include "queue/sqlite/key_rows.h"

#include <stdlib.h>

#include "queue/sqlite/row.h"
#include "queue/sqlite/transaction.h"

/* As one key is added; more than one, so that there are fewer soon where a limit was lowered. */
#define REMOVED_FOR_ONE 2

struct key_owner {
	int64_t owner;
	uint64_t keys;
};

/* A row that the transaction under way has added, or removed. */
struct key_change {
	int64_t owner;
	bool removed, forgotten; /* forgotten: before its time */
};

/* --- counts --- */

static bool
same_owner(const void *item, const void *key)
{
	return ((const struct key_owner *)item)->owner == *(const int64_t *)key;
}

/* Whoever chooses session keys chooses owners. */
static struct keyed_hash
hash_of(int64_t owner)
{
	return keyed_hash_text((struct str){ (const char *)&owner, sizeof(owner) });
}

static struct key_owner *
find(const struct sqlite_store *store, int64_t owner)
{
	return table_find(&store->key_owners, hash_of(owner), same_owner, &owner);
}

static struct key_owner *
find_or_add(struct sqlite_store *store, int64_t owner)
{
	struct key_owner *found = find(store, owner);

	if (found != NULL)
		return found;
	found = mem_alloc(sizeof(*found));
	found->owner = owner;
	table_add(&store->key_owners, hash_of(owner), found);
	return found;
}

static void
count_more(struct sqlite_store *store, int64_t owner)
{
	find_or_add(store, owner)->keys++;
	store->stats.keys++;
}

static void
count_less(struct sqlite_store *store, int64_t owner)
{
	struct key_owner *found = find(store, owner);

	store->stats.keys--;
	if (--found->keys > 0)
		return;
	table_remove(&store->key_owners, hash_of(owner), found);
	free(found);
}

static void
note(struct sqlite_store *store, struct key_change change)
{
	store->key_changes = mem_grow(store->key_changes, &store->key_change_cap,
				      store->key_change_count + 1, sizeof(*store->key_changes));
	store->key_changes[store->key_change_count++] = change;
	(change.removed ? count_less : count_more)(store, change.owner);
}

void
key_rows_end(struct sqlite_store *store, bool committed)
{
	for (; store->key_change_count > 0; store->key_change_count--) {
		struct key_change change = store->key_changes[store->key_change_count - 1];

		if (!committed)
			(change.removed ? count_more : count_less)(store, change.owner);
		else
			store->base.keys_forgotten += change.forgotten;
	}
}

void
key_rows_clear(struct sqlite_store *store)
{
	void *owner;

	for (size_t at = 0; (owner = table_each(&store->key_owners, &at)) != NULL;)
		free(owner);
	table_clear(&store->key_owners);
	free(store->key_changes);
}

/* --- rows --- */

int
key_rows_load(struct sqlite_store *store, struct error *err)
{
	sqlite3_stmt *row = NULL;
	int rc = sqlite3_prepare_v2(
	    store->db, "SELECT owner, count(*) FROM idempotency GROUP BY owner", -1, &row, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		struct key_owner *owner = find_or_add(store, sqlite3_column_int64(row, 0));

		owner->keys = (uint64_t)sqlite3_column_int64(row, 1);
		store->stats.keys += owner->keys;
		rc = SQLITE_OK;
	}
	int failed = rc != SQLITE_DONE
			 ? transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read")
			 : 0;
	sqlite3_finalize(row);
	return failed;
}

/* Runs a statement that removes rows and returns their owners. */
static int
remove_rows(struct sqlite_store *store, enum statement which, bool forgotten)
{
	sqlite3_stmt *remove = store->statement[which];
	int rc;

	while ((rc = sqlite3_step(remove)) == SQLITE_ROW)
		note(store,
		     (struct key_change){ sqlite3_column_int64(remove, 0), true, forgotten });
	sqlite3_reset(remove);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
remove_too_many(struct sqlite_store *store, int64_t owner)
{
	int rc = SQLITE_OK;

	for (int i = 0; i < REMOVED_FOR_ONE && rc == SQLITE_OK; i++) {
		if (find(store, owner)->keys > store->keys_per_owner_max) {
			sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_KEY_OF_OWNER], 1,
					   owner);
			rc = remove_rows(store, STATEMENT_REMOVE_KEY_OF_OWNER, true);
		} else if (store->stats.keys > store->keys_max) {
			rc = remove_rows(store, STATEMENT_REMOVE_KEY, true);
		}
	}
	return rc;
}

int
key_rows_add(struct sqlite_store *store, const struct store_key *key)
{
	sqlite3_stmt *add = store->statement[STATEMENT_ADD_KEY];
	int64_t owner = (int64_t)key->owner;

	sqlite3_bind_int64(add, 1, key->proven_ms);
	row_bind_text(add, 2, key->key);
	sqlite3_bind_int64(add, 3, (int64_t)key->request);
	row_bind_text(add, 4, key->answer);
	sqlite3_bind_int64(add, 5, owner);
	int rc = transaction_run(add);
	if (rc != SQLITE_OK)
		return rc;
	note(store, (struct key_change){ .owner = owner });
	return remove_too_many(store, owner);
}

int
key_rows_remove_old(struct sqlite_store *store, int64_t before_ms, bool *more)
{
	uint64_t before = store->stats.keys;

	sqlite3_bind_int64(store->statement[STATEMENT_REMOVE_KEYS], 1, before_ms);
	int rc = remove_rows(store, STATEMENT_REMOVE_KEYS, false);
	*more = before - store->stats.keys == REMOVE_ROWS_MAX;
	return rc;
}
