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
	ENTRY_GONE = 1,    /* removed by the batch under way, or not yet compacted away */
	ENTRY_LEASED = 2,  /* held by a lease, which is in its extra */
	ENTRY_DELAYED = 4, /* not deliverable before the time in its extra */
	ENTRY_EXPIRES = 8, /* not deliverable after the time in its extra */
	/* an exec completion, by its text: a prompt leaves it (ROUTING section 8) */
	ENTRY_EXEC = 16,
	ENTRY_NOW = 32,      /* sent with wake "now", or since then a duplicate of it was */
	ENTRY_LEFT_OUT = 64, /* a prompt takes it without showing it (ROUTING section 8) */
	ENTRY_DAMAGED = 128, /* its row cannot be read: nobody gets it, nor takes it unseen */
};
/* of the event, not of its state */
#define ENTRY_KIND (ENTRY_EXEC | ENTRY_NOW | ENTRY_LEFT_OUT | ENTRY_DAMAGED)
/* a gone entry that was never anything: a place that is kept free; no event is both */
#define ENTRY_FREE (ENTRY_GONE | ENTRY_LEASED | ENTRY_DELAYED)
#define ENTRY_HELD_BACK (ENTRY_GONE | ENTRY_LEASED | ENTRY_DELAYED | ENTRY_DAMAGED)
#define ENTRY_EXTRA (ENTRY_LEASED | ENTRY_DELAYED | ENTRY_EXPIRES)

/* One pending event: 32 bytes. */
struct entry {
	int64_t id, ts_ms;
	uint64_t text_hash;
	uint32_t tag;           /* index into the catalog's tags; one reference */
	uint16_t text_bytes_m1; /* length of the text less one */
	uint8_t attempts;       /* deliveries that failed: leases that ran out, nacks that count */
	uint8_t flags;          /* enum entry_flag */
};

/* Where the key of a stranded queue leads under the policy in force. */
struct strand {
	struct str to; /* the queue key that routing gives; NULL: routing refuses the key */
	enum rule rule;
};

/* Walks over all queues, some at a time: one of each kind may be under way (catalog.h). */
enum walk_kind {
	WALK_JUDGE, /* judges which queues the policy in force strands */
	WALK_TRY,   /* looks which queues another policy would strand */
	WALK_KINDS,
};

/*
 * Invariants:
 * 1. entries[head..tail) are in ascending id order.
 * 2. depth is the number of entries that are not gone.
 * 3. Outside a batch a queue in the catalog has depth > 0, and its first entry is not gone.
 * 4. Between ops, without a last context no entry that is not gone has a context key.
 * 5. Between ops the last context is that of the newest entry with a context key, unless last_kept.
 */
struct queue {
	struct store_session session; /* key owned */
	struct keyed_hash hash;
	struct entry *entries;
	size_t head, tail, cap, depth;
	size_t leased, delayed;  /* of depth */
	size_t delivered;        /* of the entries, those whose deliveries are stored (leases.h) */
	size_t moved;            /* of depth, those that came from another queue (moved.h) */
	size_t damaged;          /* of depth, and neither leased nor delayed */
	size_t now;              /* of depth, with wake "now" and nothing that keeps them back */
	struct lease *exclusive; /* live; NULL: none */
	/* no entry with a higher id has a context key, unless it is gone */
	int64_t keyed_max;
	uint32_t last_tag; /* whose context key is the last context; 0: none; one reference */
	bool last_kept;    /* the event of the last context was evicted; the context was kept */
	bool last_kept_changed; /* the batch under way set or cleared last_kept */
	bool touched;           /* by the batch under way */
	bool added;             /* by the batch under way: it was not there before */
	bool indexed;           /* long enough for the catalog's matches to have its events */
	/* the last of the walks of each kind that has met it (catalog.h) */
	uint32_t walked[WALK_KINDS];
	struct strand *strand; /* owned; NULL: the key stands */
	/* since when it is ready (ready.h): steady time, and as rows are stamped; 0: it is not */
	int64_t ready_steady_ms, ready_ts_ms;
	/* its index among the queues that the batch woke, while those are gathered */
	size_t woken;
};

/* The queue whose session it is. */
static inline struct queue *
queue_of_session(struct store_session *session)
{
	return (struct queue *)((char *)session - offsetof(struct queue, session));
}

/* Makes an empty queue with a copy of the key. hash: that of the key. */
struct queue *queue_new(struct str key, struct keyed_hash hash);
void queue_free(struct queue *queue);

/*
 * Prefetches the newest entry and the free one behind it into the processor's cache: the caller
 * will compare with the one and append the other.
 */
static inline void
queue_prefetch(const struct queue *queue)
{
	const struct entry *end;

	if (queue->entries == NULL)
		return;
	end = queue->entries + queue->tail;
	__builtin_prefetch(end - (queue->tail > 0), 1);
	__builtin_prefetch(end, 1);
}

/*
 * Appends an entry for the event; it takes over the caller's reference to the tag. Ids must ascend.
 * Moves entries: pointers to them become invalid. Answers by how many bytes the array has grown.
 */
size_t queue_push(struct queue *queue, const struct system_event *event, uint64_t text_hash,
		  uint32_t tag);
/* Undoes the latest queue_push; answers the entry's tag, whose reference is the caller's again. */
uint32_t queue_pop(struct queue *queue);

/*
 * Merges entries of other queues, in ascending order of ids, into the array; they are not counted
 * in depth. Moves entries. Answers by how many bytes the array has grown, and adds to *shifted how
 * many entries made way: none for an entry that has a place (queue_keep_places) or comes before all
 * others. queue_unmerge takes them out again, and leaves their places.
 */
size_t queue_merge(struct queue *queue, const struct entry *entries, size_t count, size_t *shifted);
void queue_unmerge(struct queue *queue, const struct entry *entries, size_t count);
/* How many entries would make way for an event of this id, with at most so many others before it.
 */
size_t queue_shifts(const struct queue *queue, int64_t id, size_t others);

/* Places that are being made for events of other queues, some at a time, the last first. */
struct places {
	const int64_t *ids; /* ascending; owned by the caller */
	size_t left;        /* how many of them, the first ones, have no place yet */
	size_t gap;     /* private: free places where the work has stopped; 0: it has not begun */
	int64_t gap_id; /* private: their id */
};

/*
 * Makes places, while no batch is under way, and moves entries for that, `most` of them. Answers by
 * how many bytes the array has grown; adds to *shifted how many entries were moved. At the end
 * places->left is 0. Gone entries give way when the array is compacted, and so do places: then
 * there are fewer than were made.
 */
size_t queue_keep_places(struct queue *queue, struct places *places, size_t most, size_t *shifted);

/* Marks an entry as gone, or clears the mark. */
void queue_mark_gone(struct queue *queue, struct entry *entry);
void queue_unmark_gone(struct queue *queue, struct entry *entry);
/*
 * Drops gone entries at the front; closes the gaps between the rest, and frees memory, when most of
 * the array is unused. At least one entry must not be gone. Answers by how many bytes the array has
 * shrunk.
 */
size_t queue_compact(struct queue *queue);

/* Sets the urgency of an entry. */
void queue_set_now(struct queue *queue, struct entry *entry, bool now);

/* Marks an entry as damaged, until it is removed. */
void queue_mark_damaged(struct queue *queue, struct entry *entry);

/* Sets the attempts, and the flags that follow from the extra, and keeps the counts right. */
void queue_set_flags(struct queue *queue, struct entry *entry, uint8_t attempts,
		     const struct extra *extra);

/* How many events a drain or a lease could take now. */
size_t queue_deliverable(const struct queue *queue);

/* Whether an extra is stored for the entry. */
static inline bool
entry_has_extra(const struct entry *entry)
{
	return (entry->flags & ENTRY_EXTRA) != 0;
}

static inline bool
entry_deliverable(const struct entry *entry)
{
	return (entry->flags & ENTRY_HELD_BACK) == 0;
}

/*
 * Of the entries that are not gone: the oldest with an id above after (0: the oldest of all), the
 * one that follows entry, and the newest. NULL: none.
 */
struct entry *queue_first(const struct queue *queue, int64_t after);
struct entry *queue_next(const struct queue *queue, const struct entry *entry);
struct entry *queue_newest(const struct queue *queue);
/* Index in the array of the first entry, gone or not, with an id above `after`. */
size_t queue_behind(const struct queue *queue, int64_t after);
/* The entry with this id; NULL: there is none, or it is gone. */
struct entry *queue_entry(const struct queue *queue, int64_t id);
/* The entry with this id, which must be in the array, gone or not. */
struct entry *queue_entry_even_gone(const struct queue *queue, int64_t id);

static inline size_t
entry_text_bytes(const struct entry *entry)
{
	return (size_t)entry->text_bytes_m1 + 1;
}

#endif
