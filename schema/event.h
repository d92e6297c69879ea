/*
 * event.h - the event record, what a producer may send, and every limit with its unit.
 *
 * Here: the words of DESIGN section 3 as structs, their limits in one place, the draft's normalisation.
 * Not here: JSON field names (server/), tables (schema/sql), routing.
 */
#ifndef SEVQ_SCHEMA_EVENT_H
#define SEVQ_SCHEMA_EVENT_H

#include "schema/delivery.h"

/* Limits on one event. */
#define SEVQ_TEXT_BYTES_MAX 65536
#define SEVQ_CONTEXT_KEY_BYTES_MAX 512
#define SEVQ_SOURCE_BYTES_MAX 64
#define SEVQ_SESSION_KEY_BYTES_MAX 1024
#define SEVQ_AGENT_ID_BYTES_MAX 256
#define SEVQ_CHANNEL_BYTES_MAX 256
#define SEVQ_ACCOUNT_ID_BYTES_MAX 256
#define SEVQ_DELIVERY_FIELD_BYTES_MAX 1024
#define SEVQ_TRACEPARENT_BYTES_MAX 128
#define SEVQ_IDEMPOTENCY_KEY_BYTES_MAX 255
#define SEVQ_IDEMPOTENCY_KIND_BYTES 2 /* that a caller puts in front of a key, to tell kinds of requests apart */
#define SEVQ_CONSUMER_BYTES_MAX 128
#define SEVQ_REASON_BYTES_MAX 512
#define SEVQ_DELAY_MS_MAX (365LL * 24 * 60 * 60 * 1000)
#define SEVQ_TTL_MS_MAX (365LL * 24 * 60 * 60 * 1000)
#define SEVQ_LEASE_MS_DEFAULT (60 * 1000)
#define SEVQ_LEASE_MS_MAX (60 * 60 * 1000)
#define SEVQ_WAIT_MS_DEFAULT (30 * 1000)
#define SEVQ_WAIT_MS_MAX (5 * 60 * 1000)
#define SEVQ_IDEMPOTENCY_MS (24LL * 60 * 60 * 1000) /* how long a key is remembered */

/* Limits on one answer. A page ends at the first of them. */
#define SEVQ_ANSWER_EVENTS_MAX 10000
#define SEVQ_ANSWER_TEXT_BYTES_MAX (8 << 20)
#define SEVQ_SESSIONS_PAGE_DEFAULT 100
#define SEVQ_SESSIONS_PAGE_MAX 1000
#define SEVQ_PEEK_PAGE_DEFAULT 100
#define SEVQ_PEEK_PAGE_MAX 1000
#define SEVQ_HISTORY_PAGE_DEFAULT 100
#define SEVQ_HISTORY_PAGE_MAX 1000
#define SEVQ_REQUEUE_MAX 1000

#define SEVQ_RECENT_BYTES (16 << 20) /* of memory for the newest events */

/* Defaults of the configurable ones (DESIGN section 3). */
#define SEVQ_BATCH_EVENTS_DEFAULT 1000
#define SEVQ_SESSION_PENDING_DEFAULT 10000
#define SEVQ_SESSIONS_DEFAULT 100000
#define SEVQ_PENDING_DEFAULT 10000000
#define SEVQ_RETENTION_MS_DEFAULT (7LL * 24 * 60 * 60 * 1000)
#define SEVQ_RETENTION_ROWS_DEFAULT 1000000
#define SEVQ_BODY_BYTES_DEFAULT (1 << 20)
#define SEVQ_HEADER_BYTES_DEFAULT (16 << 10)
#define SEVQ_COMPAT_SESSION_PENDING 20
#define SEVQ_ATTEMPTS_DEFAULT 8

/* The step of ROUTING section 5 that decided. Stored: append only. */
enum sevq_rule {
	SEVQ_RULE_KEEP = 0,
	SEVQ_RULE_MAIN_ALIAS = 1,
	SEVQ_RULE_CRON_RUN = 2,
	SEVQ_RULE_DIRECT_MAIN = 3,
	SEVQ_RULE_COUNT,
};
const char *sevq_rule_name(enum sevq_rule rule); /* "keep", "main-alias", "cron-run", "direct-main" */

enum sevq_wake { SEVQ_WAKE_NEXT_HEARTBEAT = 0, SEVQ_WAKE_NOW = 1 }; /* stored: append only */
const char *sevq_wake_name(enum sevq_wake wake);

/* What happened to events. Stored: append only. */
enum sevq_outcome_kind {
	SEVQ_OUTCOME_DRAINED = 1,
	SEVQ_OUTCOME_CONSUMED = 2,
	SEVQ_OUTCOME_WITHDRAWN = 3,
	SEVQ_OUTCOME_PURGED = 4,
	SEVQ_OUTCOME_REPLACED = 5,
	SEVQ_OUTCOME_EVICTED = 6, /* a dead letter */
	SEVQ_OUTCOME_ACKED = 7,
	SEVQ_OUTCOME_EXPIRED = 8,
	SEVQ_OUTCOME_DEAD = 9,                          /* a dead letter */
	SEVQ_OUTCOME_LAST_SETTLING = SEVQ_OUTCOME_DEAD, /* those above settle their events, those below do not */
	SEVQ_OUTCOME_LEASED = 10,
	SEVQ_OUTCOME_EXTENDED = 11,
	SEVQ_OUTCOME_NACKED = 12,   /* given back, and that counts as an attempt */
	SEVQ_OUTCOME_RETURNED = 13, /* given back, and that does not */
	SEVQ_OUTCOME_LAPSED = 14,   /* the lease ran out: counts as an attempt */
	SEVQ_OUTCOME_REQUEUED = 15, /* a dead letter's text was enqueued anew; it is no dead letter any more */
	SEVQ_OUTCOME_COUNT
};

const char *sevq_outcome_name(enum sevq_outcome_kind kind); /* "drained", "acked", ...: what people read */

/* Stored, in answers that are kept: append only. */
enum sevq_state {
	SEVQ_STATE_QUEUED,  /* deliverable */
	SEVQ_STATE_DELAYED, /* pending, not before availableAt */
	SEVQ_STATE_LEASED,
	SEVQ_STATE_SETTLED, /* how, the event's outcome says */
};

/* What a caller says about where an event belongs. NULL means not given. ROUTING sections 3 to 6. */
struct sevq_address {
	struct sevq_str session_key; /* may be NULL when agent_id is given: the agent's main session */
	struct sevq_str agent_id, channel, account_id;
};

/*
 * A request that may be sent twice: the same key and the same request get the first answer again (RFC 9110 section 9.2.2,
 * the Idempotency-Key header).
 */
struct sevq_idempotency {
	struct sevq_str key; /* NULL: none */
	uint64_t request;    /* hash of the request */
	bool replayed;       /* out: the answer is an earlier one */
	/* The queue's own: what was found under the key. */
	bool seen;
	uint64_t seen_request;
	struct sevq_str seen_answer;
};

/* An event as a producer sends it. Borrowed text. */
struct sevq_draft {
	struct sevq_address address;
	struct sevq_str text, context_key, source, traceparent;
	struct sevq_delivery delivery; /* already normalised by sevq_delivery_read */
	enum sevq_wake wake;
	bool replace, allow_duplicate;
	int64_t delay_ms, ttl_ms; /* 0: none */
	struct sevq_idempotency idempotency;
};

/*
 * Normalises in place (text trimmed, context key folded, blank optional fields made NULL) and checks every limit.
 * Failure: SEVQ_INVALID_FIELD with the field's pointer ("/text"). "replace" without a context key is such a failure.
 */
int sevq_draft_check(struct sevq_draft *draft, struct sevq_arena *arena, struct sevq_error *err);

/* Limits of an address alone, for the calls that only name a session. */
int sevq_address_check(const struct sevq_address *address, struct sevq_error *err);

/* A queue key may be longer than the key as sent, and must itself be one that can be sent. SEVQ_INVALID_FIELD. */
int sevq_queue_key_check(struct sevq_str queue_key, struct sevq_error *err);

/* An event as it is stored and returned. */
struct sevq_event {
	int64_t id; /* > 0, ascending, never reused */
	int64_t ts_ms;
	int64_t available_at_ms, expires_at_ms; /* 0: at once, never */
	struct sevq_str session_key;            /* the queue key */
	struct sevq_str original_session_key;   /* as sent */
	enum sevq_rule rule;
	struct sevq_str text, context_key, source, traceparent; /* the last three NULL when absent */
	struct sevq_delivery delivery;
	enum sevq_wake wake;
	bool exec_completion; /* by its text: a prompt leaves it in the queue (ROUTING section 8) */
	int attempts;
	enum sevq_state state;
	enum sevq_outcome_kind outcome; /* when settled */
};

/* An event apart from the memory it came from: all its texts, NUL-terminated, one behind the other. */
size_t sevq_event_text_bytes(const struct sevq_event *event);                                         /* what they take */
void sevq_event_pack(struct sevq_event *to, const struct sevq_event *from, char *texts);              /* texts has room for them */
void sevq_event_copy(struct sevq_event *to, const struct sevq_event *from, struct sevq_arena *arena); /* into the arena */

const char *sevq_event_state(const struct sevq_event *event); /* "queued", "delayed", "leased", or the outcome's name */

/* Ids are opaque strings outside: decimal digits. Returns false for anything we never issued. */
bool sevq_event_id_parse(struct sevq_str s, int64_t *ret);

#endif
