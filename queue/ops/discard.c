/*
 * discard.c - discard dead letters: they are no longer listed, nor can they be requeued. Their
 * history stays, and says so.
 */
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/ops/dead_letter.h"

static bool
discard_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	struct discard_op *discard = (struct discard_op *)op;

	(void)plan;
	if (index == 0)
		discard->letter_count = 0;
	return dead_letter_lookup(discard->ids, discard->id_count, index, ret);
}

static bool
discard_found(struct op *op, size_t index, const struct found *found)
{
	struct discard_op *discard = (struct discard_op *)op;

	(void)index;
	if (discard->letters == NULL)
		discard->letters =
		    arena_alloc(&op->arena, discard->id_count * sizeof(*discard->letters));
	discard->letters[discard->letter_count++] =
	    (struct dead_letter){ found->event->id,
				  arena_dup(&op->arena, found->event->session_key) };
	return true;
}

static int
by_session(const void *a, const void *b)
{
	const struct dead_letter *x = a, *y = b;
	int order = str_cmp(x->session_key, y->session_key);

	return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* Finds those that can be discarded, each once, in the order of their sessions and ids. */
static struct dead_letter *
choose(const struct plan *plan, struct discard_op *discard, size_t *count)
{
	struct dead_letter *letters = discard->letters;
	struct dead_letter *chosen =
	    arena_alloc(&discard->op.arena, (discard->letter_count + 1) * sizeof(*chosen));

	*count = 0;
	if (discard->letter_count > 1)
		qsort(letters, discard->letter_count, sizeof(*letters), by_session);
	for (size_t i = 0; i < discard->letter_count; i++)
		if ((i == 0 || letters[i - 1].id != letters[i].id) &&
		    caller_may_touch(discard->op.caller, letters[i].session_key) &&
		    !dead_letter_is_over(plan, letters[i].id))
			chosen[(*count)++] = letters[i];
	return chosen;
}

/* Records the first dead letters, all those of one session, as one outcome. Returns how many. */
static size_t
record_session(struct plan *plan, struct discard_op *discard, const struct dead_letter *letters,
	       size_t count)
{
	int64_t *ids = arena_alloc(&discard->op.arena, count * sizeof(*ids));
	size_t same = 0;

	for (; same < count && str_eq(letters[same].session_key, letters->session_key); same++)
		ids[same] = letters[same].id;
	plan_record(plan, catalog_find_or_add(&plan->state->catalog, letters->session_key),
		    (struct store_outcome){ .kind = OUTCOME_DISCARDED,
					    .detail = plan_caller_name(&discard->op),
					    .ids = ids,
					    .count = same });
	return same;
}

static int
plan_discard(struct plan *plan, struct op *op)
{
	struct discard_op *discard = (struct discard_op *)op;

	size_t count;
	const struct dead_letter *letters = choose(plan, discard, &count);

	discard->discarded = count;
	discard->passed_over = discard->id_count - count;
	for (size_t i = 0; !discard->dry_run && i < count;)
		i += record_session(plan, discard, letters + i, count - i);
	return PLAN_DONE;
}

static size_t
discard_work(const struct op *op)
{
	return WORK_OP + (WORK_LOOKUP + WORK_RECORD) * ((const struct discard_op *)op)->id_count;
}

void
discard_op_init(struct discard_op *op)
{
	static const struct op_kind kind = { OP_KIND(discard_op, discarded), .work = discard_work,
					     .plan = plan_discard, .lookup = discard_lookup,
					     .found = discard_found };

	op_start(&op->op, &kind);
}
