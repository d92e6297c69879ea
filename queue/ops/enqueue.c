/*
 * enqueue.c - enqueue: check, route, compare with the queued events, make room, append (ROUTING
 * section 7).
 */
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"
#include "schema/prompt.h"

/* One draft with its queue and what it is compared by. */
struct candidate {
	struct op *op;
	struct draft *draft;
	struct cached_route route;
	struct str original; /* the session key as sent */
	struct queue *queue;
	uint64_t text_hash;
	uint32_t tag; /* the candidate holds one reference, which append passes on */
};

static bool
identical(const struct plan *plan, const struct candidate *c, const struct entry *entry)
{
	const struct tags *tags = &plan->state->catalog.tags;

	return entry->text_hash == c->text_hash && entry_text_bytes(entry) == c->draft->text.len &&
	       tags_get(tags, entry->tag)->match == tags_get(tags, c->tag)->match;
}

/*
 * Whether the queued event serves at least as well as the draft would: nobody holds it, it is
 * available no later, it expires no sooner, and its row can be read.
 */
static bool
serves(const struct plan *plan, const struct candidate *c, const struct entry *entry)
{
	if ((entry->flags & ENTRY_DAMAGED) != 0)
		return false;
	if (!entry_has_extra(entry))
		return true;
	struct extra extra = catalog_extra(&plan->state->catalog, entry->id);
	int64_t ttl_ms = c->draft->ttl_ms;

	return extra.lease == NULL &&
	       (extra.available_boot_ms == 0 ||
		extra.available_boot_ms <= plan->state->boot_ms + c->draft->delay_ms) &&
	       (extra.expires_boot_ms == 0 ||
		(ttl_ms > 0 && extra.expires_boot_ms >= plan->state->boot_ms + ttl_ms));
}

/*
 * Whether the queued event is the draft's twin, which makes the draft a duplicate. A draft with an
 * idempotency key of its own has none: its key alone tells it from others.
 */
static bool
is_twin(const struct plan *plan, const struct candidate *c, const struct entry *entry)
{
	return identical(plan, c, entry) && !draft_is_keyed(c->draft) && serves(plan, c, entry);
}

/* Of the queued events with the draft's context key, the oldest twin; NULL: there is none. */
static struct entry *
find_keyed_twin(struct plan *plan, const struct candidate *c)
{
	const struct catalog *catalog = &plan->state->catalog;
	int64_t ids[MATCHES_TWINS_MAX];
	size_t count = matches_find_twins(&catalog->matches, &catalog->tags, c->queue, c->tag,
					  c->text_hash, ids, &plan->walked);
	struct entry *twin = NULL;

	for (size_t i = 0; i < count; i++) {
		struct entry *entry = queue_entry(c->queue, ids[i]);

		if ((twin == NULL || ids[i] < twin->id) && is_twin(plan, c, entry))
			twin = entry;
	}
	return twin;
}

/* Compares with the newest event, or, if the draft has a context key, with every queued one. */
static struct entry *
find_duplicate(struct plan *plan, const struct candidate *c)
{
	if (c->draft->context_key.s != NULL)
		return find_keyed_twin(plan, c);
	struct entry *newest = queue_newest(c->queue);
	return newest != NULL && is_twin(plan, c, newest) ? newest : NULL;
}

/*
 * Finds the events that a replace removes: those that match, but for leased ones, which are left to
 * their holders. The ids are counted first and get no more memory than they need: each op of a
 * batch may meet many, and all arenas live until the batch ends.
 */
static struct id_list
find_replaced(struct plan *plan, const struct candidate *c)
{
	const struct catalog *catalog = &plan->state->catalog;
	size_t count =
	    matches_find(&catalog->matches, &catalog->tags, c->queue, c->tag, NULL, &plan->walked);
	struct id_list found = id_list_alloc(&c->op->arena, count);

	found.count = matches_find(&catalog->matches, &catalog->tags, c->queue, c->tag, found.ids,
				   &plan->walked);
	id_list_sort(&found);
	return found;
}

static int
full(struct op *op, uint64_t *counter, const char *what, size_t limit)
{
	++*counter;
	return error_set(&op->error, ERROR_QUEUE_FULL, "%s is %zu", what, limit);
}

/*
 * The event that makes room: the oldest of those that could be had now, or else the oldest delayed
 * one. NULL: consumers work on all of them.
 */
static const struct entry *
find_evictable(const struct queue *queue)
{
	bool any_available = queue->depth > queue->leased + queue->delayed;

	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e))
		if (!(e->flags & ENTRY_LEASED) && !(any_available && (e->flags & ENTRY_DELAYED)))
			return e;
	return NULL;
}

/*
 * Checks the limits for one more event. In a full session the event is refused, or another one is
 * evicted; an eviction does not change the last context.
 */
static int
make_room(struct plan *plan, const struct candidate *c)
{
	const struct engine_options *limit = &plan->state->options;

	if (plan->state->catalog.pending >= limit->pending_max)
		return full(c->op, &plan->state->stats.rejected_pending_full,
			    "too many events are pending; --max-pending-total", limit->pending_max);
	if (c->queue->depth == 0 && plan->state->catalog.sessions >= limit->sessions_max)
		return full(c->op, &plan->state->stats.rejected_sessions_full,
			    "too many sessions have events pending; --max-sessions",
			    limit->sessions_max);
	if (c->queue->depth < limit->session_pending_max)
		return 0;
	if (limit->overflow == OVERFLOW_REJECT)
		return full(c->op, &plan->state->stats.rejected_session_full,
			    "the session is full; --max-pending", limit->session_pending_max);
	const struct entry *evicted = find_evictable(c->queue);
	if (evicted == NULL)
		return full(c->op, &plan->state->stats.rejected_session_full,
			    "the session is full of leased events; --max-pending",
			    limit->session_pending_max);
	int64_t *id = arena_alloc(&c->op->arena, sizeof(*id));
	*id = evicted->id;
	if (c->draft->context_key.s == NULL) /* else the new event sets the last context anyway */
		journal_keep_last(&plan->state->catalog, c->queue, evicted);
	plan_settle(
	    plan, c->queue,
	    (struct store_outcome){
		.kind = OUTCOME_EVICTED, .detail = STR("overflow"), .ids = id, .count = 1 });
	return 0;
}

static struct system_event
event_of(const struct candidate *c)
{
	return (struct system_event){
		.session_key = c->route.queue_key,
		.original_session_key = c->original,
		.rule = c->route.rule,
		.text = c->draft->text,
		.context_key = c->draft->context_key,
		.source = c->draft->source,
		.traceparent = c->draft->traceparent,
		.delivery = c->draft->delivery,
		.wake = c->draft->wake,
		.prompt = prompt_kind(c->draft->text, c->draft->context_key),
		.state = EVENT_STATE_QUEUED,
	};
}

static int
append(struct plan *plan, const struct candidate *c, struct enqueue_result *result)
{
	if (make_room(plan, c) < 0) {
		tags_release(&plan->state->catalog.tags, c->tag);
		return -1;
	}
	result->event = event_of(c);
	plan_append(plan, c->queue, &result->event, c->text_hash, c->tag, c->draft->delay_ms,
		    c->draft->ttl_ms);
	result->id = result->event.id;
	answer_add_event(&c->op->answer, &result->event);
	if (c->draft->context_key.s != NULL)
		journal_set_last(&plan->state->catalog, c->queue, c->tag);
	return 0;
}

/*
 * A duplicate with wake "now" wakes as now, although nothing is stored: the twin counts as sent so
 * from here on, in memory only. If the twin is delayed, the wake comes at the end of its delay.
 */
static void
wake_twin(struct plan *plan, const struct candidate *c, struct entry *twin)
{
	struct system_event *told = arena_alloc(&c->op->arena, sizeof(*told));

	*told = (struct system_event){ .source = c->draft->source, .wake = WAKE_NOW };
	journal_set_now(&plan->state->catalog, c->queue, twin);
	if (entry_deliverable(twin))
		plan_wake(plan, c->queue, told);
}

static int
answer_duplicate(struct plan *plan, const struct candidate *c, struct entry *twin,
		 struct enqueue_result *result)
{
	result->outcome = ENQUEUE_DUPLICATE;
	result->id = twin->id;
	result->event.session_key = c->route.queue_key;
	result->event.state = entry_state(twin);
	result->event.attempts = twin->attempts;
	result->event.available_at_ms = entry_available_at(plan, twin);
	answer_add_entry(&c->op->answer, &plan->state->catalog, c->queue, twin);
	plan_want(plan, c->op, c->queue, twin, result->event.state, 0, &result->event);
	if (c->draft->wake == WAKE_NOW)
		wake_twin(plan, c, twin);
	tags_release(&plan->state->catalog.tags, c->tag);
	plan->duplicates++;
	return 0;
}

static int
enqueue_plain(struct plan *plan, const struct candidate *c, struct enqueue_result *result)
{
	struct entry *twin = c->draft->allow_duplicate ? NULL : find_duplicate(plan, c);

	if (twin != NULL)
		return answer_duplicate(plan, c, twin, result);
	result->outcome = ENQUEUE_QUEUED;
	return append(plan, c, result);
}

static int
enqueue_replacing(struct plan *plan, const struct candidate *c, struct enqueue_result *result)
{
	struct id_list replaced = find_replaced(plan, c);
	struct entry *first = replaced.count == 1 ? queue_entry(c->queue, replaced.ids[0]) : NULL;

	if (first != NULL && is_twin(plan, c, first))
		return answer_duplicate(plan, c, first, result);
	plan_settle(plan, c->queue,
		    (struct store_outcome){
			.kind = OUTCOME_REPLACED, .ids = replaced.ids, .count = replaced.count });
	result->outcome = replaced.count > 0 ? ENQUEUE_REPLACED : ENQUEUE_QUEUED;
	return append(plan, c, result);
}

/*
 * The original key for the tag: none if it is the queue key, so that such events share a plain tag.
 */
static struct str
rekeyed_from(const struct candidate *c)
{
	struct str sent = text_trim(c->original);

	return str_eq(sent, c->route.queue_key) ? STR_NULL : sent;
}

/* Finds the draft's queue, and what the draft is compared by. */
static int
make_candidate(struct plan *plan, struct op *op, struct draft *draft, struct candidate *c)
{
	*c = (struct candidate){ .op = op, .draft = draft, .original = draft->address.session_key };
	if (plan_route(plan, op, &draft->address, &c->route) < 0 ||
	    queue_key_check(c->route.queue_key, &op->error) < 0)
		return -1;
	if (c->original.s == NULL)
		c->original = STR("main"); /* an agent id alone means the agent's main session */
	c->queue =
	    catalog_find_or_add_hashed(&plan->state->catalog, c->route.queue_key, c->route.hash);
	queue_prefetch(c->queue);
	c->text_hash = text_hash(draft->text);
	c->tag = tags_intern(&plan->state->catalog.tags, draft->context_key, rekeyed_from(c),
			     &draft->delivery);
	return 0;
}

/*
 * Numbers that are kept of each event in an answer: the outcome, and the event as it was. The third
 * is its state and, where it was settled by its own batch, OUTCOME_SHIFT higher, what settled it.
 */
#define KEPT 5
#define OUTCOME_SHIFT 8

static int
enqueue_repeated(struct plan *plan, struct op *op, struct str answer, const struct draft *drafts,
		 struct enqueue_result *results, size_t count)
{
	struct kept_answer kept = idempotency_read(&op->arena, answer);
	const int64_t *numbers = kept.numbers;

	if (kept.count != KEPT * count)
		return error_set(&op->error, ERROR_IDEMPOTENCY_MISMATCH,
				 "the idempotency key was used for another request");
	for (size_t i = 0; i < count; i++, numbers += KEPT) {
		struct system_event *event = &results[i].event;

		results[i].outcome = (enum enqueue_outcome)numbers[0];
		results[i].id = numbers[1];
		event->state = (enum event_state)(numbers[2] & ((1 << OUTCOME_SHIFT) - 1));
		event->outcome = (enum outcome_kind)(numbers[2] >> OUTCOME_SHIFT);
		event->attempts = (int)numbers[3];
		event->available_at_ms = numbers[4];
		/* the same request, the same texts */
		answer_add_unknown(&op->answer, 1, drafts[i].text.len);
		plan_want_repeated(plan, op, results[i].id, event);
	}
	return 0;
}

/*
 * The results as an idempotency key keeps them. The plan knows them before the events are read.
 */
static struct kept_answer
keep(struct arena *arena, const struct enqueue_result *results, size_t count)
{
	int64_t *numbers = arena_alloc(arena, KEPT * count * sizeof(*numbers));

	for (size_t i = 0; i < count; i++) {
		const struct system_event *event = &results[i].event;
		const int64_t kept[KEPT] = { results[i].outcome, results[i].id,
					     event->state | (event->outcome << OUTCOME_SHIFT),
					     event->attempts, event->available_at_ms };

		memcpy(numbers + KEPT * i, kept, sizeof(kept));
	}
	return (struct kept_answer){ .numbers = numbers, .count = KEPT * count };
}

/* Keeps the answer under the request's key, which counts for the session of its first event. */
static int
enqueue_remember(struct plan *plan, struct op *op, const struct idempotency *request,
		 const struct enqueue_result *results, size_t count)
{
	if (request->key.s == NULL)
		return 0;
	struct kept_answer kept = keep(&op->arena, results, count);
	return idempotency_remember(plan, op, request, results[0].event.session_key, &kept);
}

static int
enqueue_one(struct plan *plan, struct op *op, struct draft *draft, struct enqueue_result *result)
{
	struct candidate c;
	struct str answer;

	if (draft_check(draft, &op->arena, &op->error) < 0)
		return -1;
	int recalled = idempotency_recall(plan, &draft->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : enqueue_repeated(plan, op, answer, draft, result, 1);
	if (make_candidate(plan, op, draft, &c) < 0)
		return -1;
	if ((draft->replace ? enqueue_replacing(plan, &c, result)
			    : enqueue_plain(plan, &c, result)) < 0)
		return -1;
	return enqueue_remember(plan, op, &draft->idempotency, result, 1);
}

/* --- events that a later draft of the same batch evicts or replaces --- */

struct settled {
	int64_t id;
	enum outcome_kind kind;
};

static int
by_id(const void *a, const void *b)
{
	return id_compare(&((const struct settled *)a)->id, &((const struct settled *)b)->id);
}

/* The events that the records settle from the outcome `first` on, in ascending id order. */
static struct settled *
list_settled(const struct store_batch *records, size_t first, struct arena *arena, size_t *count)
{
	size_t total = 0, n = 0;

	for (size_t i = first; i < records->outcome_count; i++)
		total += records->outcomes[i].count;
	struct settled *settled = arena_alloc(arena, total * sizeof(*settled));
	for (size_t i = first; i < records->outcome_count; i++)
		for (size_t j = 0; j < records->outcomes[i].count; j++)
			settled[n++] = (struct settled){ records->outcomes[i].ids[j],
							 records->outcomes[i].kind };
	qsort(settled, total, sizeof(*settled), by_id);
	*count = total;
	return settled;
}

/* *want: the op's first want that can be this duplicate's, whose event is still to be read. */
static void
mark_settled(struct plan *plan, struct enqueue_result *result, enum outcome_kind kind, size_t *want)
{
	result->event.state = EVENT_STATE_SETTLED;
	result->event.outcome = kind;
	if (result->outcome != ENQUEUE_DUPLICATE)
		return;
	while (plan->wants[*want].into != &result->event)
		++*want;
	plan->wants[*want].state = EVENT_STATE_SETTLED;
	plan->wants[*want].outcome = kind;
}

/*
 * Lets the results tell what became of their events by the end of the op, also in the answers kept
 * under the drafts' own keys. A result that repeats an earlier answer stays as it was given then.
 */
static void
tell_settled(struct plan *plan, struct enqueue_op *enqueue, const struct plan_mark *start)
{
	struct arena *arena = &enqueue->op.arena;
	size_t count, key = start->keys, want = start->wants;
	const struct settled *settled =
	    list_settled(&plan->records, start->outcomes, arena, &count);

	for (size_t i = 0; i < enqueue->count; i++) {
		struct enqueue_result *result = &enqueue->results[i];
		const struct idempotency *own = &enqueue->drafts[i].idempotency;

		if (own->key.s != NULL && own->replayed)
			continue;
		key += own->key.s != NULL;
		const struct settled *end = bsearch(&(struct settled){ .id = result->id }, settled,
						    count, sizeof(*settled), by_id);
		if (end == NULL)
			continue;
		mark_settled(plan, result, end->kind, &want);
		struct kept_answer kept = keep(arena, result, 1);
		if (own->key.s != NULL)
			plan_set_key_answer(plan, key - 1, idempotency_answer(arena, &kept));
	}
}

/* Looks up the request's own key first, then the keys of its drafts. */
static bool
enqueue_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	const struct enqueue_op *enqueue = (const struct enqueue_op *)op;

	(void)plan;
	if (index > enqueue->count)
		return false;
	const struct idempotency *request =
	    index == 0 ? &op->idempotency : &enqueue->drafts[index - 1].idempotency;
	if (!idempotency_lookup(request, ret))
		*ret = (struct lookup){ .kind = LOOKUP_NONE };
	return true;
}

static bool
enqueue_found(struct op *op, size_t index, const struct found *found)
{
	struct enqueue_op *enqueue = (struct enqueue_op *)op;

	idempotency_found(index == 0 ? &op->idempotency : &enqueue->drafts[index - 1].idempotency,
			  &op->arena, found->key);
	return true;
}

/* Of a single event the plan tells as well. */
static size_t
enqueue_work(const struct op *op)
{
	const struct enqueue_op *enqueue = (const struct enqueue_op *)op;
	size_t bytes = 0;

	if (enqueue->count == 1)
		return 0;
	for (size_t i = 0; i < enqueue->count; i++)
		bytes += enqueue->drafts[i].text.len;
	return WORK_OP + WORK_EVENT * enqueue->count + bytes / WORK_TEXT_BYTES;
}

static int
plan_enqueue(struct plan *plan, struct op *op)
{
	struct enqueue_op *enqueue = (struct enqueue_op *)op;
	struct plan_mark start = plan_mark(plan);
	struct str answer;

	if (enqueue->count > plan->state->options.batch_events_max)
		return error_set(&op->error, ERROR_TOO_LARGE, "a batch holds at most %zu events",
				 plan->state->options.batch_events_max);
	enqueue->results = arena_alloc(&op->arena, enqueue->count * sizeof(*enqueue->results));
	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1
				    : enqueue_repeated(plan, op, answer, enqueue->drafts,
						       enqueue->results, enqueue->count);
	for (size_t i = 0; i < enqueue->count; i++) {
		enqueue->failed = i;
		if (enqueue_one(plan, op, &enqueue->drafts[i], &enqueue->results[i]) < 0)
			return -1;
	}
	if (enqueue->count > 1 && plan->records.outcome_count > start.outcomes)
		tell_settled(plan, enqueue, &start);
	return enqueue_remember(plan, op, &op->idempotency, enqueue->results, enqueue->count);
}

void
enqueue_op_init(struct enqueue_op *op)
{
	static const struct op_kind kind = { OP_KIND(enqueue_op, results), .appends = true,
					     .work = enqueue_work,         .plan = plan_enqueue,
					     .lookup = enqueue_lookup,     .found = enqueue_found };

	op_start(&op->op, &kind);
}
