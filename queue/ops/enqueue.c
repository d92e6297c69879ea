/*
 * enqueue.c - enqueue: check, route, compare with what is queued, make room, append (ROUTING section 7).
 */
#include "queue/ops/idempotency.h"

#include "schema/prompt.h"

/* One draft on its way in. */
struct candidate {
	struct sevq_op *op;
	struct sevq_draft *draft;
	struct sevq_place place;
	struct sevq_str original; /* the session key as sent */
	struct sevq_queue *queue;
	uint64_t text_hash;
	uint32_t tag; /* one reference, ours until the event is appended */
};

static bool
matches(const struct sevq_plan *plan, const struct candidate *c, const struct sevq_entry *entry)
{
	const struct sevq_tags *tags = &plan->catalog.tags;
	return sevq_tags_get(tags, entry->tag)->match == sevq_tags_get(tags, c->tag)->match;
}

static bool
identical(const struct sevq_plan *plan, const struct candidate *c, const struct sevq_entry *entry)
{
	return entry->text_hash == c->text_hash && sevq_entry_text_bytes(entry) == c->draft->text.len && matches(plan, c, entry);
}

/* Without a context key only the newest event counts; with one, every queued event does. */
static const struct sevq_entry *
find_duplicate(const struct sevq_plan *plan, const struct candidate *c)
{
	if (c->draft->context_key.s == NULL) {
		const struct sevq_entry *newest = sevq_queue_newest(c->queue);
		return newest != NULL && identical(plan, c, newest) ? newest : NULL;
	}
	for (const struct sevq_entry *e = sevq_queue_first(c->queue, 0); e != NULL; e = sevq_queue_next(c->queue, e))
		if (identical(plan, c, e))
			return e;
	return NULL;
}

/* The oldest pending event that a replace removes, and how many there are: all that match. */
static const struct sevq_entry *
find_matching(const struct sevq_plan *plan, const struct candidate *c, size_t *count)
{
	const struct sevq_entry *oldest = NULL;
	*count = 0;
	for (const struct sevq_entry *e = sevq_queue_first(c->queue, 0); e != NULL; e = sevq_queue_next(c->queue, e)) {
		if (!matches(plan, c, e))
			continue;
		oldest = oldest != NULL ? oldest : e;
		++*count;
	}
	return oldest;
}

/* Takes those out. Their ids have the room that they need and no more: a batch of replaces may look at a long queue each time. */
static void
remove_matching(struct sevq_plan *plan, const struct candidate *c, const struct sevq_entry *oldest, size_t count)
{
	int64_t *ids = sevq_arena_alloc(&c->op->arena, count * sizeof *ids);
	size_t found = 0;
	for (const struct sevq_entry *e = oldest; found < count; e = sevq_queue_next(c->queue, e))
		if (matches(plan, c, e))
			ids[found++] = e->id;
	sevq_plan_settle(plan, c->queue, (struct sevq_store_outcome){ .kind = SEVQ_OUTCOME_REPLACED, .ids = ids, .count = count });
}

static int
full(struct sevq_op *op, uint64_t *counter, const char *what, size_t limit)
{
	++*counter;
	return sevq_fail(&op->error, SEVQ_QUEUE_FULL, "%s; the limit is %zu", what, limit);
}

/* Room for one more event: refused, or made by evicting the oldest (which does not touch the last context). */
static int
make_room(struct sevq_plan *plan, const struct candidate *c)
{
	const struct sevq_engine_options *limit = plan->options;
	if (plan->catalog.pending >= limit->pending_max)
		return full(c->op, &plan->stats->rejected_pending_full, "too many events are pending", limit->pending_max);
	if (c->queue->depth == 0 && plan->catalog.sessions >= limit->sessions_max)
		return full(c->op, &plan->stats->rejected_sessions_full, "too many sessions have events pending",
			    limit->sessions_max);
	if (c->queue->depth < limit->session_pending_max)
		return 0;
	if (limit->overflow == SEVQ_OVERFLOW_REJECT)
		return full(c->op, &plan->stats->rejected_session_full, "the session is full", limit->session_pending_max);
	const struct sevq_entry *oldest = sevq_queue_first(c->queue, 0);
	while (oldest != NULL && (oldest->flags & SEVQ_ENTRY_LEASED)) /* a consumer has it in hand */
		oldest = sevq_queue_next(c->queue, oldest);
	if (oldest == NULL)
		return full(c->op, &plan->stats->rejected_session_full, "the session is full of leased events",
			    limit->session_pending_max);
	int64_t *id = sevq_arena_alloc(&c->op->arena, sizeof *id);
	*id = oldest->id;
	if (c->draft->context_key.s == NULL) /* else it has another at once */
		sevq_queue_outlive(&plan->catalog, c->queue, oldest);
	sevq_plan_settle(
	    plan, c->queue,
	    (struct sevq_store_outcome){ .kind = SEVQ_OUTCOME_EVICTED, .detail = SEVQ_STR("overflow"), .ids = id, .count = 1 });
	return 0;
}

static struct sevq_event
event_of(const struct candidate *c)
{
	return (struct sevq_event){
		.session_key = c->place.queue_key,
		.original_session_key = c->original,
		.rule = c->place.rule,
		.text = c->draft->text,
		.context_key = c->draft->context_key,
		.source = c->draft->source,
		.traceparent = c->draft->traceparent,
		.delivery = c->draft->delivery,
		.wake = c->draft->wake,
		.exec_completion = sevq_prompt_is_exec_completion(c->draft->text),
		.state = SEVQ_STATE_QUEUED,
	};
}

static int
append(struct sevq_plan *plan, const struct candidate *c, struct sevq_enqueue_result *result)
{
	if (make_room(plan, c) < 0) {
		sevq_tags_release(&plan->catalog.tags, c->tag);
		return -1;
	}
	result->event = event_of(c);
	sevq_plan_append(plan, c->queue, &result->event, c->text_hash, c->tag, c->draft->delay_ms, c->draft->ttl_ms);
	result->id = result->event.id;
	if (c->draft->context_key.s != NULL)
		sevq_queue_set_last(&plan->catalog, c->queue, c->tag);
	return 0;
}

static int
answer_duplicate(struct sevq_plan *plan, const struct candidate *c, const struct sevq_entry *twin,
		 struct sevq_enqueue_result *result)
{
	result->outcome = SEVQ_DUPLICATE;
	result->id = twin->id;
	result->event.state = sevq_entry_state(twin);
	result->event.attempts = twin->attempts;
	result->event.available_at_ms = sevq_entry_available_at(plan, twin);
	sevq_plan_want(plan, c->op, twin, result->event.state, 0, &result->event);
	sevq_tags_release(&plan->catalog.tags, c->tag);
	plan->duplicates++;
	return 0;
}

static int
enqueue_plain(struct sevq_plan *plan, const struct candidate *c, struct sevq_enqueue_result *result)
{
	const struct sevq_entry *twin = c->draft->allow_duplicate ? NULL : find_duplicate(plan, c);
	if (twin != NULL)
		return answer_duplicate(plan, c, twin, result);
	result->outcome = SEVQ_QUEUED;
	return append(plan, c, result);
}

static int
enqueue_replacing(struct sevq_plan *plan, const struct candidate *c, struct sevq_enqueue_result *result)
{
	size_t count;
	const struct sevq_entry *oldest = find_matching(plan, c, &count);
	if (count == 1 && identical(plan, c, oldest))
		return answer_duplicate(plan, c, oldest, result);
	if (count > 0)
		remove_matching(plan, c, oldest, count);
	result->outcome = count > 0 ? SEVQ_REPLACED : SEVQ_QUEUED;
	return append(plan, c, result);
}

/* The original key is kept with the tag only where it says something: when it is not the queue key. */
static struct sevq_str
rekeyed_from(const struct candidate *c)
{
	struct sevq_str sent = sevq_trim(c->original);
	return sevq_str_eq(sent, c->place.queue_key) ? SEVQ_STR_NULL : sent;
}

/* Who the draft is for, and what it is compared by. */
static int
make_candidate(struct sevq_plan *plan, struct sevq_op *op, struct sevq_draft *draft, struct candidate *c)
{
	*c = (struct candidate){ .op = op, .draft = draft, .original = draft->address.session_key };
	if (sevq_plan_route(plan, op, &draft->address, &c->place) < 0 || sevq_queue_key_check(c->place.queue_key, &op->error) < 0)
		return -1;
	if (c->original.s == NULL)
		c->original = SEVQ_STR("main"); /* what an agent id alone means */
	c->queue = sevq_catalog_need_hashed(&plan->catalog, c->place.queue_key, c->place.hash);
	sevq_queue_expect(c->queue);
	c->text_hash = sevq_text_hash(draft->text);
	c->tag = sevq_tags_intern(&plan->catalog.tags, draft->context_key, rekeyed_from(c), &draft->delivery);
	return 0;
}

/* What is kept of each event in an answer: the outcome, and the event as it was then. */
#define KEPT 5

static int
enqueue_again(struct sevq_plan *plan, struct sevq_op *op, struct sevq_str answer, const struct sevq_draft *drafts,
	      struct sevq_enqueue_result *results, size_t count)
{
	int64_t *numbers;
	if (sevq_answers_numbers(&op->arena, answer, &numbers) != KEPT * count)
		return sevq_fail(&op->error, SEVQ_IDEMPOTENCY_MISMATCH, "the idempotency key was used for another request");
	for (size_t i = 0; i < count; i++, numbers += KEPT) {
		struct sevq_event *event = &results[i].event;
		results[i].outcome = (enum sevq_enqueue_outcome)numbers[0];
		results[i].id = numbers[1];
		event->state = (enum sevq_state)numbers[2];
		event->attempts = (int)numbers[3];
		event->available_at_ms = numbers[4];
		sevq_plan_want_again(plan, op, results[i].id, drafts[i].text.len, event); /* the same request, the same texts */
	}
	return 0;
}

/* Of an event that is still to be read, the result has what it was asked to be. */
static int
remember(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_idempotency *request,
	 const struct sevq_enqueue_result *results, size_t count)
{
	if (request->key.s == NULL)
		return 0;
	int64_t *numbers = sevq_arena_alloc(&op->arena, KEPT * count * sizeof *numbers);
	for (size_t i = 0; i < count; i++) {
		const struct sevq_event *event = &results[i].event;
		const int64_t kept[KEPT] = { results[i].outcome, results[i].id, event->state, event->attempts,
					     event->available_at_ms };
		memcpy(numbers + KEPT * i, kept, sizeof kept);
	}
	return sevq_answers_remember(plan, op, request, numbers, KEPT * count);
}

static int
enqueue_one(struct sevq_plan *plan, struct sevq_op *op, struct sevq_draft *draft, struct sevq_enqueue_result *result)
{
	struct candidate c;
	struct sevq_str answer;
	if (sevq_draft_check(draft, &op->arena, &op->error) < 0)
		return -1;
	int recalled = sevq_answers_recall(plan, &draft->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : enqueue_again(plan, op, answer, draft, result, 1);
	if (make_candidate(plan, op, draft, &c) < 0)
		return -1;
	if ((draft->replace ? enqueue_replacing(plan, &c, result) : enqueue_plain(plan, &c, result)) < 0)
		return -1;
	return remember(plan, op, &draft->idempotency, result, 1);
}

/* The request's own key first, then those of its drafts. */
static bool
enqueue_lookup(const struct sevq_plan *plan, const struct sevq_op *op, size_t index, struct sevq_lookup *ret)
{
	const struct sevq_enqueue *enqueue = (const struct sevq_enqueue *)op;
	(void)plan;
	if (index > enqueue->count)
		return false;
	const struct sevq_idempotency *request = index == 0 ? &op->idempotency : &enqueue->drafts[index - 1].idempotency;
	if (!sevq_answers_lookup(request, ret))
		*ret = (struct sevq_lookup){ .kind = SEVQ_LOOKUP_NONE };
	return true;
}

static void
enqueue_found(struct sevq_op *op, size_t index, const struct sevq_found *found)
{
	struct sevq_enqueue *enqueue = (struct sevq_enqueue *)op;
	sevq_answers_found(index == 0 ? &op->idempotency : &enqueue->drafts[index - 1].idempotency, &op->arena, found->key);
}

static int
plan_enqueue(struct sevq_plan *plan, struct sevq_op *op)
{
	struct sevq_enqueue *enqueue = (struct sevq_enqueue *)op;
	struct sevq_str answer;
	if (enqueue->count > plan->options->batch_events_max)
		return sevq_fail(&op->error, SEVQ_TOO_LARGE, "a batch holds at most %zu events", plan->options->batch_events_max);
	enqueue->results = sevq_arena_alloc(&op->arena, enqueue->count * sizeof *enqueue->results);
	int recalled = sevq_answers_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : enqueue_again(plan, op, answer, enqueue->drafts, enqueue->results, enqueue->count);
	for (size_t i = 0; i < enqueue->count; i++) {
		enqueue->failed = i;
		if (enqueue_one(plan, op, &enqueue->drafts[i], &enqueue->results[i]) < 0)
			return -1;
	}
	return remember(plan, op, &op->idempotency, enqueue->results, enqueue->count);
}

void
sevq_enqueue_init(struct sevq_enqueue *op)
{
	static const struct sevq_op_kind kind = { SEVQ_OP_KIND(enqueue, results), .appends = true, .plan = plan_enqueue,
						  .lookup = enqueue_lookup, .found = enqueue_found };
	sevq_op_start(&op->op, &kind);
}
