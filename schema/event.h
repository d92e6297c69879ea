/*
 * event.h - the event record, what a producer may send, and every limit with its unit.
 *
 * Here: the words of DESIGN section 3 as structs, their limits in one place, the draft's
 * normalisation.
 * Not here: JSON field names (server/), tables (schema/sql), routing.
 */
#ifndef SCHEMA_EVENT_H
#define SCHEMA_EVENT_H

#include "schema/delivery.h"
#include "schema/prompt.h"

/* Limits on one event. */
#define TEXT_BYTES_MAX 65536
#define CONTEXT_KEY_BYTES_MAX 512
#define SOURCE_BYTES_MAX 64
#define SESSION_KEY_BYTES_MAX 1024
#define AGENT_ID_BYTES_MAX 256
#define CHANNEL_BYTES_MAX 256
#define ACCOUNT_ID_BYTES_MAX 256
#define DELIVERY_FIELD_BYTES_MAX 1024
#define TRACEPARENT_BYTES_MAX 128
#define IDEMPOTENCY_KEY_BYTES_MAX 255
#define IDEMPOTENCY_SCOPE_BYTES 32 /* of the name that keys of one caller share */
#define IDEMPOTENCY_PREFIX_BYTES_MAX (1 + 1 + IDEMPOTENCY_SCOPE_BYTES + 1)
#define CONSUMER_BYTES_MAX 128
#define REASON_BYTES_MAX 512
#define DELAY_MS_MAX (365LL * 24 * 60 * 60 * 1000)
#define TTL_MS_MAX (365LL * 24 * 60 * 60 * 1000)
#define LEASE_MS_DEFAULT (60 * 1000)
#define LEASE_MS_MAX (60 * 60 * 1000)
#define WAIT_MS_DEFAULT (30 * 1000)
#define WAIT_MS_MAX (5 * 60 * 1000)
#define IDEMPOTENCY_MS (24LL * 60 * 60 * 1000) /* how long a key is kept */

/* Limits on one answer. A page ends at the first of them. */
#define ANSWER_EVENTS_MAX 10000
#define RELEASE_EVENTS_MAX 1000 /* that one release of a consumer's leases returns */
#define ANSWER_TEXT_BYTES_MAX (8 << 20)
/*
 * An answer is sent in slices of so many bytes, which end behind an event, or behind the lines of
 * one in a prompt: of a text of 64 KiB, with ten bytes for each line break. It needs the second sum
 * of memory while it is sent.
 */
#define ANSWER_SLICE_BYTES (256 << 10)
#define ANSWER_SLICE_BYTES_MAX (ANSWER_SLICE_BYTES + (656 << 10))
#define SESSIONS_PAGE_DEFAULT 100
#define SESSIONS_PAGE_MAX 1000
#define LEASES_PAGE_MAX 1000
#define LEASES_PAGE_DEFAULT 100
#define PEEK_PAGE_DEFAULT 100
#define PEEK_PAGE_MAX 1000
#define HISTORY_PAGE_DEFAULT 100
#define HISTORY_PAGE_MAX 1000
#define HISTORY_TEXT_BYTES_MAX (1 << 20) /* of a page; its first event may have more */
#define TIMELINE_PAGE_DEFAULT 100
#define TIMELINE_PAGE_MAX 1000
#define REQUEUE_MAX 1000
#define REKEY_EVENTS_MAX 10000

#define RECENT_BYTES (16 << 20) /* of memory for the newest events */

/* Defaults of the configurable ones (DESIGN section 3). */
#define BATCH_EVENTS_DEFAULT 1000
#define SESSION_PENDING_DEFAULT 10000
#define KEYS_DEFAULT 1000000 /* idempotency keys in all, and of one token for one session */
#define SESSION_KEYS_DEFAULT 100000
#define SESSIONS_DEFAULT 100000
#define PENDING_DEFAULT 10000000
#define RETENTION_MS_DEFAULT (7LL * 24 * 60 * 60 * 1000)
#define RETENTION_ROWS_DEFAULT 1000000
#define UNATTENDED_MS_DEFAULT (5LL * 60 * 1000)
#define BODY_BYTES_DEFAULT (1 << 20)
#define HEADER_BYTES_DEFAULT (16 << 10)
#define COMPAT_SESSION_PENDING 20
#define ATTEMPTS_DEFAULT 25
/* of an event's deliveries that ended without an attempt counted, how many first ones are kept */
#define RETURNS_KEPT 20

/* The step of ROUTING section 5 that decided. Stored: append only. */
enum rule {
	RULE_KEEP = 0,
	RULE_MAIN_ALIAS = 1,
	RULE_CRON_RUN = 2,
	RULE_DIRECT_MAIN = 3,
	RULE_ISOLATED_HEARTBEAT = 4,
	RULE_COUNT,
};
/* "keep", "main-alias", "cron-run", "direct-main", "isolated-heartbeat" */
const char *rule_name(enum rule rule);

enum wake { WAKE_NEXT_HEARTBEAT = 0, WAKE_NOW = 1 }; /* stored: append only */
const char *wake_name(enum wake wake);

/* What happened to an event. Stored: append only. */
enum outcome_kind {
	OUTCOME_DRAINED = 1,
	OUTCOME_CONSUMED = 2,
	OUTCOME_WITHDRAWN = 3,
	OUTCOME_PURGED = 4,
	OUTCOME_REPLACED = 5,
	OUTCOME_EVICTED = 6, /* a dead letter since */
	OUTCOME_ACKED = 7,
	OUTCOME_EXPIRED = 8,
	OUTCOME_DEAD = 9, /* a dead letter since */
	/* the kinds above settle an event, the kinds below do not */
	OUTCOME_LAST_SETTLING = OUTCOME_DEAD,
	OUTCOME_LEASED = 10,
	OUTCOME_EXTENDED = 11,
	OUTCOME_NACKED = 12,   /* given back by a nack: counts as an attempt */
	OUTCOME_RETURNED = 13, /* given back by a nack or the lease ran out: does not count */
	OUTCOME_LAPSED = 14,   /* the lease ran out: counts as an attempt */
	/* a dead letter was enqueued anew and is no dead letter any more */
	OUTCOME_REQUEUED = 15,
	OUTCOME_MOVED = 16,     /* to another queue, because its own was stranded */
	OUTCOME_DISCARDED = 17, /* a dead letter that nobody wants */
	OUTCOME_COUNT
};

const char *outcome_name(enum outcome_kind kind); /* "drained", "acked", ...: what people read */

static inline bool
outcome_makes_dead_letters(enum outcome_kind kind)
{
	return kind == OUTCOME_DEAD || kind == OUTCOME_EVICTED;
}

/* Whether its events were dead letters, and are no longer. */
static inline bool
outcome_ends_dead_letters(enum outcome_kind kind)
{
	return kind == OUTCOME_REQUEUED || kind == OUTCOME_DISCARDED;
}

/* Stored in the answers kept for idempotency keys: append only. */
enum event_state {
	EVENT_STATE_QUEUED,  /* deliverable */
	EVENT_STATE_DELAYED, /* pending, not before availableAt */
	EVENT_STATE_LEASED,
	EVENT_STATE_SETTLED, /* see system_event.outcome */
};

/*
 * Where an event belongs, as the caller says it (ROUTING sections 3 to 6). NULL: not given.
 */
struct address {
	struct str session_key; /* may be NULL when agent_id is given: the agent's main session */
	struct str agent_id, channel, account_id;
	/*
	 * A queue key, which is not routed; then the others are NULL. For calls that look at queues
	 * or empty them, and reach those whose key is routed elsewhere by now.
	 */
	struct str queue_key;
};

/*
 * Makes a request safe to repeat: the same key with the same request gets the first answer again
 * (RFC 9110 section 9.2.2, the Idempotency-Key header).
 */
struct idempotency {
	struct str key;   /* NULL: none */
	uint64_t request; /* hash of the request */
	bool replayed;    /* out: the answer is an earlier one */
	/* Filled in by the queue: what the store has under the key. */
	bool seen;
	uint64_t seen_request;
	struct str seen_answer;
};

/*
 * A key as it is kept: with the kind of the request and the caller's scope in front, so that
 * neither kinds nor callers share keys. "k:KEY", or "k@SCOPE:KEY" where the scope is not NULL, of
 * IDEMPOTENCY_SCOPE_BYTES. Each kind is one letter. On the arena.
 */
struct str idempotency_key_make(struct arena *arena, char kind, struct str scope, struct str key);

/* Who a key that was made so counts for: a hash of its scope and of the queue. */
uint64_t idempotency_owner(struct arena *arena, struct str made, struct str queue_key);

/* An event as a producer sends it. Borrowed text. */
struct draft {
	struct address address;
	struct str text, context_key, source, traceparent;
	struct delivery delivery; /* already normalised by delivery_read */
	enum wake wake;
	bool replace, allow_duplicate;
	/* it has an idempotency key of its own, which may stand with the request instead of here */
	bool keyed;
	int64_t delay_ms, ttl_ms; /* 0: none */
	struct idempotency idempotency;
};

static inline bool
draft_is_keyed(const struct draft *draft)
{
	return draft->keyed || draft->idempotency.key.s != NULL;
}

/*
 * Normalises the draft in place (trims the text, folds the context key, makes blank optional fields
 * NULL) and checks every limit. Failure: ERROR_INVALID_FIELD with the field's pointer ("/text"),
 * also for "replace" without a context key.
 */
int draft_check(struct draft *draft, struct arena *arena, struct error *err);

/*
 * Checks an address alone, for calls that only name a session. ERROR_INVALID_FIELD, also for a
 * queue key that is empty or not alone.
 */
int address_check(const struct address *address, struct error *err);
/*
 * The same for calls that may name none and are about all sessions then. A channel or account alone
 * is refused: it says which queue a key leads to, and selects none.
 */
int address_check_optional(const struct address *address, struct error *err);

/*
 * Checks a queue key's length: routing can make it longer than the key as sent, and a client must
 * be able to send it back. ERROR_INVALID_FIELD.
 */
int queue_key_check(struct str queue_key, struct error *err);

/* An event as it is stored and returned. */
struct system_event {
	int64_t id; /* > 0, ascending, never reused */
	int64_t ts_ms;
	int64_t available_at_ms, expires_at_ms; /* 0: at once, never */
	struct str session_key;                 /* the queue key */
	struct str original_session_key;        /* as sent */
	enum rule rule;
	struct str text, context_key, source, traceparent; /* the last three NULL when absent */
	struct delivery delivery;
	enum wake wake;
	enum prompt_kind prompt; /* by its text and context key (ROUTING section 8) */
	int attempts;
	enum event_state state;
	enum outcome_kind outcome; /* when settled */
};

/*
 * Copying an event: its texts stand one behind the other, each NUL-terminated, in memory that the
 * caller has (pack; text_bytes says how much) or in an arena (copy).
 */
size_t system_event_text_bytes(const struct system_event *event);
void system_event_pack(struct system_event *to, const struct system_event *from, char *texts);
void system_event_copy(struct system_event *to, const struct system_event *from,
		       struct arena *arena);

/* "queued", "delayed", "leased", or the outcome's name */
const char *event_state_name(const struct system_event *event);

/*
 * Reads an id as clients send it: decimal digits without leading zeros. False for anything that
 * cannot be an id.
 */
bool event_id_parse(struct str s, int64_t *ret);

#endif
