/*
 * dead_letters.h - how many dead letters each session has.
 *
 * A session may have some and no event pending: so they are counted by key, beside the queues.
 * Here: the table. Not here: the dead letters themselves (the store), who counts (ready.c).
 */
#ifndef QUEUE_CATALOG_DEAD_LETTERS_H
#define QUEUE_CATALOG_DEAD_LETTERS_H

#include "queue/catalog/table.h"
#include "schema/str.h"

/* A session that has some. */
struct dead_session {
	struct keyed_hash hash; /* of the key */
	size_t count;
	struct str key; /* behind this struct */
};

/* All zero is empty. */
struct dead_letters {
	struct table sessions; /* struct dead_session; owned */
	size_t key_bytes;
};

void dead_letters_clear(struct dead_letters *dead);
size_t dead_letters_bytes(const struct dead_letters *dead);

/* How many the session has; hash is that of the key. */
size_t dead_letters_count(const struct dead_letters *dead, struct str key, struct keyed_hash hash);

void dead_letters_add(struct dead_letters *dead, struct str key, size_t count);
/* Takes so many away, or all that there are: of a damaged store not all were counted. */
void dead_letters_remove(struct dead_letters *dead, struct str key, size_t count);

#endif
