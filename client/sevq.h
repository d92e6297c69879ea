/*
 * sevq.h - libsevq, a blocking client for sevqd.
 *
 * Here: the calls of the HTTP API as functions, their answers as structs, one context for each
 * connection.
 * Not here: calls that do not block; retries. The caller decides whether a call is repeated: with
 * the same idempotency key an enqueue, a drain or a lease may be, and gets the first answer again.
 *
 * A caller may rely on:
 *  - The library prints nothing, changes no signal handler, locale or environment variable, and
 *    reports running out of memory as an error code.
 *  - A context is used by one thread at a time, except for sevq_interrupt; contexts are independent
 *    of each other. After fork the child must neither use nor close a context of its parent.
 *  - Texts are UTF-8 and end in NUL. NULL means "not given" in arguments and "none" in answers.
 *  - The library borrows its arguments until the call returns. An answer owns everything that it
 *    points to; sevq_free frees all of it.
 *  - A ret parameter is written only on success. It may be NULL if the answer is not wanted.
 *  - Later versions may add members at the end of structs. Fill those that begin with `size` with
 *    their init function, and use answers through the pointers that the library returns.
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
 * How a call ended. Codes below 100 come from the library, codes from 100 up are the server's
 * problem codes ("blank-key"). Numbers are never reused; later versions may add some.
 */
enum sevq_code {
	SEVQ_OK = 0,
	/* this process is out of memory; the server may have carried out the call */
	SEVQ_NO_MEMORY = 1,
	/* an argument is wrong; nothing was sent */
	SEVQ_INVALID_ARGUMENT = 2,
	/*
	 * the address, the token, the token file or a file for TLS cannot be used, or the server's
	 * certificate cannot be trusted; nothing was sent
	 */
	SEVQ_CONFIGURATION = 3,
	/* no connection to the server; nothing was sent */
	SEVQ_UNREACHABLE = 4,
	/* the connection broke; the server may have carried out the call */
	SEVQ_LOST = 5,
	/* no answer within the timeout; the server may have carried out the call */
	SEVQ_TIMED_OUT = 6,
	/* the answer is not one of sevqd; the server may have carried out the call */
	SEVQ_BAD_ANSWER = 7,
	/* sevq_interrupt has ended the wait or the stream */
	SEVQ_INTERRUPTED = 8,

	SEVQ_PROBLEM = 100, /* a problem code unknown to this version; the message names it */
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
	SEVQ_CLOSING = 126,
	SEVQ_REROUTED = 127
};

/* Returns the name of a code: "queue-full", "unreachable". Never NULL. */
SEVQ_API const char *sevq_code_name(enum sevq_code code);

/*
 * Returns whether the call changed nothing and may succeed if it is repeated later. False for
 * SEVQ_LOST and SEVQ_TIMED_OUT: repeating such a call may enqueue an event twice.
 */
SEVQ_API bool sevq_code_retryable(enum sevq_code code);

/* The library's version, "0.1.0". */
SEVQ_API const char *sevq_version(void);

/* --- the context --- */

struct sevq_client;

struct sevq_connect_options {
	size_t size;
	/* "http://127.0.0.1:7387", "https://host/prefix", "unix:/path"; NULL: see sevq_connect */
	const char *base_url;
	const char *token;       /* bearer token; NULL: see sevq_connect */
	const char *token_file;  /* file with the token, used if token is NULL */
	long timeout_ms;         /* for a whole call; 0: 30 seconds */
	long connect_timeout_ms; /* for connecting, within timeout_ms; 0: 5 seconds */
	const char *user_agent;  /* NULL: "libsevq/<version>" */
	/* for https: a file with the certificates to trust, in PEM; NULL: see sevq_connect */
	const char *ca_file;
	/* for https: files with a certificate to show, in PEM, and its key; NULL: see sevq_connect
	 */
	const char *cert_file, *key_file;
};

static inline void
sevq_connect_options_init(struct sevq_connect_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Makes a context. The first call connects to the server; later calls reuse the connection. options
 * NULL means all defaults. *ret is written on failure too, so that the message can be read (it is
 * NULL only if there is no memory for it); the caller closes it in either case.
 *
 * Address and token are looked for in this order:
 *  1. the options;
 *  2. the environment variables SEVQ_URL, SEVQ_TOKEN and SEVQ_TOKEN_FILE;
 *  3. the file sevqd.json that a running sevqd of this user keeps in $XDG_STATE_HOME/sevq (without
 *     that variable, ~/.local/state/sevq);
 *  4. http://127.0.0.1:7387, without a token: whoever listens there may be anybody.
 * A token found by 3 is sent only to the addresses that the file names. A token file must be a
 * regular file that nobody else can read; its first token is used. The certificates to trust are
 * those of the options' ca_file, of the file that SEVQ_CA_FILE names, or of the system. The
 * certificate to show to the server is that of cert_file, or else of SEVQ_CERT; without a key_file,
 * or SEVQ_KEY, its key stands in the same file. The key must have no password. Failures:
 * SEVQ_NO_MEMORY, SEVQ_INVALID_ARGUMENT, SEVQ_CONFIGURATION.
 */
SEVQ_API enum sevq_code sevq_connect(const struct sevq_connect_options *options,
				     struct sevq_client **ret);
SEVQ_API void sevq_close(struct sevq_client *client); /* accepts NULL */

/*
 * How the last call on this context ended. Texts are valid until the next call on it. client may be
 * NULL, which means SEVQ_NO_MEMORY.
 */
SEVQ_API enum sevq_code sevq_error_code(const struct sevq_client *client);
/* one sentence without a full stop; "" on success */
SEVQ_API const char *sevq_error_message(const struct sevq_client *client);
/* 0: no answer came */
SEVQ_API int sevq_http_status(const struct sevq_client *client);
/* how many seconds the server asks to wait before the next try, at most 3600; 0: it does not say */
SEVQ_API long sevq_retry_after(const struct sevq_client *client);

/*
 * Returns the body of the last answer (JSON that ends in NUL), or "" if none came. Valid until the
 * next call on this context.
 */
SEVQ_API const char *sevq_last_answer(const struct sevq_client *client, size_t *ret_len);

/* Returns the address of the server, as it was given or found; "" if there is none. */
SEVQ_API const char *sevq_base_url(const struct sevq_client *client);

/* Frees an answer of any call below, with everything it points to. Accepts NULL. */
SEVQ_API void sevq_free(void *answer);

/* --- events: as they are sent and as they come back --- */

/*
 * Names a session. The server routes it to a queue, in the same way for every call. agent_id alone
 * means that agent's main session.
 */
struct sevq_address {
	const char *session_key;
	const char *agent_id;
	/* used instead of the key's own channel and account to look up the allowlist */
	const char *channel;
	const char *account_id;
	/*
	 * A queue as sevq_sessions lists it, without routing; then the others are NULL. Only for
	 * sevq_peek, sevq_purge, sevq_history, sevq_dead_letters, sevq_requeue and sevq_discard.
	 */
	const char *queue_key;
};

/* Where the agent's answer to an event goes. */
struct sevq_delivery {
	const char *channel, *to, *account_id, *thread_id;
};

enum sevq_wake { SEVQ_WAKE_DEFAULT = 0, SEVQ_WAKE_NOW = 1, SEVQ_WAKE_NEXT_HEARTBEAT = 2 };

/* An event as it is sent. */
struct sevq_draft {
	size_t size;
	struct sevq_address address;
	const char *text;              /* required, not blank, at most 64 KiB */
	const char *context_key;       /* what the event is about */
	const char *source;            /* "exec-event", "cron-event", "hook", ... */
	struct sevq_delivery delivery; /* all NULL: none */
	enum sevq_wake wake;
	bool replace;            /* removes queued events with the same context key */
	bool allow_duplicate;    /* queues the event even if the same one is queued */
	const char *traceparent; /* W3C trace context */
	int64_t delay_ms;        /* how long the event cannot be taken yet; 0: at once */
	int64_t ttl_ms;          /* how long from now until the event expires; 0: never */
	/* 1 to 255 bytes; for 24 hours a draft that is sent again with it is queued only once */
	const char *idempotency_key;
};

static inline void
sevq_draft_init(struct sevq_draft *draft)
{
	memset(draft, 0, sizeof(*draft));
	draft->size = sizeof(*draft);
}

/* An event as the server returns it. */
struct sevq_event {
	const char *id;                   /* opaque */
	const char *session_key;          /* the key of its queue */
	const char *original_session_key; /* the key that its producer sent */
	/*
	 * how it was routed: "keep", "main-alias", "cron-run", "direct-main", "isolated-heartbeat"
	 */
	const char *rule;
	const char *text;
	const char *context_key;
	const char *source;
	const char *wake;  /* "now", "next-heartbeat" */
	const char *state; /* "queued", "delayed", "leased", or how it left the queue */
	const char *traceparent;
	const struct sevq_delivery *delivery; /* NULL: none */
	int64_t ts_ms;                        /* when it was enqueued, since 1970 */
	int64_t available_at_ms;              /* when it can be taken, since 1970 */
	int64_t expires_at_ms;                /* since 1970; 0: never */
	int64_t attempts;                     /* deliveries that failed */
};

enum sevq_outcome {
	SEVQ_OUTCOME_QUEUED = 1,
	SEVQ_OUTCOME_REPLACED = 2,
	SEVQ_OUTCOME_DUPLICATE = 3
};

/* The answer to a draft. Of a duplicate, event is the one that is queued already. */
struct sevq_receipt {
	enum sevq_outcome outcome;
	struct sevq_event *event;
};

struct sevq_receipts {
	struct sevq_receipt **receipts; /* in the order of the drafts */
	size_t count;
};

/* Events of one queue, oldest first. */
struct sevq_events {
	const char *session_key; /* the key of the queue */
	struct sevq_event **events;
	size_t count;
	size_t remaining;  /* of drain and consume: how many events the queue still has */
	size_t depth;      /* of peek: how many events the queue has */
	bool more;         /* of peek: the queue has newer events than these */
	const char *block; /* of drain with prompt: the lines of the prompt; NULL: none */
};

/*
 * Events that were taken under a lease, oldest first. Those that are not acked before it ends can
 * be taken again.
 */
struct sevq_lease {
	const char *lease_id; /* NULL: there was nothing to lease */
	const char *session_key;
	int64_t expires_at_ms; /* since 1970 */
	struct sevq_event **events;
	size_t count;
	size_t remaining;  /* how many events the queue has besides these */
	const char *block; /* with prompt: the lines of the prompt; NULL: none */
	/* with prompt: ids of events that are taken, but have no lines in the block */
	const char *const *left_out;
	size_t left_out_count;
};

/* The answer to an ack, a nack or an extend. */
struct sevq_lease_change {
	const char *lease_id;
	size_t changed;        /* how many events were acked, given back or extended */
	size_t dead;           /* of nack: how many of them became dead letters */
	size_t remaining;      /* how many events the lease still holds */
	int64_t expires_at_ms; /* of extend: the new end of the lease, since 1970 */
	/* ids of named events that need no answer any more: withdrawn, purged, expired, ... */
	const char *const *gone;
	size_t gone_count;
};

/* The answer to a wait. */
struct sevq_readiness {
	const char *session_key;
	bool ready;   /* false: the timeout passed and there is nothing to take */
	size_t depth; /* how many events can be taken now */
};

/* One message of the stream: this session has events that can be taken. */
struct sevq_wakeup {
	const char *id; /* larger than the id of every earlier wakeup */
	const char *session_key;
	size_t depth;       /* how many events can be taken */
	const char *source; /* of the newest event; NULL: it names none */
	const char *wake;   /* "now", "next-heartbeat" */
	int64_t ts_ms;      /* since 1970 */
	const char *json;   /* the whole message, as the server wrote it */
};

/* One entry of an event's timeline. */
struct sevq_happening {
	/*
	 * "queued", "leased", "extended", "nacked", "returned", "lapsed", "acked", "drained",
	 * "dead", ...
	 */
	const char *what;
	int64_t ts_ms;        /* since 1970 */
	int64_t until_ms;     /* of a lease, since 1970; 0: not given */
	const char *lease_id; /* NULL: none */
	const char *detail;   /* who did it, or why; NULL: not given */
	int64_t times;        /* of "returned" and "extended": the how manieth; 0: the first */
	const char *original_session_key, *rule; /* of "queued" and "moved": how it was routed */
	const char *from, *to;                   /* of "moved": the queues */
};

/* An event and a page of its timeline, oldest entry first. */
struct sevq_story {
	struct sevq_event *event;
	struct sevq_happening **timeline;
	size_t timeline_count;
	const char *next_cursor; /* NULL: this is the last page */
};

/* An event that has left its queue, and the entry of its timeline that says how. */
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
	size_t passed_over; /* ids that are not those of dead letters */
	bool more;          /* more dead letters than one call requeues: call again */
	bool dry_run;       /* nothing was changed */
};

struct sevq_discarded {
	size_t discarded;
	size_t passed_over; /* ids that are not those of dead letters */
	bool more;          /* more dead letters than one call discards: call again */
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
	const char *session_key; /* the key of the queue */
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
	int64_t oldest_ts_ms, newest_ts_ms; /* 0: it has nothing but dead letters */
	const char *last_context_key;
	const struct sevq_delivery *delivery; /* merged over the queue; NULL: none */
	struct sevq_rekeyed_from **rekeyed_from;
	size_t rekeyed_from_count;
	size_t ready; /* events that can be taken now */
	int64_t
	    ready_since_ts_ms; /* since when there are some that nobody took; 0: there are none */
	size_t streams;        /* that are told of it */
	int64_t last_taken_ts_ms;    /* 0: not known */
	const char *last_taken_by;   /* NULL: not known, or without a name */
	const char *routes_to;       /* where its key leads, if that is another queue */
	const char *const *problems; /* "stranded", "full", "unattended", "dead", worst first */
	size_t problem_count;
	size_t dead_letters; /* neither requeued nor discarded */
	/* rekeyed_from and delivery are of the newest events alone, because there are many */
	bool rekeyed_from_more;
};

/* Who has asked for events, lately. */
struct sevq_asker {
	const char *asked_key; /* as it was sent */
	const char *queue_key; /* where it led, by this rule */
	const char *rule;
	const char *kind;     /* "drain", "lease", "consume", "wait" */
	const char *consumer; /* NULL: without a name */
	const char *token;    /* the name of the token; NULL: it has none */
	int64_t last_ts_ms;   /* since 1970 */
	size_t waiting_now;   /* calls */
	size_t taken;         /* events */
};

struct sevq_askers {
	struct sevq_asker **askers; /* who asked last comes first */
	size_t count;
};

/* A lease that holds events. */
struct sevq_holding {
	const char *lease_id;
	const char *session_key;
	const char *consumer; /* NULL: without a name */
	bool exclusive;
	int64_t expires_at_ms; /* of the first of its events, since 1970 */
	size_t leased;         /* how many it holds */
};

struct sevq_leases {
	struct sevq_holding **leases; /* the one that ends first comes first */
	size_t count;
	const char *next_cursor; /* NULL: this is the last page */
};

struct sevq_sessions {
	struct sevq_session **sessions;
	size_t count;
	size_t total;            /* matching sessions on all pages */
	const char *next_cursor; /* NULL: this is the last page */
};

/* --- the calls --- */
/*
 * Each call returns SEVQ_OK or the code of its failure, and stores the code with a message in the
 * context. Besides the server's codes, every call may return SEVQ_NO_MEMORY, SEVQ_INVALID_ARGUMENT,
 * SEVQ_UNREACHABLE, SEVQ_LOST, SEVQ_TIMED_OUT and SEVQ_BAD_ANSWER. On a context whose sevq_connect
 * failed, every call returns the code of that failure.
 */

/* Enqueues one event. On SEVQ_OK the event is on disk, or the one that it duplicates is. */
SEVQ_API enum sevq_code sevq_enqueue(struct sevq_client *client, const struct sevq_draft *draft,
				     struct sevq_receipt **ret);

/* Enqueues all drafts or none, in one transaction. count is at least 1. */
SEVQ_API enum sevq_code sevq_enqueue_batch(struct sevq_client *client,
					   const struct sevq_draft *drafts, size_t count,
					   struct sevq_receipts **ret);

struct sevq_drain_options {
	size_t size;
	size_t limit; /* 0: as many as one answer holds */
	const char
	    *context_key_prefix; /* only events whose context key starts with it; NULL: all */
	/* printable ASCII; for 24 hours the same call with it returns the same events again */
	const char *idempotency_key;
	/* fills block with the lines of a prompt; exec completions stay in the queue */
	bool prompt;
};

static inline void
sevq_drain_options_init(struct sevq_drain_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Takes the oldest events out of the queue. An empty queue is an empty answer, not a failure.
 * options may be NULL.
 */
SEVQ_API enum sevq_code sevq_drain(struct sevq_client *client, const struct sevq_address *address,
				   const struct sevq_drain_options *options,
				   struct sevq_events **ret);

/*
 * Returns the oldest events and leaves them in the queue. With after_id it starts behind that
 * event. limit 0: the server's page size.
 */
SEVQ_API enum sevq_code sevq_peek(struct sevq_client *client, const struct sevq_address *address,
				  size_t limit, const char *after_id, struct sevq_events **ret);

/*
 * Takes exactly these events out of the queue, in this order. Ids that are not queued are skipped.
 */
SEVQ_API enum sevq_code sevq_consume(struct sevq_client *client, const struct sevq_address *address,
				     const char *const *ids, size_t id_count,
				     struct sevq_events **ret);

/*
 * Returns one event with the first 100 entries of its timeline, also after it has left its queue.
 * SEVQ_NOT_FOUND: there was no such event, or its history is no longer kept.
 */
SEVQ_API enum sevq_code sevq_find(struct sevq_client *client, const char *id,
				  struct sevq_story **ret);

/* The same with another page: at most limit entries (up to 1,000; 0: 100), from the cursor on. */
SEVQ_API enum sevq_code sevq_find_page(struct sevq_client *client, const char *id, size_t limit,
				       const char *cursor, struct sevq_story **ret);

/*
 * Removes one pending event, as its producer may wish to, and returns it. SEVQ_NOT_FOUND: it is not
 * pending.
 */
SEVQ_API enum sevq_code sevq_withdraw(struct sevq_client *client, const char *id,
				      struct sevq_event **ret);

/* Removes all events of a queue, or with context_key only those that have it. */
SEVQ_API enum sevq_code sevq_purge(struct sevq_client *client, const struct sevq_address *address,
				   const char *context_key, struct sevq_purged **ret);

/* Returns the queue that an address is routed to, and why. Stores nothing. */
SEVQ_API enum sevq_code sevq_route(struct sevq_client *client, const struct sevq_address *address,
				   struct sevq_decision **ret);

struct sevq_sessions_options {
	size_t size;
	const char *session_key; /* only the queue that this key is routed to */
	const char *agent_id;    /* only queues of this agent */
	const char *prefix;      /* only queue keys that start with it */
	int64_t min_age_ms;      /* only queues that have had something to take for so long */
	/* "key" (the default), "depth", "oldest", "newest", "problem", "unattended" */
	const char *sort;
	size_t limit;          /* 0: the server's page size */
	const char *cursor;    /* next_cursor of the previous page */
	const char *queue_key; /* only the queue of this very key; then no session_key */
	const char *contains;  /* only queue keys with this part */
	/*
	 * only queues with this problem: "any", "stranded", "full", "unattended", "dead". Of "any"
	 * and "dead" also those that have nothing but dead letters
	 */
	const char *problem;
};

static inline void
sevq_sessions_options_init(struct sevq_sessions_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Lists the queues that have pending events, one page a call. options may be NULL. */
SEVQ_API enum sevq_code sevq_sessions(struct sevq_client *client,
				      const struct sevq_sessions_options *options,
				      struct sevq_sessions **ret);

/* --- leases: what is taken and not acked can be taken again --- */

struct sevq_lease_options {
	size_t size;
	size_t limit;     /* 0: as many as one answer holds */
	int64_t lease_ms; /* up to an hour; 0: 60 seconds */
	const char
	    *context_key_prefix;     /* only events whose context key starts with it; NULL: all */
	const char *consumer;        /* who takes the events, for their timelines */
	const char *idempotency_key; /* as for drain */
	bool exclusive; /* nobody else can take events of the session while the lease lasts */
	bool prompt;    /* as for drain */
	/* with prompt: also exec completions, which it would leave in the queue */
	bool exec_completions;
};

static inline void
sevq_lease_options_init(struct sevq_lease_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Takes the oldest events under a lease. If there is nothing to take, lease_id is NULL. options may
 * be NULL.
 */
SEVQ_API enum sevq_code sevq_lease(struct sevq_client *client, const struct sevq_address *address,
				   const struct sevq_lease_options *options,
				   struct sevq_lease **ret);

/*
 * Of the next three calls: ids NULL means all events that the lease holds. SEVQ_CONFLICT: the lease
 * has ended for a named event, nothing was changed, and the event will be delivered again.
 * SEVQ_NOT_FOUND: there never was such a lease. Named events that were removed meanwhile are in
 * the answer's gone, and the call applies to the others.
 */

/* Finishes the events: they are never delivered again. The call may be repeated. */
SEVQ_API enum sevq_code sevq_ack(struct sevq_client *client, const char *lease_id,
				 const char *const *ids, size_t id_count,
				 struct sevq_lease_change **ret);

struct sevq_nack_options {
	size_t size;
	int64_t delay_ms;   /* how long the events cannot be taken again; 0: at once */
	const char *reason; /* for the timeline */
	bool do_not_count;  /* does not count as a failed attempt */
};

static inline void
sevq_nack_options_init(struct sevq_nack_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Gives the events back to the queue. options may be NULL. */
SEVQ_API enum sevq_code sevq_nack(struct sevq_client *client, const char *lease_id,
				  const char *const *ids, size_t id_count,
				  const struct sevq_nack_options *options,
				  struct sevq_lease_change **ret);

/* Extends the lease of the events to lease_ms from now; 0: 60 seconds. */
SEVQ_API enum sevq_code sevq_extend(struct sevq_client *client, const char *lease_id,
				    const char *const *ids, size_t id_count, int64_t lease_ms,
				    struct sevq_lease_change **ret);

/* --- waiting --- */

/*
 * Ends the wait or stream that runs on this context, or else the next one: it returns
 * SEVQ_INTERRUPTED at once. (Only a lookup of the server's name is finished before.) Other calls
 * are not affected, and several interruptions before one wait count as one.
 *
 * May be called in a signal handler, in any thread and in on_wakeup, from sevq_connect until
 * sevq_close; leaves errno as it is. Accepts NULL.
 */
SEVQ_API void sevq_interrupt(struct sevq_client *client);

/*
 * Blocks until there is an event to take, for at most timeout_ms (up to five minutes; 0: answers at
 * once). Takes nothing. SEVQ_INTERRUPTED: sevq_interrupt was called.
 */
SEVQ_API enum sevq_code sevq_wait(struct sevq_client *client, const struct sevq_address *address,
				  int64_t timeout_ms, struct sevq_readiness **ret);

/* Selects the events that a wait waits for. A lease with the same selection would take some. */
struct sevq_wait_options {
	size_t size;
	const char *context_key_prefix; /* NULL: all */
	bool prompt;                    /* events that a lease for a prompt takes */
	bool exec_completions;          /* and with these */
	bool wake_now;                  /* only events with wake "now" */
	bool exclusive;                 /* not while a lease holds events of the session */
};

static inline void
sevq_wait_options_init(struct sevq_wait_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* The same as sevq_wait for events that are chosen by options, which may be NULL. */
SEVQ_API enum sevq_code sevq_wait_for(struct sevq_client *client,
				      const struct sevq_address *address,
				      const struct sevq_wait_options *options, int64_t timeout_ms,
				      struct sevq_readiness **ret);

struct sevq_stream_options {
	size_t size;
	/* only the session that it names; an agent alone: all sessions of the agent */
	struct sevq_address address;
	const char *prefix; /* only queue keys that start with it */
	/* at most one wakeup for each session in this time; 0: the server's default */
	int64_t coalesce_ms;
	/* id of the last wakeup; a new stream reports all waiting sessions, with or without it */
	const char *last_event_id;
	/* the connection counts as lost after so long without data; 0: 45 seconds (pings: 15) */
	int64_t silence_ms;
};

static inline void
sevq_stream_options_init(struct sevq_stream_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Calls on_wakeup for every wakeup: first for each session that has events now, then whenever
 * events arrive. Returns SEVQ_OK when on_wakeup returns false, SEVQ_INTERRUPTED after
 * sevq_interrupt, and SEVQ_LOST when the connection ends for any reason; call again to reconnect.
 * The wakeup is valid until on_wakeup returns.
 * on_wakeup must not use this client: take events through another one.
 */
SEVQ_API enum sevq_code sevq_stream(struct sevq_client *client,
				    const struct sevq_stream_options *options,
				    bool (*on_wakeup)(const struct sevq_wakeup *wakeup, void *arg),
				    void *arg);

/* --- history --- */

struct sevq_history_options {
	size_t size;
	struct sevq_address address; /* only the session that it names */
	/* only events that left in this way: "drained", "acked", "expired", "dead", ... */
	const char *state;
	const char *source;         /* only events with this source */
	int64_t since_ms, until_ms; /* when they left, since 1970; 0: no bound */
	size_t limit;               /* 0: the server's page size */
	const char *cursor;         /* next_cursor of the previous page */
	const char *reason;         /* only events whose outcome's detail starts with it */
};

static inline void
sevq_history_options_init(struct sevq_history_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Lists events that have left their queues, one page a call. options may be NULL. */
SEVQ_API enum sevq_code sevq_history(struct sevq_client *client,
				     const struct sevq_history_options *options,
				     struct sevq_history **ret);

/*
 * Lists dead letters: events that failed too often, or were evicted. address NULL or empty: of all
 * sessions. reason NULL: all; else those whose reason begins with it.
 */
SEVQ_API enum sevq_code sevq_dead_letters(struct sevq_client *client,
					  const struct sevq_address *address, const char *reason,
					  size_t limit, const char *cursor,
					  struct sevq_history **ret);

/* Selects dead letters by exactly one of ids, address and all. */
struct sevq_requeue_options {
	size_t size;
	const char *const *ids;
	size_t id_count;
	struct sevq_address address;
	bool all;
	bool dry_run;
	int64_t
	    rate_per_second; /* delays them so that this many a second can be taken; 0: no delay */
	const char *reason;  /* of a session or all: those whose reason begins with it */
};

static inline void
sevq_requeue_options_init(struct sevq_requeue_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Enqueues dead letters as new events at the end of their queues, at most 1000 a call. */
SEVQ_API enum sevq_code sevq_requeue(struct sevq_client *client,
				     const struct sevq_requeue_options *options,
				     struct sevq_requeued **ret);

/* Selects dead letters by exactly one of ids, address and all. */
struct sevq_discard_options {
	size_t size;
	const char *const *ids;
	size_t id_count;
	struct sevq_address address;
	const char *reason; /* of a session or all: those whose reason begins with it */
	bool all;
	bool dry_run;
};

static inline void
sevq_discard_options_init(struct sevq_discard_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Discards dead letters, at most 1000 a call. Their history stays. */
SEVQ_API enum sevq_code sevq_discard(struct sevq_client *client,
				     const struct sevq_discard_options *options,
				     struct sevq_discarded **ret);

/* --- the policy has changed --- */

/* Where the events of one stranded queue went. */
struct sevq_moved {
	const char *from, *to; /* queues; to NULL: routing refuses the key, and they stay */
	const char *rule;
	size_t moved, leased; /* leased: that stay with their holder */
};

struct sevq_rekeyed {
	bool dry_run;         /* nothing was changed */
	size_t moved, leased; /* of all queues */
	bool more;            /* other queues follow: call again */
	struct sevq_moved **queues;
	size_t count;
};

/* Zero is everything. */
struct sevq_rekey_options {
	size_t size;
	const char *queue_key; /* only this queue; NULL: all that are stranded */
	bool dry_run;
	size_t limit; /* of events; 0: 10000 */
};

static inline void
sevq_rekey_options_init(struct sevq_rekey_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/*
 * Moves the events of stranded queues, whose keys the policy in force leads elsewhere, to where
 * they lead. Leased events stay.
 */
SEVQ_API enum sevq_code sevq_rekey(struct sevq_client *client,
				   const struct sevq_rekey_options *options,
				   struct sevq_rekeyed **ret);

/* --- who asks, and who holds --- */

struct sevq_consumers_options {
	size_t size;
	const char *asked_key; /* only who asked under this key */
	const char *queue_key; /* only who was led to this queue */
	size_t limit;          /* 0: all that are remembered */
};

static inline void
sevq_consumers_options_init(struct sevq_consumers_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Lists who has asked for events lately. options may be NULL. */
SEVQ_API enum sevq_code sevq_consumers(struct sevq_client *client,
				       const struct sevq_consumers_options *options,
				       struct sevq_askers **ret);

struct sevq_leases_options {
	size_t size;
	const char *queue_key; /* only leases of this queue */
	const char *consumer;  /* only those of this consumer */
	size_t limit;          /* 0: the server's page size */
	const char *cursor;    /* next_cursor of the previous page */
};

static inline void
sevq_leases_options_init(struct sevq_leases_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
}

/* Lists the leases that hold events, one page a call. options may be NULL. */
SEVQ_API enum sevq_code sevq_leases(struct sevq_client *client,
				    const struct sevq_leases_options *options,
				    struct sevq_leases **ret);

/* --- the server --- */

/*
 * Begins a backup of that name in the server's --backup-dir; name NULL: asks how the last one goes.
 * Returns {"directory","backup":{"name","state","bytes","copied",...}} as JSON text; the state is
 * "running", "done" or "failed". The caller frees it with sevq_free.
 */
SEVQ_API enum sevq_code sevq_backup(struct sevq_client *client, const char *name, char **ret);

/*
 * Makes a code that lets one browser into the server's page, once and within a minute: it may then
 * do what this client's token may, within scope, such as "read,admin"; NULL is "read". Returns
 * {"code","scopes","expiresAt"} as JSON text; code is null where the server asks for no token. The
 * page is at /#code=CODE. The caller frees it with sevq_free.
 */
SEVQ_API enum sevq_code sevq_page_code(struct sevq_client *client, const char *scope, char **ret);

/* Returns what the policy in force says as JSON text. The caller frees it with sevq_free. */
SEVQ_API enum sevq_code sevq_policy(struct sevq_client *client, char **ret);

/* Whether the server takes events: if not, how the call fails tells why. Needs no token. */
SEVQ_API enum sevq_code sevq_ready(struct sevq_client *client);

/* Returns {"version"} of the server as JSON text, which the caller frees. Needs no token. */
SEVQ_API enum sevq_code sevq_server_version(struct sevq_client *client, char **ret);

/* Returns the token's {"name","scopes","agents"} as JSON text, which the caller frees. */
SEVQ_API enum sevq_code sevq_whoami(struct sevq_client *client, char **ret);

/* Returns the server's counters as JSON text. The caller frees it with sevq_free. */
SEVQ_API enum sevq_code sevq_stats(struct sevq_client *client, char **ret);

#ifdef __cplusplus
}
#endif

#endif
