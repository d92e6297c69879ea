/*
 * queue.h - the pending events of one queue key: in order, with their counts and the last context.
 *
 * Here: ids, times, hashes and tags in one array, and how to find an entry in it.
 * Not here: texts (they stay in the store), references to tags (whoever changes an entry or the
 * last context moves them), sums over all queues (catalog.h), how a change is rolled back
 * (journal.h).
 */
#ifndef QUEUE_CATALOG_QUEUE_H
#define QUEUE_CATALOG_QUEUE_H

#include "queue/catalog/leases.h"
#include "queue/store.h"

enum entry_flag {
	ENTRY_GONE = 1,    /* removed by the batch under way, or waiting to be squeezed out */
	ENTRY_LEASED = 2,  /* held by a lease; it has an extra */
	ENTRY_DELAYED = 4, /* not before its extra's time */
	ENTRY_EXPIRES = 8, /* not after its extra's time */
	/* an exec completion, by its text: a prompt leaves it (ROUTING section 8) */
	ENTRY_EXEC = 16,
};
#define ENTRY_HELD_BACK (ENTRY_GONE | ENTRY_LEASED | ENTRY_DELAYED)

/* One pending event: 32 bytes. */
struct entry {
	int64_t id, ts_ms;
	uint64_t text_hash;
	uint32_t tag;           /* index into the catalog's tags; one reference */
	uint16_t text_bytes_m1; /* length of the text less one */
	uint8_t attempts;       /* deliveries that failed: leases that ran out, nacks that count */
	uint8_t flags;          /* enum entry_flag */
};

/*
 * Invariants: (1) entries[head..tail) are in ascending id order; (2) depth is the number of those
 * not gone; (3) outside a batch a queue in the catalog has depth > 0 and its first entry is not
 * gone; (4) between ops, where there is no last context no entry that is not gone has a context
 * key; (5) between ops the last context is that of the newest entry with a context key, unless it
 * has outlived its event.
 */
struct queue {
	struct store_session session; /* key owned */
	uint64_t hash;
	struct entry *entries;
	size_t head, tail, cap, depth;
	size_t leased, delayed;  /* of depth */
	struct lease *exclusive; /* live; NULL: none */
	uint32_t last_tag;       /* whose context key is the last context; 0: none; one reference */
	bool last_kept;          /* the event that it is of was evicted, which left it as it is */
	bool last_kept_changed;  /* by the batch under way, from such a one or to one */
	bool touched;            /* by the batch under way */
	/* its place among the queues that the batch woke, while those are gathered */
	size_t woken;
};

/* The queue that the session is of. */
static inline struct queue *
queue_of_session(struct store_session *session)
{
	return (struct queue *)((char *)session - offsetof(struct queue, session));
}

/* An empty queue; the key is copied. hash: the key's (text_hash). */
struct queue *queue_new(struct str key, uint64_t hash);
void queue_free(struct queue *queue);

/*
 * The newest entry will be looked at soon, and one appended: the processor may fetch both
 * meanwhile.
 */
static inline void
queue_prefetch(const struct queue *queue)
{
	const struct entry *end = queue->entries + queue->tail;
	__builtin_prefetch(end - (queue->tail > 0), 1);
	__builtin_prefetch(end, 1);
}

/*
 * Appends the event's entry, which takes over the reference to the tag. Ids must ascend. Moves
 * entries: older pointers are dead. Answers by how many bytes the array has grown.
 */
size_t queue_push(struct queue *queue, const struct system_event *event, uint64_t text_hash,
		  uint32_t tag);
/* Takes the newest entry off the end again, as if it had never been there; answers its tag. */
uint32_t queue_pop(struct queue *queue);

/* Marks the entry as gone, or takes the mark back. It has no extra. */
void queue_mark_gone(struct queue *queue, struct entry *entry);
void queue_unmark_gone(struct queue *queue, struct entry *entry);
/*
 * Drops gone entries off the front; moves the rest together, and gives memory back, when most of
 * the array is unused. Some entry is not gone. Answers by how many bytes the array has shrunk.
 */
size_t queue_squeeze(struct queue *queue);

/* Gives the entry the attempts, and the flags and counts that follow from its extra. */
void queue_set_flags(struct queue *queue, struct entry *entry, uint8_t attempts,
		     const struct extra *extra);

/* How many events could be taken now. */
size_t queue_deliverable(const struct queue *queue);

static inline bool
entry_deliverable(const struct entry *entry)
{
	return (entry->flags & ENTRY_HELD_BACK) == 0;
}

/*
 * The oldest entry not gone with an id above after (0: the oldest of all), the next one, and the
 * newest; NULL: none.
 */
struct entry *queue_first(const struct queue *queue, int64_t after);
struct entry *queue_next(const struct queue *queue, const struct entry *entry);
struct entry *queue_newest(const struct queue *queue);
/* The entry of this id; NULL: none, or gone. */
struct entry *queue_entry(const struct queue *queue, int64_t id);
/* The same, gone or not; it is there. */
struct entry *queue_entry_even_gone(const struct queue *queue, int64_t id);

static inline size_t
entry_text_bytes(const struct entry *entry)
{
	return (size_t)entry->text_bytes_m1 + 1;
}

#endif
