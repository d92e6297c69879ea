/*
 * options.h - the limits and habits of one engine.
 *
 * Here: the struct and its defaults. Not here: how a user sets them (server/options).
 */
#ifndef QUEUE_OPTIONS_H
#define QUEUE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer to an enqueue when its session is full. */
enum overflow { OVERFLOW_REJECT, OVERFLOW_DROP_OLDEST };

struct engine_options {
	size_t batch_events_max;    /* drafts in one enqueue */
	size_t session_pending_max; /* events in one session */
	size_t sessions_max;        /* sessions with something pending */
	size_t pending_max;         /* events in all */
	enum overflow overflow;
	int attempts_max; /* failed deliveries before an event becomes a dead letter; 1..255 */
	/*
	 * how many deliveries that ended without an attempt counted the timeline of an event keeps,
	 * the first ones; of all later ones it keeps the newest
	 */
	size_t returns_kept;
	int64_t retention_ms;  /* how long settled events stay on disk */
	size_t retention_rows; /* how many settled events stay at most */
	/* of memory for the newest events, so that they are not read back from disk; 0: none */
	size_t recent_bytes;
	/* of memory for one answer; one event is always one */
	size_t answer_bytes_max;
	/* a policy that is adopted has stranded queues moved, without being asked (ops/rekey.c) */
	bool rekey_on_reload;
	/* queues with more entries are indexed (catalog/matches.h); at most MATCHES_TWINS_MAX */
	size_t walk_max;
	/* a ready queue (ready.h) is unattended once nothing was taken for so long */
	int64_t unattended_ms;
	void (*loading)(void); /* called now and then while events are loaded; NULL: not */
};

/* The defaults of DESIGN section 3. */
void engine_options_init(struct engine_options *options);

#endif
