/* move.c - a list of entries, sorted and merged once. */
#include "queue/catalog/move.h"

#include <assert.h>
#include <stdlib.h>

#include "schema/mem.h"

/* The same tag, with the original key as it reads in the new queue. */
static uint32_t
tag_in(struct catalog *catalog, const struct queue *from, const struct queue *to, uint32_t id)
{
	const struct tag *tag = tags_get(&catalog->tags, id);
	struct str original = tag->original_key.len > 0 ? tag->original_key : from->session.key;

	return tags_intern(&catalog->tags, tag->context_key,
			   str_eq(original, to->session.key) ? STR_NULL : original, &tag->delivery);
}

static void
carry(struct move *move, const struct catalog *catalog, const struct queue *from,
      const struct entry *entry)
{
	bool delivered = from->delivered > 0 && leases_has_deliveries(&catalog->leases, entry->id);

	if (!entry_has_extra(entry) && !delivered)
		return;
	move->carried = mem_grow(move->carried, &move->carried_cap, move->carried_count + 1,
				 sizeof(*move->carried));
	move->carried[move->carried_count++] =
	    (struct carried){ entry->id, catalog_extra_of(catalog, entry),
			      leases_deliveries(&catalog->leases, entry->id) };
}

void
move_take(struct move *move, struct catalog *catalog, struct queue *from, struct entry *entry)
{
	struct entry taken = *entry;

	assert((entry->flags & (ENTRY_LEASED | ENTRY_GONE)) == 0);
	taken.tag = tag_in(catalog, from, move->to, entry->tag);
	taken.flags &= ENTRY_KIND;
	carry(move, catalog, from, entry);
	journal_remove(catalog, from, entry);
	move->entries =
	    mem_grow(move->entries, &move->cap, move->count + 1, sizeof(*move->entries));
	move->entries[move->count++] = taken;
}

static int
by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Gives the merged entry what was beside it. */
static void
set_down(struct catalog *catalog, struct queue *to, const struct carried *carried)
{
	struct entry *entry = queue_entry(to, carried->id);

	if (carried->extra.available_boot_ms > 0 || carried->extra.expires_boot_ms > 0)
		journal_set_state(catalog, to, entry, entry->attempts, &carried->extra);
	if (carried->deliveries.given_back > 0 || carried->deliveries.extensions > 0)
		journal_set_deliveries(catalog, to, &carried->deliveries);
}

size_t
move_finish(struct move *move, struct catalog *catalog)
{
	struct queue *to = move->to;
	bool keyed = false;
	size_t looked_at = 0;

	if (move->count > 1)
		qsort(move->entries, move->count, sizeof(*move->entries), by_id);
	if (move->count > 0)
		looked_at = journal_merge(catalog, to, move->entries, move->count);
	for (size_t i = 0; i < move->count; i++) {
		journal_set_moved(catalog, to, move->entries[i].id);
		keyed =
		    keyed || tags_get(&catalog->tags, move->entries[i].tag)->context_key.len > 0;
	}
	for (size_t i = 0; i < move->carried_count; i++)
		set_down(catalog, to, &move->carried[i]);
	if (keyed)
		looked_at += journal_find_last(catalog, to);
	free(move->entries);
	free(move->carried);
	*move = (struct move){ 0 };
	return looked_at;
}
