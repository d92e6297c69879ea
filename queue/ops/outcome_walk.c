/* outcome_walk.c - from where a walk goes on, and how far. */
#include "queue/ops/outcome_walk.h"

#include "queue/budget.h"
#include "queue/op_kind.h"

#define ROWS_FIRST 32
#define ROWS_NEXT 1000

const size_t outcome_walk_first_work = 2 * WORK_LOOKUP + ROWS_FIRST * WORK_ROW;

struct lookup
outcome_walk_lookup(const struct outcome_walk *walk, enum lookup_kind kind, int64_t id)
{
	return (struct lookup){ .kind = kind,
				.id = id,
				.from = walk->next,
				.rows = walk->next > 0 ? ROWS_NEXT : ROWS_FIRST };
}

bool
outcome_walk_begins(struct outcome_walk *walk)
{
	bool begins = !walk->under_way;

	walk->under_way = true;
	return begins;
}

bool
outcome_walk_is_end(struct outcome_walk *walk, const struct found *found)
{
	if (found->next == NULL)
		return false;
	walk->next = *found->next;
	walk->under_way = walk->next > 0;
	return true;
}

int
outcome_walk_go_on(struct op *op)
{
	op->work = ROWS_NEXT * WORK_ROW;
	return PLAN_AGAIN;
}
