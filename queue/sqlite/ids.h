/*
 * ids.h - ascending ids as JSON, "[1,[3,7],9]", and back.
 */
#ifndef QUEUE_SQLITE_IDS_H
#define QUEUE_SQLITE_IDS_H

#include <stdint.h>

#include "schema/mem.h"

struct id_range {
	int64_t first, last;
};

/* Appends the list; ids ascend, count > 0. */
void ids_write(struct buf *out, const int64_t *ids, size_t count);

/* Appends numbers, one for each of the ids, as JSON; count > 0. */
void counts_write(struct buf *out, const uint32_t *counts, size_t count);

/*
 * Reads the range behind *range (all zero: the first) at *at. False at the end of the list; or, and
 * then *at is NULL, where the text is no such list.
 */
bool ids_next(const char **at, const char *end, struct id_range *range);

/* Sets *ret to the first and the last id of the list. False: by its two ends, it is none. */
bool ids_ends(struct str text, struct id_range *ret);

/*
 * Whether the list names the id; *place is then the number of ids before it. -1: the text, as far
 * as it was read, is no such list.
 */
int ids_find(struct str text, int64_t id, size_t *place);

/* Reads the whole list into the arena. False: it is none, or holds more than most ids. */
bool ids_read(struct str text, size_t most, struct arena *arena, int64_t **ids, size_t *count);

#endif
