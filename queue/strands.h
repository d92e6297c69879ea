/*
 * strands.h - how many queues and events a policy strands, and for a trial, which.
 *
 * Here: the structs. Not here: finding them (strand.h).
 */
#ifndef QUEUE_STRANDS_H
#define QUEUE_STRANDS_H

#include "queue/policy/policy.h"
#include "schema/mem.h"

#define TRIAL_LISTED_MAX 100

/* Stranded queues and their events. */
struct strands {
	size_t sessions, events;
	bool complete; /* every queue has been judged */
};

/* What a policy that is not in force would strand. */
struct trial {
	struct policy *policy; /* owned */
	struct strands strands;
	struct trial_item {
		struct str queue_key, to; /* to NULL: routing refuses the key */
		size_t events;
	} items[TRIAL_LISTED_MAX]; /* the first that were found */
	size_t count;
	struct arena arena;
};

#endif
