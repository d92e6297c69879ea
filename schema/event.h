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

/* Limits on one answer. A page ends at the first of them. */
#define SEVQ_ANSWER_EVENTS_MAX 10000
#define SEVQ_ANSWER_TEXT_BYTES_MAX (8 << 20)
#define SEVQ_SESSIONS_PAGE_DEFAULT 100
#define SEVQ_SESSIONS_PAGE_MAX 1000
#define SEVQ_PEEK_PAGE_DEFAULT 100
#define SEVQ_PEEK_PAGE_MAX 1000

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

enum sevq_state { SEVQ_STATE_QUEUED, SEVQ_STATE_SETTLED };

/* What a caller says about where an event belongs. NULL means not given. ROUTING sections 3 to 6. */
struct sevq_address {
	struct sevq_str session_key; /* may be NULL when agent_id is given: the agent's main session */
	struct sevq_str agent_id, channel, account_id;
};

/* An event as a producer sends it. Borrowed text. */
struct sevq_draft {
	struct sevq_address address;
	struct sevq_str text, context_key, source, traceparent;
	struct sevq_delivery delivery; /* already normalised by sevq_delivery_read */
	enum sevq_wake wake;
	bool replace, allow_duplicate;
};

/*
 * Normalises in place (text trimmed, context key folded, blank optional fields made NULL) and checks every limit.
 * Failure: SEVQ_INVALID_FIELD with the field's pointer ("/text"). "replace" without a context key is such a failure.
 */
int sevq_draft_check(struct sevq_draft *draft, struct sevq_arena *arena, struct sevq_error *err);

/* Limits of an address alone, for the calls that only name a session. */
int sevq_address_check(const struct sevq_address *address, struct sevq_error *err);

/* An event as it is stored and returned. */
struct sevq_event {
	int64_t id; /* > 0, ascending, never reused */
	int64_t ts_ms;
	struct sevq_str session_key;          /* the queue key */
	struct sevq_str original_session_key; /* as sent */
	enum sevq_rule rule;
	struct sevq_str text, context_key, source, traceparent; /* the last three NULL when absent */
	struct sevq_delivery delivery;
	enum sevq_wake wake;
	int attempts;
	enum sevq_state state;
};

/* Ids are opaque strings outside: decimal digits. Returns false for anything we never issued. */
bool sevq_event_id_parse(struct sevq_str s, int64_t *ret);

#endif
