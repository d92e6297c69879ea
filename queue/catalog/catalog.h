/*
 * catalog.h - what is pending, in memory: per queue key its events in order, its last context, its
 * numbers.
 *
 * Here: ids, times, hashes and tags; the fold of the store's two logs, rebuilt on open.
 * Not here: texts (they stay in the store), SQL, HTTP, the rules (op_*.c).
 *
 * A batch changes the catalog while it is being planned, because its later ops must see its earlier
 * ones. Nobody else sees it: other readers are ops, answered when the commit is durable, or look
 * between turns. Each change is journaled until catalog_commit makes it final or catalog_rollback
 * takes it back, so what a caller learns has always been committed.
 */
#ifndef QUEUE_CATALOG_CATALOG_H
#define QUEUE_CATALOG_CATALOG_H

#include "queue/catalog/tag.h"
#include "queue/store.h"

enum entry_flag {
	ENTRY_GONE = 1,    /* taken by the batch under way, or waiting to be squeezed out */
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
 * What only some events have: a lease, a delay, a time to live. Times are of the engine's steady
 * clock (CLOCK_BOOTTIME), 0 for none; the wall times beside them are what people see.
 */
struct extra {
	int64_t id;
	struct queue *queue;
	struct lease *lease;       /* NULL unless the entry is leased */
	int64_t lease_end_boot_ms; /* until when */
	int64_t available_boot_ms, expires_boot_ms;
	int64_t available_at_ms, expires_at_ms;
};

/*
 * Some events of one queue, lent to one consumer until a time. Its timer comes up at the first end
 * of what it holds, or before.
 */
struct lease {
	int64_t id; /* of the outcome that recorded it */
	struct queue *queue;
	bool exclusive;        /* nothing else of the queue is deliverable meanwhile */
	bool touched;          /* by the batch under way */
	size_t live;           /* of its events, how many it still holds; 0: it is over */
	int64_t timer_boot_ms; /* when its timer comes up; any other of its timers is void */
	const int64_t *ids;    /* all it ever held, ascending; behind the struct */
	size_t count;
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
	bool last_outlives;      /* the event that it is of was evicted, which left it as it is */
	bool last_changed;       /* by the batch under way, from such a one or to one */
	bool touched;            /* by the batch under way */
	/* its place among the queues that the batch woke, while those are gathered */
	size_t woken;
};

/* The queue that the session is of. */
static inline struct queue *
session_queue(struct store_session *session)
{
	return (struct queue *)((char *)session - offsetof(struct queue, session));
}

struct catalog {
	struct table index; /* queues by key */
	struct tags tags;
	struct table extras;         /* by event id; owned */
	struct extra **spare_extras; /* for the next: leases come and go by the thousand */
	size_t spare_count, spare_cap;
	struct table leases; /* by lease id; owned */
	/* events; queues with at least one. The index has the batch's empty queues too */
	size_t pending, sessions;
	size_t entry_bytes; /* allocated for entries */
	size_t key_bytes, lease_bytes;
	struct change *journal;
	size_t journal_count, journal_cap;
	struct queue **touched; /* queues of the batch under way, each once */
	size_t touched_count, touched_cap;
	struct lease **touched_leases;
	size_t touched_lease_count, touched_lease_cap;
};

void catalog_init(struct catalog *catalog);
void catalog_clear(struct catalog *catalog);
size_t catalog_bytes(const struct catalog *catalog);

/* NULL: nothing pending */
struct queue *catalog_find(const struct catalog *catalog, struct str queue_key);
struct queue *catalog_find_or_add(struct catalog *catalog,
				  /*
				   * made empty where missing; gone at the end of the batch if it
				   * stays so
				   */
				  struct str queue_key);
/* The same, where the hash of the key (text_hash) is at hand. */
struct queue *catalog_find_hashed(const struct catalog *catalog, struct str queue_key,
				  uint64_t hash);
struct queue *catalog_find_or_add_hashed(struct catalog *catalog, struct str queue_key,
					 uint64_t hash);
struct queue *catalog_each(const struct catalog *catalog, size_t *at); /* as table_each */

/*
 * Appends the event; the tag's reference passes to the queue. Ids must ascend. Moves entries: older
 * pointers are dead.
 */
void queue_append(struct catalog *catalog, struct queue *queue, const struct system_event *event,
		  uint64_t text_hash, uint32_t tag);
/* The same when the store is loaded: final at once, not journaled. */
void queue_load(struct catalog *catalog, struct queue *queue, const struct system_event *event,
		uint64_t text_hash, uint32_t tag);
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
/* Takes the entry out; it leaves its lease, if it has one. */
void queue_remove(struct catalog *catalog, struct queue *queue, struct entry *entry);

/*
 * Gives an entry another state: LEASED and DELAYED as the extra says (a lease; an available time
 * above 0), its attempts as given. An extra without anything in it is none. *extra is copied.
 */
void queue_set_state(struct catalog *catalog, struct queue *queue, struct entry *entry,
		     int attempts, const struct extra *extra);
/* The entry's extra, or an empty one. */
struct extra catalog_extra(const struct catalog *catalog, int64_t id);

/* Leases. A lease without live events is gone at the end of the batch. */
/* NULL: over, or never was */
struct lease *catalog_lease(const struct catalog *catalog, int64_t id);
/* The same, and also one that holds nothing: not yet, or in this batch no longer. */
struct lease *catalog_find_lease(const struct catalog *catalog, int64_t id);
/* copied; holds nothing yet */
struct lease *catalog_add_lease(struct catalog *catalog, const struct lease *from);

/* Says when the lease's timer comes up. */
void catalog_set_timer(struct catalog *catalog, struct lease *lease, int64_t at_boot_ms);

/* How many events of the queue could be taken now. */
size_t queue_deliverable(const struct queue *queue);

/* Makes tag the source of the last context (0: none). */
void queue_set_last(struct catalog *catalog, struct queue *queue, uint32_t tag);
/*
 * The entry will be evicted: if the last context is its own, it outlives it. To be called before.
 */
void queue_outlive(struct catalog *catalog, struct queue *queue, const struct entry *entry);
/*
 * When the store is loaded, after the events: a last context that has outlived its own. Final at
 * once; takes over the reference.
 */
void queue_load_last(struct catalog *catalog, struct queue *queue, uint32_t tag);
/* After removals: the newest remaining context key, else none (ROUTING section 7). */
void queue_refresh_last(struct catalog *catalog, struct queue *queue);

static inline bool
entry_deliverable(const struct entry *entry)
{
	return (entry->flags & ENTRY_HELD_BACK) == 0;
}

/*
 * The oldest entry not gone with an id above after (0: the oldest of all), and the newest; NULL:
 * none.
 */
struct entry *queue_first(const struct queue *queue, int64_t after);
struct entry *queue_next(const struct queue *queue, const struct entry *entry);
struct entry *queue_newest(const struct queue *queue);
struct entry *queue_entry(const struct queue *queue, int64_t id);

static inline size_t
entry_text_bytes(const struct entry *entry)
{
	return (size_t)entry->text_bytes_m1 + 1;
}

/* The journal: a mark to go back to inside a batch, and its two ends. */
size_t catalog_mark(const struct catalog *catalog);
void catalog_rollback(struct catalog *catalog, size_t mark);
void catalog_commit(struct catalog *catalog);

#endif
