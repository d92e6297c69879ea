/*
 * look.c - the calls that only look: peek, find, sessions. They are ops like the others, so that what they show has
 * been committed; they cost no commit of their own.
 */
#include "queue/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/session_key.h"

/* A page of sessions ends early when its queues hold this many events together: the list walks each of them. */
#define PAGE_ENTRIES_MAX 200000

static int
plan_peek(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_peek *peek = (struct sevq_peek *)op;
	struct sevq_queue *queue;
	int64_t after = 0;
	if (peek->after.s != NULL && !sevq_event_id_parse(peek->after, &after))
		return sevq_fail_field(&op->error, "after", "not an event id");
	if (sevq_plan_queue(plan, op, &peek->address, &peek->session_key, &queue) < 0)
		return -1;
	if (queue == NULL)
		return 0;
	size_t limit = peek->limit < queue->depth ? peek->limit : queue->depth, bytes = 0;
	peek->depth = queue->depth;
	peek->found.events = sevq_arena_alloc(&op->arena, (limit + 1) * sizeof *peek->found.events);
	for (const struct sevq_entry *e = sevq_queue_first(queue, after); e != NULL; e = sevq_queue_next(queue, e)) {
		bytes += sevq_entry_text_bytes(e);
		peek->more = peek->found.count == limit || (bytes > SEVQ_ANSWER_TEXT_BYTES_MAX && peek->found.count > 0);
		if (peek->more)
			break;
		sevq_plan_want(plan, op, e, sevq_entry_state(e), 0, &peek->found.events[peek->found.count++]);
	}
	return 0;
}

static bool
find_lookup(const struct sevq_plan *plan, const struct sevq_op *op, size_t index, struct sevq_lookup *ret)
{
	(void)plan;
	*ret = (struct sevq_lookup){ .kind = SEVQ_LOOKUP_TIMELINE };
	return index == 0 && sevq_event_id_parse(((const struct sevq_find *)op)->id, &ret->id);
}

static void
find_found(struct sevq_op *op, size_t index, const struct sevq_found *found)
{
	struct sevq_find *find = (struct sevq_find *)op;
	const struct sevq_store_outcome *outcome = found->outcome;
	(void)index;
	if (found->event != NULL) {
		sevq_event_copy(&find->found, found->event, &op->arena);
		find->timeline_count = 0;
		return;
	}
	if (find->timeline_count == find->timeline_cap) {
		struct sevq_timeline_entry *more = sevq_arena_alloc(&op->arena, (find->timeline_cap + 1) * 2 * sizeof *more);
		if (find->timeline_count > 0)
			memcpy(more, find->timeline, find->timeline_count * sizeof *more);
		find->timeline = more;
		find->timeline_cap = (find->timeline_cap + 1) * 2;
	}
	find->timeline[find->timeline_count++] =
	    (struct sevq_timeline_entry){ outcome->kind, outcome->ts_ms, outcome->until_ms, sevq_outcome_lease(outcome),
					  sevq_arena_dup(&op->arena, outcome->detail) };
}

/* The event and its timeline were looked up; where it stands now, the catalog knows, and how it ended, the timeline. */
static int
plan_find(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_find *find = (struct sevq_find *)op;
	find->event = find->found;
	if (find->event.id == 0)
		return sevq_fail(&op->error, SEVQ_NOT_FOUND, "no event has this id, or it has been forgotten");
	const struct sevq_queue *queue = sevq_catalog_find(&plan->catalog, find->event.session_key);
	const struct sevq_entry *entry = queue != NULL ? sevq_queue_entry(queue, find->event.id) : NULL;
	find->event.state = entry != NULL ? sevq_entry_state(entry) : SEVQ_STATE_SETTLED;
	find->event.attempts = entry != NULL ? entry->attempts : 0;
	if (entry != NULL && sevq_entry_available_at(plan, entry) > 0)
		find->event.available_at_ms = sevq_entry_available_at(plan, entry);
	for (size_t i = 0; i < find->timeline_count; i++) {
		enum sevq_outcome_kind kind = find->timeline[i].kind;
		if (kind <= SEVQ_OUTCOME_LAST_SETTLING)
			find->event.outcome = kind;
		if (entry == NULL && (kind == SEVQ_OUTCOME_NACKED || kind == SEVQ_OUTCOME_LAPSED || kind == SEVQ_OUTCOME_DEAD))
			find->event.attempts++;
	}
	if (entry != NULL || find->event.outcome != 0)
		return SEVQ_PLANNED;
	if (op->again)
		return sevq_fail(&op->error, SEVQ_NOT_FOUND, "how this event ended has been forgotten");
	return SEVQ_PLAN_AGAIN; /* settled by an op before this one in the batch: its outcome is there next turn */
}

/* A session's place in the list: ascending by value, then by key. */
struct place {
	int64_t value;
	struct sevq_str key;
	const struct sevq_queue *queue;
};

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : sevq_str_cmp(x->key, y->key);
}

static int64_t
sort_value(enum sevq_sort sort, const struct sevq_queue *queue)
{
	switch (sort) {
	case SEVQ_SORT_DEPTH:
		return -(int64_t)queue->depth;
	case SEVQ_SORT_OLDEST:
		return sevq_queue_first(queue, 0)->ts_ms;
	case SEVQ_SORT_NEWEST:
		return -sevq_queue_newest(queue)->ts_ms;
	case SEVQ_SORT_KEY:
		break;
	}
	return 0;
}

/* A cursor is the place of the last session shown: "<value>:<key>". */
static int
read_cursor(struct sevq_sessions *list, struct place *ret)
{
	char digits[24];
	const char *colon = memchr(list->cursor.s, ':', list->cursor.len);
	size_t len = colon != NULL ? (size_t)(colon - list->cursor.s) : 0;
	if (len == 0 || len >= sizeof digits)
		return sevq_fail_field(&list->op.error, "cursor", "not a cursor of an earlier page");
	memcpy(digits, list->cursor.s, len);
	digits[len] = '\0';
	char *end;
	ret->value = strtoll(digits, &end, 10);
	ret->key = (struct sevq_str){ colon + 1, list->cursor.len - len - 1 };
	if (*end != '\0' || ret->key.len == 0)
		return sevq_fail_field(&list->op.error, "cursor", "not a cursor of an earlier page");
	return 0;
}

static struct sevq_str
make_cursor(struct sevq_arena *arena, const struct place *last)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64 ":", last->value);
	char *text = sevq_arena_bytes(arena, (size_t)len + last->key.len);
	memcpy(text, digits, (size_t)len);
	memcpy(text + len, last->key.s, last->key.len);
	return (struct sevq_str){ text, (size_t)len + last->key.len };
}

struct filter {
	struct sevq_str only;   /* one queue key; NULL: all */
	struct sevq_str agent;  /* "agent:<id>:"; NULL: all */
	struct sevq_str prefix; /* NULL: all */
	int64_t min_age_ms, oldest_before_ms;
};

static bool
passes(const struct filter *filter, const struct sevq_queue *queue)
{
	struct sevq_str key = queue->session.key;
	return queue->depth > 0 && sevq_str_starts(key, filter->agent) && sevq_str_starts(key, filter->prefix) &&
	       (filter->min_age_ms == 0 || sevq_queue_first(queue, 0)->ts_ms <= filter->oldest_before_ms);
}

/* The next queue that may pass: as sevq_catalog_each. */
static const struct sevq_queue *
next_queue(const struct sevq_catalog *catalog, const struct filter *filter, size_t *at)
{
	if (filter->only.s == NULL)
		return sevq_catalog_each(catalog, at);
	return (*at)++ == 0 ? sevq_catalog_find(catalog, filter->only) : NULL;
}

static int
make_filter(struct sevq_plan *plan, struct sevq_sessions *list, struct filter *ret)
{
	*ret = (struct filter){ .prefix = list->prefix,
				.min_age_ms = list->min_age_ms,
				.oldest_before_ms = plan->now_ms - list->min_age_ms };
	struct sevq_place place;
	if (list->address.session_key.s == NULL) {
		if (list->address.agent_id.s != NULL)
			ret->agent = sevq_agent_key_prefix(&list->op.arena, list->address.agent_id);
		return sevq_address_check(&list->address, &list->op.error);
	}
	if (sevq_plan_route(plan, &list->op, &list->address, &place) < 0)
		return -1;
	ret->only = place.queue_key;
	return 0;
}

/* The first of all places that were added. More are held than asked for, so that they need not be sorted each time. */
struct first_places {
	struct place *places; /* room for 2 * most */
	size_t most, count;
	bool full; /* places[most - 1] has enough before it: what stands behind it cannot be among the first */
};

static void
sort_out(struct first_places *first)
{
	qsort(first->places, first->count, sizeof *first->places, by_place);
	first->full = first->count >= first->most;
	if (first->full)
		first->count = first->most;
}

static void
add_place(struct first_places *first, struct place place)
{
	if (first->full && by_place(&first->places[first->most - 1], &place) < 0)
		return;
	if (first->count == 2 * first->most)
		sort_out(first);
	first->places[first->count++] = place;
}

/*
 * The first places, one more than the page has, of sessions that pass and stand behind the cursor; total counts those before
 * it too.
 */
static struct place *
find_places(struct sevq_plan *plan, struct sevq_sessions *list, const struct filter *filter, const struct place *cursor,
	    size_t *count)
{
	struct first_places first = { .most = list->limit + 1 };
	const struct sevq_queue *queue;
	first.places = sevq_arena_alloc(&list->op.arena, 2 * first.most * sizeof *first.places);
	for (size_t at = 0; (queue = next_queue(&plan->catalog, filter, &at)) != NULL;) {
		if (!passes(filter, queue))
			continue;
		struct place place = { sort_value(list->sort, queue), queue->session.key, queue };
		list->total++;
		if (cursor == NULL || by_place(cursor, &place) < 0)
			add_place(&first, place);
	}
	sort_out(&first);
	*count = first.count;
	return first.places;
}

static int
by_key(const void *a, const void *b)
{
	return sevq_str_cmp(((const struct sevq_rekeyed_from *)a)->key, ((const struct sevq_rekeyed_from *)b)->key);
}

static int
by_count(const void *a, const void *b)
{
	const struct sevq_rekeyed_from *x = a, *y = b;
	return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : by_key(a, b);
}

/* Adds up equal keys, then puts the most frequent first. */
static size_t
tally(struct sevq_rekeyed_from *from, size_t count)
{
	size_t distinct = 0;
	if (count == 0)
		return 0;
	qsort(from, count, sizeof *from, by_key);
	for (size_t i = 0; i < count; i++) {
		if (distinct > 0 && sevq_str_eq(from[distinct - 1].key, from[i].key))
			from[distinct - 1].count += from[i].count;
		else
			from[distinct++] = from[i];
	}
	qsort(from, distinct, sizeof *from, by_count);
	return distinct;
}

/* One walk over the queue: the merged delivery context, and where its events came from. Runs of one tag count at once. */
static void
walk(const struct sevq_tags *tags, const struct sevq_queue *queue, struct sevq_arena *arena, struct sevq_session *ret)
{
	struct sevq_rekeyed_from *from = NULL;
	size_t count = 0, cap = 0;
	const struct sevq_tag *tag, *before = NULL;
	for (const struct sevq_entry *e = sevq_queue_first(queue, 0); e != NULL; e = sevq_queue_next(queue, e), before = tag) {
		tag = sevq_tags_get(tags, e->tag);
		if (tag != before && !sevq_delivery_none(&tag->delivery)) {
			struct sevq_delivery older = ret->delivery;
			sevq_delivery_merge(&older, &tag->delivery, &ret->delivery);
		}
		if (tag->original_key.len == 0)
			continue;
		if (tag != before) {
			from = sevq_grow(from, &cap, count + 1, sizeof *from);
			from[count++] = (struct sevq_rekeyed_from){ tag->original_key, 0 };
		}
		from[count - 1].count++;
	}
	ret->rekeyed_from_count = tally(from, count);
	struct sevq_rekeyed_from *copy = sevq_arena_alloc(arena, (ret->rekeyed_from_count + 1) * sizeof *copy);
	for (size_t i = 0; i < ret->rekeyed_from_count; i++)
		copy[i] = (struct sevq_rekeyed_from){ sevq_arena_dup(arena, from[i].key), from[i].count };
	ret->rekeyed_from = copy;
	free(from);
}

static void
describe(const struct sevq_plan *plan, const struct sevq_queue *queue, struct sevq_arena *arena, struct sevq_session *ret)
{
	const struct sevq_tags *tags = &plan->catalog.tags;
	struct sevq_delivery *d = &ret->delivery;
	walk(tags, queue, arena, ret);
	ret->session_key = sevq_arena_dup(arena, queue->session.key);
	ret->agent_id = sevq_session_key_agent(ret->session_key);
	ret->depth = queue->depth;
	ret->leased = queue->leased;
	ret->delayed = queue->delayed;
	ret->waiters = sevq_plan_waiters(plan, queue->session.key);
	ret->oldest_ts_ms = sevq_queue_first(queue, 0)->ts_ms;
	ret->newest_ts_ms = sevq_queue_newest(queue)->ts_ms;
	ret->last_context_key = sevq_arena_dup(arena, sevq_tags_get(tags, queue->last_tag)->context_key);
	d->channel = sevq_arena_dup(arena, d->channel);
	d->to = sevq_arena_dup(arena, d->to);
	d->account_id = sevq_arena_dup(arena, d->account_id);
	d->thread_id = sevq_arena_dup(arena, d->thread_id);
}

static int
plan_sessions(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_sessions *list = (struct sevq_sessions *)op;
	struct place cursor;
	struct filter filter;
	if (list->cursor.s != NULL && read_cursor(list, &cursor) < 0)
		return -1;
	if (make_filter(plan, list, &filter) < 0)
		return -1;
	size_t behind, entries = 0;
	struct place *places = find_places(plan, list, &filter, list->cursor.s != NULL ? &cursor : NULL, &behind);
	list->sessions = sevq_arena_alloc(&op->arena, (list->limit + 1) * sizeof *list->sessions);
	for (list->count = 0; list->count < behind && list->count < list->limit; list->count++) {
		entries += places[list->count].queue->depth;
		if (entries > PAGE_ENTRIES_MAX && list->count > 0)
			break;
		describe(plan, places[list->count].queue, &op->arena, &list->sessions[list->count]);
	}
	if (list->count < behind)
		list->next_cursor = make_cursor(&op->arena, &places[list->count - 1]);
	return 0;
}

void
sevq_peek_init(struct sevq_peek *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(peek, session_key), .plan = plan_peek };
	sevq_op_start(&op->op, &kind);
}

void
sevq_find_init(struct sevq_find *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(find, event), .plan = plan_find, .lookup = find_lookup,
						  .found = find_found };
	sevq_op_start(&op->op, &kind);
}

void
sevq_sessions_init(struct sevq_sessions *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(sessions, sessions), .plan = plan_sessions };
	sevq_op_start(&op->op, &kind);
}
