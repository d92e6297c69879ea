/*
 * session.h - what the list of sessions tells of one of them.
 *
 * Here: its counts and times, the merged delivery context and the keys that its events were
 * re-keyed from. Not here: which sessions are listed (sessions.c). Private to queue/.
 */
#ifndef QUEUE_OPS_SESSION_H
#define QUEUE_OPS_SESSION_H

#include "queue/plan.h"

/*
 * Describes a queue that has something pending. All text is copied into the arena. Returns how many
 * steps that took: one for each entry, and SESSION_FROM_STEPS for each of those keys. A queue that
 * would take more than SESSION_STEPS_MAX is described by its newest events: only its counts and
 * times, and last context, are of all.
 */
#define SESSION_FROM_STEPS 160
#define SESSION_STEPS_MAX 400000
size_t session_describe(const struct plan *plan, const struct queue *queue, struct arena *arena,
			struct session *ret);
/* Describes a session that has nothing pending, and had dead letters a moment ago at least. */
void session_describe_dead(const struct plan *plan, struct str key, struct arena *arena,
			   struct session *ret);

#endif
