/*
 * askers.h - who has asked for events lately: under which key, for which queue, and what they got.
 *
 * Events that nobody takes are often asked for under another key than they were posted to. So what
 * calls have asked is kept in memory, the last ASKERS_MAX of those that differ in anything but
 * time. Here: remembering them. Not here: who is waiting at a queue (queue/waiting.h), leases.
 */
#ifndef SERVER_CALLS_ASKERS_H
#define SERVER_CALLS_ASKERS_H

#include "schema/event.h"

#define ASKERS_MAX 1000

enum asker_kind {
	ASKER_DRAIN,
	ASKER_LEASE,
	ASKER_CONSUME,
	ASKER_WAIT,
};

/* What a call asks for. */
struct asked {
	enum asker_kind kind;
	enum rule rule;       /* that led to the queue */
	struct str key;       /* as sent: of the session, or else of the agent */
	struct str queue_key; /* where it was routed when it was asked for last */
	struct str consumer;  /* NULL: it names none */
	struct str token;     /* the name of the token; NULL: it has none */
};

struct asker {
	struct asked asked;  /* texts behind the struct */
	int64_t last_ts_ms;  /* since 1970 */
	uint64_t taken;      /* events */
	int64_t taken_ts_ms; /* when the last of them were; 0: none */
	size_t waiting;      /* calls that wait now */
};

struct askers;

struct askers *askers_new(void);
void askers_free(struct askers *askers); /* accepts NULL */

/* A call was answered with so many events. */
void askers_note(struct askers *askers, const struct asked *asked, size_t taken);

/*
 * A call waits, until it ends. NULL: it is not remembered, because all of the last ASKERS_MAX wait;
 * the end of a wait accepts it.
 */
struct asker *askers_begin_wait(struct askers *askers, const struct asked *asked);
void asker_end_wait(struct asker *asker);

/* The key of an address, as struct asked has it. */
struct str asked_key(const struct address *address);

/*
 * The askers one by one, those that asked last first; start with NULL, and NULL is the end. They
 * must not change meanwhile.
 */
const struct asker *askers_next(const struct askers *askers, const struct asker *asker);

/* Who took events of the queue last, as far as it is remembered; NULL: nobody. */
const struct asker *askers_last_taker(const struct askers *askers, struct str queue_key);

#endif
