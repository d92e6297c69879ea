/*
 * deadline.c - queues of deadlines, one for each kind.
 */
#include "server/http/deadline.h"

#include <time.h>

int64_t
sevq_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
sevq_deadlines_init(struct sevq_deadlines *deadlines)
{
	for (int kind = 0; kind < SEVQ_DEADLINE_KINDS; kind++)
		TAILQ_INIT(&deadlines->queues[kind]);
}

void
sevq_deadline_init(struct sevq_deadline *deadline)
{
	deadline->kind = SEVQ_DEADLINE_NONE;
}

void
sevq_deadline_set(struct sevq_deadlines *deadlines, struct sevq_deadline *deadline, enum sevq_deadline_kind kind)
{
	if (deadline->kind != SEVQ_DEADLINE_NONE)
		TAILQ_REMOVE(&deadlines->queues[deadline->kind], deadline, link);
	deadline->kind = kind;
	if (kind == SEVQ_DEADLINE_NONE)
		return;
	deadline->at_ms = sevq_now_ms() + deadlines->duration_ms[kind];
	TAILQ_INSERT_TAIL(&deadlines->queues[kind], deadline, link);
}

struct sevq_deadline *
sevq_deadlines_over(struct sevq_deadlines *deadlines, int64_t now_ms)
{
	for (int kind = 0; kind < SEVQ_DEADLINE_KINDS; kind++) {
		struct sevq_deadline *first = TAILQ_FIRST(&deadlines->queues[kind]);

		if (first != NULL && first->at_ms <= now_ms)
			return first;
	}
	return NULL;
}

int64_t
sevq_deadlines_next_ms(const struct sevq_deadlines *deadlines)
{
	int64_t next = INT64_MAX;

	for (int kind = 0; kind < SEVQ_DEADLINE_KINDS; kind++) {
		const struct sevq_deadline *first = TAILQ_FIRST(&deadlines->queues[kind]);

		if (first != NULL && first->at_ms < next)
			next = first->at_ms;
	}
	return next;
}
