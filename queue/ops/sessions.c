/*
 * sessions.c - the list of sessions that have events pending. It is made by an op like the others,
 * so that it shows only what has been committed; it costs no commit of its own.
 *
 * A page needs a look at every queue: which come first in its order, and how many there are. Many
 * queues are looked at in slices, over as many turns as it takes; the page is made in the last of
 * them. A session that has events pending all the time is therefore counted once, and is where it
 * belongs by what it was when it was looked at; what is told of it is as of the end.
 *
 * Where sessions with dead letters are asked for, these are looked at in their own table, after the
 * queues and whatever they have pending: busy ones empty and fill all the time. One that gets its
 * first dead letter meanwhile, or loses its last, may be counted twice or not at all, but it is on
 * the page once at most: each table tells only of what belongs to it at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/ops/session.h"
#include "queue/ready.h"
#include "schema/number.h"
#include "schema/session_key.h"

/* Slots of the index of queues; the first slice is enough for a hundred queues. */
#define FIRST_SLOTS 256
#define FIRST_WORK 60
#define SLICE_SLOTS 8192
#define SLICE_WORK 2000

/* A page of sessions ends early when describing its sessions has taken this much (session.h). */
#define PAGE_STEPS_MAX SESSION_STEPS_MAX

/*
 * A session's position in the sorted list: ascending by value, then by key. The key is a copy: the
 * queue may be gone when the page is made.
 */
struct list_position {
	int64_t value;
	struct str key;
	bool dead; /* found among those with dead letters */
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

/* The worst problem; without any: behind all. */
static int64_t
problem_rank(unsigned problems)
{
	int64_t rank = 0;

	while (rank < PROBLEM_COUNT && (problems & SESSION_PROBLEM(rank)) == 0)
		rank++;
	return rank;
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
	case SORT_PROBLEM:
		return problem_rank(ready_problems(plan->state, queue));
	case SORT_UNATTENDED:
		return ready_unattended_since(plan->state, queue);
	case SORT_KEY:
		break;
	}
	return 0;
}

/* Of a session without a queue: where events and times are compared it comes last. */
static int64_t
dead_sort_value(enum sort sort)
{
	if (sort == SORT_OLDEST || sort == SORT_NEWEST || sort == SORT_UNATTENDED)
		return INT64_MAX;
	return sort == SORT_PROBLEM ? PROBLEM_DEAD : 0;
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
	const struct caller *caller;
	struct str only;                     /* one queue key; NULL: all */
	struct str agent;                    /* "agent:<id>:"; NULL: all */
	struct str prefix, contains;         /* NULL: all */
	unsigned problems;                   /* any of these; 0: all */
	bool dead_apart;                     /* those with dead letters are looked at apart */
	int64_t min_age_ms, ready_before_ms; /* steady time */
};

static bool
contains(struct str key, struct str part)
{
	return part.len == 0 || memmem(key.s, key.len, part.s, part.len) != NULL;
}

static bool
key_passes(const struct filter *filter, struct str key)
{
	return caller_may_touch(filter->caller, key) && str_starts(key, filter->agent) &&
	       str_starts(key, filter->prefix) && contains(key, filter->contains);
}

static bool
has_problem(const struct plan *plan, const struct filter *filter, const struct queue *queue)
{
	unsigned problems = ready_problems(plan->state, queue);
	bool apart = filter->dead_apart && (problems & SESSION_PROBLEM(PROBLEM_DEAD)) != 0;

	return (problems & filter->problems) != 0 && !apart;
}

static bool
passes(const struct plan *plan, const struct filter *filter, const struct queue *queue)
{
	return queue->depth > 0 && key_passes(filter, queue->session.key) &&
	       (filter->problems == 0 || has_problem(plan, filter, queue)) &&
	       (filter->min_age_ms == 0 ||
		(queue->ready_ts_ms > 0 && queue->ready_steady_ms <= filter->ready_before_ms));
}

static int
make_filter(struct plan *plan, struct sessions_op *list, struct filter *ret)
{
	*ret =
	    (struct filter){ .caller = list->op.caller,
			     .prefix = list->prefix,
			     .contains = list->contains,
			     .problems = list->problems,
			     /* unless they are to be ready: then they have a queue */
			     .dead_apart = (list->problems & SESSION_PROBLEM(PROBLEM_DEAD)) != 0 &&
					   list->min_age_ms == 0,
			     .min_age_ms = list->min_age_ms,
			     .ready_before_ms = plan->state->steady.steady_ms - list->min_age_ms };
	struct cached_route route;
	if (list->address.session_key.s == NULL && list->address.queue_key.s == NULL) {
		if (list->address.agent_id.s != NULL)
			ret->agent = agent_key_prefix(&list->op.arena, list->address.agent_id);
		return address_check_optional(&list->address, &list->op.error);
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

/* The key is copied. */
static void
add_position(struct first_positions *first, struct list_position position, struct arena *arena)
{
	if (first->full && by_position(&first->positions[first->most - 1], &position) < 0)
		return;
	if (first->count == 2 * first->most)
		keep_first(first);
	position.key = arena_dup(arena, position.key);
	first->positions[first->count++] = position;
}

/* A page that is being made. */
struct session_search {
	struct plan *plan; /* of the present turn */
	struct sessions_op *list;
	struct filter filter;
	struct list_position cursor; /* key NULL: from the beginning */
	struct table_scan scan;      /* of the queues */
	struct table_scan dead_scan; /* then of sessions with dead letters */
	/* the first ones behind the cursor, one more than the page has */
	struct first_positions first;
	size_t found; /* those before the cursor too */
};

static int
begin(struct plan *plan, struct sessions_op *list)
{
	struct session_search *search = arena_alloc(&list->op.arena, sizeof(*search));

	search->list = list;
	if ((list->cursor.s != NULL && read_cursor(list, &search->cursor) < 0) ||
	    make_filter(plan, list, &search->filter) < 0)
		return -1;
	search->scan.over =
	    search->filter.dead_apart && list->problems == SESSION_PROBLEM(PROBLEM_DEAD);
	search->dead_scan.over = !search->filter.dead_apart;
	search->first.most = list->limit + 1;
	search->first.positions =
	    arena_alloc(&list->op.arena, 2 * search->first.most * sizeof(struct list_position));
	list->search = search;
	return 0;
}

static void
find(struct session_search *search, struct list_position position)
{
	search->found++;
	if (search->cursor.key.s == NULL || by_position(&search->cursor, &position) < 0)
		add_position(&search->first, position, &search->list->op.arena);
}

static void
look_at(void *arg, void *item)
{
	struct session_search *search = arg;
	const struct queue *queue = item;
	struct sessions_op *list = search->list;

	search->plan->state->stats.walked++;
	if (passes(search->plan, &search->filter, queue))
		find(search, (struct list_position){ sort_value(search->plan, list->sort, queue),
						     queue->session.key, false });
}

/* NULL: nothing is pending there. */
static const struct queue *
pending(const struct plan *plan, struct str key, struct keyed_hash hash)
{
	const struct queue *queue = catalog_find_hashed(&plan->state->catalog, key, hash);

	return queue != NULL && queue->depth > 0 ? queue : NULL;
}

static void
look_at_dead(void *arg, void *item)
{
	struct session_search *search = arg;
	const struct dead_session *dead = item;
	const struct queue *queue = pending(search->plan, dead->key, dead->hash);
	enum sort sort = search->list->sort;

	search->plan->state->stats.walked++;
	if (key_passes(&search->filter, dead->key))
		find(search,
		     (struct list_position){ queue != NULL ? sort_value(search->plan, sort, queue)
							   : dead_sort_value(sort),
					     dead->key, true });
}

static void
look_at_only(struct session_search *search)
{
	const struct catalog *catalog = &search->plan->state->catalog;
	struct str key = search->filter.only;
	struct keyed_hash hash = keyed_hash_text(key);
	struct queue *queue = catalog_find_hashed(catalog, key, hash);
	struct dead_session dead = { hash, dead_letters_count(&catalog->dead, key, hash), key };

	if (!search->scan.over && queue != NULL)
		look_at(search, queue);
	if (!search->dead_scan.over && dead.count > 0)
		look_at_dead(search, &dead);
	search->scan.over = search->dead_scan.over = true;
}

/* Looks at the next queues that may pass, and at the next sessions with dead letters. */
static void
look_at_some(struct session_search *search, size_t slots)
{
	const struct catalog *catalog = &search->plan->state->catalog;

	if (search->filter.only.s != NULL) {
		if (!search->scan.over || !search->dead_scan.over)
			look_at_only(search);
		return;
	}
	table_scan(&catalog->index, &search->scan, slots, look_at, search);
	if (search->scan.over)
		table_scan(&catalog->dead.sessions, &search->dead_scan, slots, look_at_dead,
			   search);
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
	answer_add_other(&size, session->routes_to.len + CONSUMER_BYTES_MAX);
	for (size_t i = 0; i < session->rekeyed_from_count; i++)
		answer_add_other(&size, session->rekeyed_from[i].key.len);
	if (!first && !answer_fits(&size, plan->answer_room))
		return false;
	op->answer = size;
	return true;
}

/* Adds the session to the page; queue NULL: nothing is pending. False: the page ends before it. */
static bool
add_session(struct plan *plan, struct sessions_op *list, struct str key, const struct queue *queue,
	    size_t *steps)
{
	struct session *session = &list->sessions[list->count];
	size_t depth = queue != NULL ? queue->depth : 0;
	size_t least = depth < SESSION_STEPS_MAX ? depth : SESSION_STEPS_MAX;
	bool first = list->count == 0;

	*session = (struct session){ 0 };
	if (!first && *steps + least > PAGE_STEPS_MAX)
		return false;
	if (queue != NULL)
		*steps += session_describe(plan, queue, &list->op.arena, session);
	else
		session_describe_dead(plan, key, &list->op.arena, session);
	plan->walked += least;
	plan->described++;
	if (!answer_session(plan, &list->op, session, first))
		return false;
	list->count++;
	return true;
}

static void
make_page(struct plan *plan, struct sessions_op *list)
{
	const struct dead_letters *letters = &plan->state->catalog.dead;
	struct first_positions *first = &list->search->first;
	size_t steps = 0, next = 0;

	keep_first(first);
	list->total = list->search->found;
	list->sessions = arena_alloc(&list->op.arena, list->limit * sizeof(*list->sessions));
	for (; next < first->count && list->count < list->limit; next++) {
		const struct list_position *at = &first->positions[next];
		struct keyed_hash hash = keyed_hash_text(at->key);
		const struct queue *queue = pending(plan, at->key, hash);
		bool dead = list->search->filter.dead_apart &&
			    dead_letters_count(letters, at->key, hash) > 0;

		if (at->dead == dead && (dead || queue != NULL) &&
		    !add_session(plan, list, at->key, queue, &steps))
			break;
	}
	if (next < first->count)
		list->next_cursor = make_cursor(&list->op.arena, &first->positions[next - 1]);
}

/* Of the first slice of the search and of a page that may be full. */
static size_t
sessions_work(const struct op *op)
{
	const struct sessions_op *list = (const struct sessions_op *)op;
	bool one = list->address.session_key.s != NULL || list->address.queue_key.s != NULL;

	return one ? 0 : WORK_OP + FIRST_WORK + WORK_SESSION_ROW * list->limit;
}

static void
look_for_sessions(struct plan *plan, struct op *op)
{
	struct sessions_op *list = (struct sessions_op *)op;
	bool begins = list->search == NULL;

	if (begins && begin(plan, list) < 0)
		return;
	list->search->plan = plan;
	look_at_some(list->search, begins ? FIRST_SLOTS : SLICE_SLOTS);
}

static int
plan_sessions(struct plan *plan, struct op *op)
{
	struct sessions_op *list = (struct sessions_op *)op;

	if (!list->search->scan.over || !list->search->dead_scan.over) {
		op->work = sessions_work(op) > SLICE_WORK ? sessions_work(op) : SLICE_WORK;
		return PLAN_LATER;
	}
	make_page(plan, list);
	return PLAN_DONE;
}

void
sessions_op_init(struct sessions_op *op)
{
	static const struct op_kind kind = { OP_KIND(sessions_op, sessions), .work = sessions_work,
					     .look = look_for_sessions, .plan = plan_sessions };

	op_start(&op->op, &kind);
}
