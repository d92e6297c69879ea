/*
 * sevq.h - libsevq, a blocking client for sevqd.
 *
 * Here: one context a connection, the calls of the HTTP API as functions, their answers as structs.
 * Not here: waiting without blocking, retrying (the caller knows whether a call may be repeated;
 * with an idempotency key an enqueue, a drain and a lease may, and get the first answer again).
 *
 * A caller may rely on:
 *  - The library lives in other people's processes. It prints nothing, changes no signal, locale or
 * environment, and running out of memory is an error code.
 *  - One context belongs to one thread at a time; different contexts do not disturb each other.
 * After fork the child must not use, and must not close, a context of its parent.
 *  - Texts are UTF-8 and end in NUL. A NULL text means "not given" on the way in and "none" on the
 * way out.
 *  - What is passed in is borrowed for the call only. What an answer points to belongs to that
 * answer, and all of it goes with sevq_free.
 *  - ret parameters are written only on success, and may be NULL where the answer is not wanted.
 *  - Structs that begin with `size` may grow at their end in later versions: fill them with their
 * init function. Answers may grow at their end too: take them by pointer, as the library gives
 * them.
 *
 *     struct sevq_client *client;
 *     struct sevq_draft draft;
 *
 *     sevq_draft_init(&draft);
 *     draft.address.session_key = "agent:main:telegram:default:direct:123";
 *     draft.text = "Exec completed (build, code 0)";
 *     if (sevq_connect(NULL, &client) != SEVQ_OK || sevq_enqueue(client, &draft, NULL) != SEVQ_OK)
 *             fprintf(stderr, "%s\n", sevq_error_message(client));
 *     sevq_close(client);
 */
#ifndef SEVQ_H
#define SEVQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define SEVQ_API __attribute__((visibility("default")))
#else
#define SEVQ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How a call ended. Below 100 the library speaks, from 100 on the server, under its own names
 * ("blank-key"). Numbers are never reused; new ones may appear.
 */
enum sevq_code {
	SEVQ_OK = 0,
	SEVQ_NO_MEMORY = 1,        /* here; the call may have been carried out */
	SEVQ_INVALID_ARGUMENT = 2, /* refused before anything was sent */
	/* address, token or token file cannot be used; nothing was sent */
	SEVQ_CONFIGURATION = 3,
	SEVQ_UNREACHABLE = 4, /* no connection; nothing was sent */
	/* the connection broke: whether the call was carried out is not known */
	SEVQ_LOST = 5,
	/* no answer in time: whether the call was carried out is not known */
	SEVQ_TIMED_OUT = 6,
	/* not an answer of sevqd as we know it; the call may have been carried out */
	SEVQ_BAD_ANSWER = 7,

	SEVQ_PROBLEM = 100, /* a code that this version does not know; the message has it */
	SEVQ_BLANK_KEY = 101,
	SEVQ_MALFORMED_KEY = 102,
	SEVQ_OWNER_UNRESOLVED = 103,
	SEVQ_OWNER_MISMATCH = 104,
	SEVQ_INVALID_JSON = 105,
	SEVQ_INVALID_FIELD = 106,
	SEVQ_BAD_REQUEST = 107,
	SEVQ_UNAUTHORIZED = 108,
	SEVQ_FORBIDDEN = 109,
	SEVQ_NOT_FOUND = 110,
	SEVQ_METHOD_NOT_ALLOWED = 111,
	SEVQ_TIMEOUT = 112, /* the server waited too long for the request */
	SEVQ_CONFLICT = 113,
	SEVQ_TOO_LARGE = 114,
	SEVQ_URI_TOO_LONG = 115,
	SEVQ_UNSUPPORTED_MEDIA_TYPE = 116,
	SEVQ_EXPECTATION_FAILED = 117,
	SEVQ_MISDIRECTED = 118,
	SEVQ_IDEMPOTENCY_MISMATCH = 119,
	SEVQ_QUEUE_FULL = 120,
	SEVQ_HEADERS_TOO_LARGE = 121,
	SEVQ_NOT_IMPLEMENTED = 122,
	SEVQ_HTTP_VERSION = 123,
	SEVQ_STORAGE_FAILED = 124,
	SEVQ_STORAGE_FULL = 125,
	SEVQ_CLOSING = 126
};

/* The public name of a code ("queue-full"; the library's own: "unreachable"). Never NULL. */
SEVQ_API const char *sevq_code_name(enum sevq_code code);

/*
 * Whether nothing was changed and the very same call may succeed later. False for SEVQ_LOST and
 * SEVQ_TIMED_OUT: repeating those may enqueue twice.
 */
SEVQ_API bool sevq_code_retryable(enum sevq_code code);

/* The library's version, "0.1.0". */
SEVQ_API const char *sevq_version(void);

/* --- the context --- */

struct sevq_client;

struct sevq_connect_options {
	size_t size;
	/* "http://127.0.0.1:7387", "https://host/prefix", "unix:/path"; NULL: found (below) */
	const char *base_url;
	const char *token;       /* bearer token */
	const char *token_file;  /* or a file that holds it; used where token is NULL */
	long timeout_ms;         /* for a whole call; 0: 30 seconds */
	long connect_timeout_ms; /* of which for connecting; 0: 5 seconds */
	const char *user_agent;  /* NULL: "libsevq/<version>" */
};

static inline void
sevq_connect_options_init(struct sevq_connect_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Makes a context; the connection itself is made by the first call and kept between calls. NULL
 * options are all defaults. *ret is written also on failure, so that the message can be read (NULL
 * only with SEVQ_NO_MEMORY); it is the caller's to close either way.
 *
 * The server is found by itself, in this order: the options; SEVQ_URL, SEVQ_TOKEN and
 * SEVQ_TOKEN_FILE; the file $XDG_STATE_HOME/sevq/sevqd.json (else ~/.local/state/sevq/sevqd.json)
 * of a running sevqd of this user; and http://127.0.0.1:7387 with the file `token` in the same
 * directory. A token that was not named is only sent to this machine. Token files must be regular
 * files that nobody else can read; the first token of one counts. Failures: SEVQ_NO_MEMORY,
 * SEVQ_INVALID_ARGUMENT, SEVQ_CONFIGURATION.
 */
SEVQ_API enum sevq_code sevq_connect(const struct sevq_connect_options *options,
				     struct sevq_client **ret);
SEVQ_API void sevq_close(struct sevq_client *client); /* accepts NULL */

/*
 * How the last call on this context ended. The texts live until the next call; client may be NULL
 * (no memory).
 */
SEVQ_API enum sevq_code sevq_error_code(const struct sevq_client *client);
/* one sentence without the stop; "" on success */
SEVQ_API const char *sevq_error_message(const struct sevq_client *client);
/* 0: there was no answer */
SEVQ_API int sevq_http_status(const struct sevq_client *client);
/* seconds to wait; 0: the server did not say */
SEVQ_API long sevq_retry_after(const struct sevq_client *client);

/*
 * The last answer as it came (JSON, ends in NUL), "" if there was none. Lives until the next call
 * on this context.
 */
SEVQ_API const char *sevq_last_answer(const struct sevq_client *client, size_t *ret_len);

/* Where the context sends its calls, as it was found or given. */
SEVQ_API const char *sevq_base_url(const struct sevq_client *client);

/* Frees any answer of the calls below, with everything it points to. Accepts NULL. */
SEVQ_API void sevq_free(void *answer);

/* --- what is sent and what comes back --- */

/*
 * Which queue is meant. Every call routes it the same way; agent_id alone means that agent's main
 * session.
 */
struct sevq_address {
	const char *session_key;
	const char *agent_id;
	/* overrides the channel of the key where the allowlist is looked up */
	const char *channel;
	const char *account_id; /* likewise the account */
};

/* Where an answer to an event should go. */
struct sevq_delivery {
	const char *channel, *to, *account_id, *thread_id;
};

enum sevq_wake { SEVQ_WAKE_DEFAULT = 0, SEVQ_WAKE_NOW = 1, SEVQ_WAKE_NEXT_HEARTBEAT = 2 };

/* An event as it is sent. */
struct sevq_draft {
	size_t size;
	struct sevq_address address;
	const char *text; /* required, not blank, at most 64 KiB */
	const char *context_key;
	const char *source;            /* "exec-event", "cron-event", "hook", ... */
	struct sevq_delivery delivery; /* all NULL: none */
	enum sevq_wake wake;
	bool replace; /* takes the place of matching events; needs a context key */
	bool allow_duplicate;
	const char *traceparent;
	int64_t delay_ms; /* not to be had before that; 0: at once */
	int64_t ttl_ms;   /* expires so long after now; 0: never */
	/* 1..255 bytes; for 24 hours the same draft with it is queued once */
	const char *idempotency_key;
};

static inline void
sevq_draft_init(struct sevq_draft *draft)
{
	memset(draft, 0, sizeof(*draft));
	draft->size = sizeof(*draft);
}

/* An event as it comes back. */
struct sevq_event {
	const char *id;                   /* opaque */
	const char *session_key;          /* the queue key */
	const char *original_session_key; /* as it was sent */
	const char *rule;                 /* "keep", "main-alias", "cron-run", "direct-main" */
	const char *text;
	const char *context_key;
	const char *source;
	const char *wake; /* "now", "next-heartbeat" */
	const char *state;
	const char *traceparent;
	const struct sevq_delivery *delivery; /* NULL: none */
	int64_t ts_ms;                        /* since 1970 */
	int64_t available_at_ms;              /* 0: at once */
	int64_t expires_at_ms;                /* 0: never */
	int64_t attempts;
};

enum sevq_outcome {
	SEVQ_OUTCOME_QUEUED = 1,
	SEVQ_OUTCOME_REPLACED = 2,
	SEVQ_OUTCOME_DUPLICATE = 3
};

/* What became of a draft. For a duplicate, event is the one that was queued already. */
struct sevq_receipt {
	enum sevq_outcome outcome;
	struct sevq_event *event;
};

struct sevq_receipts {
	struct sevq_receipt **receipts; /* in the order of the drafts */
	size_t count;
};

/* Events that were taken or seen, oldest first. */
struct sevq_events {
	const char *session_key; /* the queue key */
	struct sevq_event **events;
	size_t count;
	size_t remaining;  /* drain, consume: what is left in the queue */
	size_t depth;      /* peek: what is in the queue */
	bool more;         /* peek: there are newer events than these */
	const char *block; /* drain for a prompt: the lines; NULL: none */
};

/*
 * Events that were taken under a lease, oldest first: they come back when it ends, unless they are
 * acked before.
 */
struct sevq_lease {
	const char *lease_id; /* NULL: nothing was there, and nothing is leased */
	const char *session_key;
	int64_t expires_at_ms;
	struct sevq_event **events;
	size_t count;
	size_t remaining;  /* in the queue, besides these */
	const char *block; /* for a prompt: the lines; NULL: none */
};

/* What an ack, a nack or an extension did. */
struct sevq_lease_change {
	const char *lease_id;
	size_t changed;        /* events that were acked, given back, kept */
	size_t dead;           /* nack: of these, how many have become dead letters */
	size_t remaining;      /* events that the lease still holds */
	int64_t expires_at_ms; /* extension: until when */
};

struct sevq_readiness {
	const char *session_key;
	bool ready;   /* false: nothing came in time */
	size_t depth; /* events that can be had now */
};

/*
 * A session has events: told when they come, and once at the beginning for each session that has
 * some.
 */
struct sevq_wakeup {
	const char *id; /* ascends over all wakeups */
	const char *session_key;
	size_t depth;       /* events that can be had */
	const char *source; /* of the event that woke it; NULL: none was named */
	const char *wake;   /* "now", "next-heartbeat" */
	int64_t ts_ms;
	const char *json; /* all of it, as the server says it */
};

/* One thing that happened to an event. */
struct sevq_happening {
	/*
	 * "queued", "leased", "extended", "nacked", "returned", "lapsed", "acked", "drained",
	 * "dead", ...
	 */
	const char *what;
	int64_t ts_ms;
	int64_t until_ms;                        /* of a lease; 0: not said */
	const char *lease_id;                    /* NULL: none */
	const char *detail;                      /* who, or why; NULL: not said */
	const char *original_session_key, *rule; /* "queued": how it came here */
};

/* An event and all that happened to it, oldest first. */
struct sevq_story {
	struct sevq_event *event;
	struct sevq_happening **timeline;
	size_t timeline_count;
};

/* An event that is gone, and how it went. */
struct sevq_past {
	struct sevq_event *event;
	struct sevq_happening *outcome;
};

struct sevq_history {
	struct sevq_past **events; /* newest first */
	size_t count;
	const char *next_cursor; /* NULL: this is the last page */
};

struct sevq_requeued {
	size_t requeued;
	size_t passed_over; /* ids that are no dead letters */
	bool more;          /* there are more than one call takes: call again */
	bool dry_run;       /* nothing was changed */
};

struct sevq_purged {
	const char *session_key;
	size_t purged, remaining;
};

struct sevq_route_step {
	const char *rule;
	bool applied;
	const char *why;
};

struct sevq_decision {
	const char *session_key; /* the queue key */
	const char *rule;        /* the first step that changed the key, else "keep" */
	bool rekeyed;
	const char *owner; /* agent id */
	struct sevq_route_step **steps;
	size_t step_count;
};

struct sevq_rekeyed_from {
	const char *key;
	size_t count;
};

struct sevq_session {
	const char *session_key, *agent_id;
	size_t depth, leased, delayed, waiters;
	int64_t oldest_ts_ms, newest_ts_ms;
	const char *last_context_key;
	const struct sevq_delivery *delivery; /* merged over the queue; NULL: none */
	struct sevq_rekeyed_from **rekeyed_from;
	size_t rekeyed_from_count;
};

struct sevq_sessions {
	struct sevq_session **sessions;
	size_t count;
	size_t total;            /* that match, on all pages */
	const char *next_cursor; /* NULL: this is the last page */
};

/* --- the calls --- */
/*
 * Each returns SEVQ_OK or why not, and leaves the same with a message in the context. Besides the
 * codes of the server, each can end in SEVQ_NO_MEMORY, SEVQ_INVALID_ARGUMENT, SEVQ_UNREACHABLE,
 * SEVQ_LOST, SEVQ_TIMED_OUT, SEVQ_BAD_ANSWER, and, where sevq_connect has failed, in the code that
 * it failed with.
 */

/* Queues one event. SEVQ_OK: it is on disk, or its duplicate is. */
SEVQ_API enum sevq_code sevq_enqueue(struct sevq_client *client, const struct sevq_draft *draft,
				     struct sevq_receipt **ret);

/* Queues all of them or none, in one transaction. count is at least 1. */
SEVQ_API enum sevq_code sevq_enqueue_batch(struct sevq_client *client,
					   const struct sevq_draft *drafts, size_t count,
					   struct sevq_receipts **ret);

struct sevq_drain_options {
	size_t size;
	size_t limit;                   /* 0: as many as one answer holds */
	const char *context_key_prefix; /* only events whose context key starts so; NULL: all */
	/* printable ASCII; for 24 hours the same call with it gets the same events again */
	const char *idempotency_key;
	/* the lines of a prompt too; leaves what a prompt does not take */
	bool prompt;
};

static inline void
sevq_drain_options_init(struct sevq_drain_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Takes the oldest events and forgets them; an empty queue is an empty answer. options may be NULL.
 */
SEVQ_API enum sevq_code sevq_drain(struct sevq_client *client, const struct sevq_address *address,
				   const struct sevq_drain_options *options,
				   struct sevq_events **ret);

/*
 * Shows the oldest events, those newer than the event after_id where it is given. limit 0: the
 * server's page.
 */
SEVQ_API enum sevq_code sevq_peek(struct sevq_client *client, const struct sevq_address *address,
				  size_t limit, const char *after_id, struct sevq_events **ret);

/* Takes exactly these events, in this order; ids that are not queued are passed over. */
SEVQ_API enum sevq_code sevq_consume(struct sevq_client *client, const struct sevq_address *address,
				     const char *const *ids, size_t id_count,
				     struct sevq_events **ret);

/*
 * One event by its id, pending or gone, with its timeline. SEVQ_NOT_FOUND: there was none, or it is
 * forgotten.
 */
SEVQ_API enum sevq_code sevq_find(struct sevq_client *client, const char *id,
				  struct sevq_story **ret);

/*
 * Takes back one pending event; the answer is the event as it was. SEVQ_NOT_FOUND: it is not
 * pending.
 */
SEVQ_API enum sevq_code sevq_withdraw(struct sevq_client *client, const char *id,
				      struct sevq_event **ret);

/* Empties a queue, or only takes out the events with this context key. */
SEVQ_API enum sevq_code sevq_purge(struct sevq_client *client, const struct sevq_address *address,
				   const char *context_key, struct sevq_purged **ret);

/* Which queue an address means, and why. Nothing is stored. */
SEVQ_API enum sevq_code sevq_route(struct sevq_client *client, const struct sevq_address *address,
				   struct sevq_decision **ret);

struct sevq_sessions_options {
	size_t size;
	const char *session_key; /* only the queue that this key means */
	const char *agent_id;    /* only this agent's */
	const char *prefix;      /* only queue keys that start so */
	int64_t min_age_ms;      /* only queues whose oldest event is at least this old */
	const char *sort;        /* "key" (the default), "depth", "oldest", "newest" */
	size_t limit;            /* 0: the server's page */
	const char *cursor;      /* next_cursor of the page before */
};

static inline void
sevq_sessions_options_init(struct sevq_sessions_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* The queues that have something pending, a page at a time. options may be NULL. */
SEVQ_API enum sevq_code sevq_sessions(struct sevq_client *client,
				      const struct sevq_sessions_options *options,
				      struct sevq_sessions **ret);

/* --- leases: take, then ack, or get it again --- */

struct sevq_lease_options {
	size_t size;
	size_t limit;                   /* 0: as many as one answer holds */
	int64_t lease_ms;               /* up to an hour; 0: 60 seconds */
	const char *context_key_prefix; /* only events whose context key starts so; NULL: all */
	const char *consumer;           /* who takes them, for the timeline */
	const char *idempotency_key;    /* as for drain */
	bool exclusive;                 /* nothing else of the session can be had meanwhile */
	bool prompt;                    /* as for drain */
};

static inline void
sevq_lease_options_init(struct sevq_lease_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Takes the oldest events under a lease; where there is nothing the answer has no lease_id. options
 * may be NULL.
 */
SEVQ_API enum sevq_code sevq_lease(struct sevq_client *client, const struct sevq_address *address,
				   const struct sevq_lease_options *options,
				   struct sevq_lease **ret);

/*
 * Of the next three: ids NULL means all events that the lease holds. SEVQ_CONFLICT: the lease is
 * lost
 * and nothing was changed; the events come again. SEVQ_NOT_FOUND: no such lease.
 */

/* Done with them: they are never delivered again. May be repeated. */
SEVQ_API enum sevq_code sevq_ack(struct sevq_client *client, const char *lease_id,
				 const char *const *ids, size_t id_count,
				 struct sevq_lease_change **ret);

struct sevq_nack_options {
	size_t size;
	int64_t delay_ms;   /* not to be had before that; 0: at once */
	const char *reason; /* for the timeline */
	bool do_not_count;  /* this was no attempt: it brings no event nearer to the dead letters */
};

static inline void
sevq_nack_options_init(struct sevq_nack_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Gives them back. options may be NULL. */
SEVQ_API enum sevq_code sevq_nack(struct sevq_client *client, const char *lease_id,
				  const char *const *ids, size_t id_count,
				  const struct sevq_nack_options *options,
				  struct sevq_lease_change **ret);

/* Keeps them for lease_ms from now; 0: 60 seconds. */
SEVQ_API enum sevq_code sevq_extend(struct sevq_client *client, const char *lease_id,
				    const char *const *ids, size_t id_count, int64_t lease_ms,
				    struct sevq_lease_change **ret);

/* --- waiting --- */

/*
 * Blocks until something can be had, at most for timeout_ms (up to five minutes; 0: only asks).
 * Takes nothing.
 */
SEVQ_API enum sevq_code sevq_wait(struct sevq_client *client, const struct sevq_address *address,
				  int64_t timeout_ms, struct sevq_readiness **ret);

struct sevq_stream_options {
	size_t size;
	/* only the session that it means; an agent alone: all sessions of the agent */
	struct sevq_address address;
	const char *prefix; /* only queue keys that start so */
	/* at most one wakeup a session in this time; 0: the server's */
	int64_t coalesce_ms;
	/* of the last wakeup heard; a server tells of all that there is, whatever it says */
	const char *last_event_id;
	/* the server is lost when nothing comes for so long; 0: 45 seconds (it pings every 15) */
	int64_t silence_ms;
};

static inline void
sevq_stream_options_init(struct sevq_stream_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Hears of wakeups until `heard` returns false (SEVQ_OK) or the connection ends (SEVQ_LOST, whoever
 * ended it; call again for a new one). A wakeup is lent to `heard`, which must not use this client:
 * take events through another one.
 */
SEVQ_API enum sevq_code sevq_stream(struct sevq_client *client,
				    const struct sevq_stream_options *options,
				    bool (*on_wakeup)(const struct sevq_wakeup *wakeup, void *arg),
				    void *arg);

/* --- what was --- */

struct sevq_history_options {
	size_t size;
	struct sevq_address address; /* only the session that it means */
	/* only what went so: "drained", "acked", "expired", "dead", ... */
	const char *state;
	const char *source;         /* only events from there */
	int64_t since_ms, until_ms; /* since 1970; 0: no bound */
	size_t limit;               /* 0: the server's page */
	const char *cursor;         /* next_cursor of the page before */
};

static inline void
sevq_history_options_init(struct sevq_history_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* The events that are gone and not yet forgotten, a page at a time. options may be NULL. */
SEVQ_API enum sevq_code sevq_history(struct sevq_client *client,
				     const struct sevq_history_options *options,
				     struct sevq_history **ret);

/*
 * Those that nobody got: given up after too many attempts, or evicted. address NULL or empty: of
 * all sessions.
 */
SEVQ_API enum sevq_code sevq_dead_letters(struct sevq_client *client,
					  const struct sevq_address *address, size_t limit,
					  const char *cursor, struct sevq_history **ret);

/* Which dead letters: exactly one of ids, a session and all. */
struct sevq_requeue_options {
	size_t size;
	const char *const *ids;
	size_t id_count;
	struct sevq_address address;
	bool all;
	bool dry_run;
	int64_t rate_per_second; /* spread over time, so many a second; 0: all at once */
};

static inline void
sevq_requeue_options_init(struct sevq_requeue_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Queues dead letters anew, as new events at the end of their queues; at most 1000 a call. */
SEVQ_API enum sevq_code sevq_requeue(struct sevq_client *client,
				     const struct sevq_requeue_options *options,
				     struct sevq_requeued **ret);

/* --- the server --- */

/* The server's counters as JSON text; its members are the server's. sevq_free it. */
SEVQ_API enum sevq_code sevq_stats(struct sevq_client *client, char **ret);

#ifdef __cplusplus
}
#endif

#endif
