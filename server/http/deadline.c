/*
 * deadline.c - queues of deadlines, one for each kind.
 */
#include "server/http/deadline.h"

#include <stddef.h>

#include "queue/clock.h"

void
deadlines_init(struct deadlines *deadlines)
{
	for (int kind = 0; kind < DEADLINE_KINDS; kind++)
		TAILQ_INIT(&deadlines->queues[kind]);
}

void
deadline_init(struct deadline *deadline)
{
	deadline->kind = DEADLINE_NONE;
}

void
deadline_set(struct deadlines *deadlines, struct deadline *deadline, enum deadline_kind kind)
{
	if (deadline->kind != DEADLINE_NONE)
		TAILQ_REMOVE(&deadlines->queues[deadline->kind], deadline, link);
	deadline->kind = kind;
	if (kind == DEADLINE_NONE)
		return;
	deadline->at_ms = clock_coarse_ms() + deadlines->duration_ms[kind];
	TAILQ_INSERT_TAIL(&deadlines->queues[kind], deadline, link);
}

struct deadline *
deadlines_over(struct deadlines *deadlines, int64_t now_ms)
{
	for (int kind = 0; kind < DEADLINE_KINDS; kind++) {
		struct deadline *first = TAILQ_FIRST(&deadlines->queues[kind]);

		if (first != NULL && first->at_ms <= now_ms)
			return first;
	}
	return NULL;
}

int64_t
deadlines_next_ms(const struct deadlines *deadlines)
{
	int64_t next = INT64_MAX;

	for (int kind = 0; kind < DEADLINE_KINDS; kind++) {
		const struct deadline *first = TAILQ_FIRST(&deadlines->queues[kind]);

		if (first != NULL && first->at_ms < next)
			next = first->at_ms;
	}
	return next;
}
