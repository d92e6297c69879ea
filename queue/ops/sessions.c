/*
 * sessions.c - the list of sessions that have events pending. It is made by an op like the others,
 * so that it shows only what has been committed; it costs no commit of its own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/ops/session.h"
#include "schema/number.h"
#include "schema/session_key.h"

/*
 * A page of sessions ends early when its queues hold this many events together, because describing
 * a session reads each of its entries.
 */
#define PAGE_ENTRIES_MAX 200000

/* A session's position in the sorted list: ascending by value, then by key. */
struct list_position {
	int64_t value;
	struct str key;
	const struct queue *queue;
};

static int
by_position(const void *a, const void *b)
{
	const struct list_position *x = a, *y = b;

	return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
				    : str_cmp(x->key, y->key);
}

/* When the event came, on the clock that never jumps. */
static int64_t
came_at(const struct plan *plan, const struct entry *entry)
{
	return steady_of_event(&plan->state->steady, entry->id, entry->ts_ms);
}

static int64_t
sort_value(const struct plan *plan, enum sort sort, const struct queue *queue)
{
	switch (sort) {
	case SORT_DEPTH:
		return -(int64_t)queue->depth;
	case SORT_OLDEST:
		return came_at(plan, queue_first(queue, 0));
	case SORT_NEWEST:
		return -came_at(plan, queue_newest(queue));
	case SORT_KEY:
		break;
	}
	return 0;
}

/* A cursor is the position of the last session shown: "<value>:<key>". */
static int
read_cursor(struct sessions_op *list, struct list_position *ret)
{
	const char *colon = memchr(list->cursor.s, ':', list->cursor.len);
	size_t len = colon != NULL ? (size_t)(colon - list->cursor.s) : 0;

	if (number_parse((struct str){ list->cursor.s, len }, INT64_MIN, INT64_MAX, &ret->value) !=
		NUMBER_PARSED ||
	    list->cursor.len == len + 1)
		return error_set_field(&list->op.error, "cursor",
				       "not a cursor of an earlier page");
	ret->key = (struct str){ colon + 1, list->cursor.len - len - 1 };
	return 0;
}

static struct str
make_cursor(struct arena *arena, const struct list_position *last)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64 ":", last->value);
	char *text = arena_bytes(arena, (size_t)len + last->key.len);

	memcpy(text, digits, (size_t)len);
	memcpy(text + len, last->key.s, last->key.len);
	return (struct str){ text, (size_t)len + last->key.len };
}

struct filter {
	struct str only;                      /* one queue key; NULL: all */
	struct str agent;                     /* "agent:<id>:"; NULL: all */
	struct str prefix;                    /* NULL: all */
	int64_t min_age_ms, oldest_before_ms; /* steady time */
};

static bool
passes(const struct plan *plan, const struct filter *filter, const struct queue *queue)
{
	struct str key = queue->session.key;

	return queue->depth > 0 && str_starts(key, filter->agent) &&
	       str_starts(key, filter->prefix) &&
	       (filter->min_age_ms == 0 ||
		came_at(plan, queue_first(queue, 0)) <= filter->oldest_before_ms);
}

/* The next queue that may pass: as catalog_each. */
static const struct queue *
next_queue(const struct catalog *catalog, const struct filter *filter, size_t *at)
{
	if (filter->only.s == NULL)
		return catalog_each(catalog, at);
	return (*at)++ == 0 ? catalog_find(catalog, filter->only) : NULL;
}

static int
make_filter(struct plan *plan, struct sessions_op *list, struct filter *ret)
{
	*ret =
	    (struct filter){ .prefix = list->prefix,
			     .min_age_ms = list->min_age_ms,
			     .oldest_before_ms = plan->state->steady.steady_ms - list->min_age_ms };
	struct cached_route route;
	if (list->address.session_key.s == NULL && list->address.queue_key.s == NULL) {
		if (list->address.agent_id.s != NULL)
			ret->agent = agent_key_prefix(&list->op.arena, list->address.agent_id);
		return address_check(&list->address, &list->op.error);
	}
	if (plan_route(plan, &list->op, &list->address, &route) < 0)
		return -1;
	ret->only = route.queue_key;
	return 0;
}

/*
 * Keeps the first `most` of all positions that are added. It holds up to twice as many and sorts
 * only when those are full, instead of once for each added one.
 */
struct first_positions {
	struct list_position *positions; /* room for 2 * most */
	size_t most, count;
	/* positions[most - 1] is valid: a position after it cannot be among the first */
	bool full;
};

static void
keep_first(struct first_positions *first)
{
	qsort(first->positions, first->count, sizeof(*first->positions), by_position);
	first->full = first->count >= first->most;
	if (first->full)
		first->count = first->most;
}

static void
add_position(struct first_positions *first, struct list_position position)
{
	if (first->full && by_position(&first->positions[first->most - 1], &position) < 0)
		return;
	if (first->count == 2 * first->most)
		keep_first(first);
	first->positions[first->count++] = position;
}

/*
 * Finds the first sessions after the cursor that pass the filter, one more than the page has, so
 * that it is known whether another page follows. list->total counts those before the cursor too.
 */
static struct list_position *
find_positions(struct plan *plan, struct sessions_op *list, const struct filter *filter,
	       const struct list_position *cursor, size_t *count)
{
	struct first_positions first = { .most = list->limit + 1 };
	const struct queue *queue;

	first.positions = arena_alloc(&list->op.arena, 2 * first.most * sizeof(*first.positions));
	for (size_t at = 0; (queue = next_queue(&plan->state->catalog, filter, &at)) != NULL;) {
		if (!passes(plan, filter, queue))
			continue;
		struct list_position position = { sort_value(plan, list->sort, queue),
						  queue->session.key, queue };
		list->total++;
		if (cursor == NULL || by_position(cursor, &position) < 0)
			add_position(&first, position);
	}
	keep_first(&first);
	*count = first.count;
	return first.positions;
}

/* Counts a session in the answer. False: there is no room for one more. */
static bool
answer_session(const struct plan *plan, struct op *op, const struct session *session, bool first)
{
	const struct delivery *d = &session->delivery;
	struct answer_size size = op->answer;

	answer_add_other(&size, session->session_key.len + session->agent_id.len +
				    session->last_context_key.len + d->channel.len + d->to.len +
				    d->account_id.len + d->thread_id.len);
	for (size_t i = 0; i < session->rekeyed_from_count; i++)
		answer_add_other(&size, session->rekeyed_from[i].key.len);
	if (!first && !answer_fits(&size, plan->answer_room))
		return false;
	op->answer = size;
	return true;
}

static int
plan_sessions(struct plan *plan, struct op *op)
{
	struct sessions_op *list = (struct sessions_op *)op;
	struct list_position cursor;
	struct filter filter;

	if (list->cursor.s != NULL && read_cursor(list, &cursor) < 0)
		return -1;
	if (make_filter(plan, list, &filter) < 0)
		return -1;
	size_t behind, entries = 0;
	struct list_position *positions =
	    find_positions(plan, list, &filter, list->cursor.s != NULL ? &cursor : NULL, &behind);
	list->sessions = arena_alloc(&op->arena, (list->limit + 1) * sizeof(*list->sessions));
	for (list->count = 0; list->count < behind && list->count < list->limit; list->count++) {
		entries += positions[list->count].queue->depth;
		if (entries > PAGE_ENTRIES_MAX && list->count > 0)
			break;
		session_describe(plan, positions[list->count].queue, &op->arena,
				 &list->sessions[list->count]);
		if (!answer_session(plan, op, &list->sessions[list->count], list->count == 0))
			break;
	}
	if (list->count < behind)
		list->next_cursor = make_cursor(&op->arena, &positions[list->count - 1]);
	return 0;
}

void
sessions_op_init(struct sessions_op *op)
{
	static const struct op_kind kind = { OP_KIND(sessions_op, sessions),
					     .plan = plan_sessions };

	op_start(&op->op, &kind);
}
