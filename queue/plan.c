/* plan.c - what an op may change in a batch, and undoing it. */
#include "queue/plan.h"

#include <assert.h>
#include <stdlib.h>

#include "queue/budget.h"

struct plan_mark
plan_mark(const struct plan *plan)
{
	return (struct plan_mark){ .journal = journal_mark(&plan->state->catalog),
				   .events = plan->records.event_count,
				   .outcomes = plan->records.outcome_count,
				   .keys = plan->records.key_count,
				   .wants = plan->want_count,
				   .woken = plan->woken_count,
				   .set = plan->set_count,
				   .drops = plan->drop_count,
				   .duplicates = plan->duplicates,
				   .walked = plan->walked,
				   .new_sessions = plan->new_sessions,
				   .described = plan->described,
				   .next_event = plan->state->next_event,
				   .next_outcome = plan->state->next_outcome };
}

size_t
plan_work(const struct plan *plan, const struct op *op, struct plan_mark since)
{
	const struct store_batch *records = &plan->records;
	size_t events = records->event_count - since.events + plan->want_count - since.wants,
	       rows = records->outcome_count - since.outcomes + records->key_count - since.keys,
	       ids = 0;

	for (size_t i = since.outcomes; i < records->outcome_count; i++)
		ids += records->outcomes[i].count;
	return WORK_OP + WORK_EVENT * events + WORK_RECORD * rows + ids / WORK_IDS +
	       WORK_DUPLICATE * (plan->duplicates - since.duplicates) +
	       op->answer.text / WORK_TEXT_BYTES +
	       (journal_mark(&plan->state->catalog) - since.journal) / WORK_CHANGES +
	       (plan->drop_count - since.drops) / WORK_DROPS +
	       (plan->walked - since.walked) / WORK_ENTRIES +
	       WORK_SESSION * (plan->new_sessions - since.new_sessions) +
	       WORK_SESSION_ROW * (plan->described - since.described);
}

/* --- idempotency keys of the batch --- */

static bool
same_key(const void *item, const void *key)
{
	return str_eq(((const struct store_key *)item)->key, *(const struct str *)key);
}

const struct store_key *
plan_find_key(const struct plan *plan, struct str key)
{
	return table_find(&plan->keys, keyed_hash_text(key), same_key, &key);
}

void
plan_add_key(struct plan *plan, struct store_key *key)
{
	struct store_batch *records = &plan->records;

	records->keys = mem_grow(records->keys, &records->key_cap, records->key_count + 1,
				 sizeof(*records->keys));
	records->keys[records->key_count++] = *key;
	table_add(&plan->keys, keyed_hash_text(key->key), key);
}

void
plan_set_key_answer(struct plan *plan, size_t index, struct str answer)
{
	struct store_key *record = &plan->records.keys[index];
	struct store_key *key =
	    table_find(&plan->keys, keyed_hash_text(record->key), same_key, &record->key);

	record->answer = key->answer = answer;
}

/* Removes all keys but the first count. */
static void
forget_keys(struct plan *plan, size_t count)
{
	struct store_batch *records = &plan->records;

	for (; records->key_count > count; records->key_count--) {
		struct str key = records->keys[records->key_count - 1].key;

		table_remove(&plan->keys, keyed_hash_text(key),
			     table_find(&plan->keys, keyed_hash_text(key), same_key, &key));
	}
}

/* --- undoing --- */

void
plan_undo(struct plan *plan, struct plan_mark mark)
{
	journal_rollback(&plan->state->catalog, mark.journal);
	forget_keys(plan, mark.keys);
	plan->records.event_count = mark.events;
	plan->records.outcome_count = mark.outcomes;
	plan->want_count = mark.wants;
	plan->woken_count = mark.woken;
	plan->set_count = mark.set;
	plan->drop_count = mark.drops;
	plan->duplicates = mark.duplicates;
	plan->state->next_event = mark.next_event;
	plan->state->next_outcome = mark.next_outcome;
}

void
plan_reset(struct plan *plan)
{
	table_clear(&plan->keys);
	arena_clear(&plan->arena);
	plan->records.event_count = plan->records.outcome_count = plan->records.key_count =
	    plan->records.context_count = plan->records.drop_count = 0;
	plan->records.mark = NULL;
	plan->want_count = plan->woken_count = plan->popped_count = plan->set_count =
	    plan->drop_count = plan->duplicates = plan->walked = plan->new_sessions =
		plan->described = 0;
}

void
plan_clear(struct plan *plan)
{
	arena_clear(&plan->arena);
	free(plan->records.events);
	free(plan->records.outcomes);
	free(plan->records.keys);
	free(plan->records.contexts);
	free(plan->records.drops);
	free(plan->drops);
	free(plan->wants);
	free(plan->woken);
	table_clear(&plan->keys);
	free(plan->popped);
	free(plan->set);
}

/* --- routing --- */

/* Copies the decision from the route cache. False: the cache does not have it. */
static bool
find_cached_route(struct plan *plan, struct op *op, const struct address *address,
		  struct cached_route *ret)
{
	const struct cached_route *cached = route_cache_find(&plan->state->route_cache, address);

	if (cached == NULL)
		return false;
	*ret = *cached;
	ret->queue_key = arena_dup(&op->arena, cached->queue_key);
	return true;
}

static int
take_queue_key(struct op *op, const struct address *address, struct cached_route *ret)
{
	*ret = (struct cached_route){ address->queue_key, keyed_hash_text(address->queue_key),
				      RULE_KEEP };
	return address_check(address, &op->error);
}

static int
find_route(struct plan *plan, struct op *op, const struct address *address,
	   struct cached_route *ret)
{
	struct decision decision;

	if (address->queue_key.s != NULL)
		return take_queue_key(op, address, ret);
	if (find_cached_route(plan, op, address, ret))
		return 0;
	if (address_check(address, &op->error) < 0 ||
	    route_decide(plan->state->policy, address, false, &op->arena, &decision, &op->error) <
		0)
		return -1;
	*ret = (struct cached_route){ decision.queue_key, keyed_hash_text(decision.queue_key),
				      decision.rule };
	route_cache_add(&plan->state->route_cache, address, ret);
	return 0;
}

int
plan_route(struct plan *plan, struct op *op, const struct address *address,
	   struct cached_route *ret)
{
	return find_route(plan, op, address, ret) < 0
		   ? -1
		   : caller_check(op->caller, ret->queue_key, &op->error);
}

struct str
plan_caller_name(const struct op *op)
{
	return op->caller != NULL ? op->caller->name : STR_NULL;
}

int
plan_refuse_rerouted(struct op *op, const struct address *address, const struct cached_route *route)
{
	return error_set(&op->error, ERROR_REROUTED, "%.*s is routed to %.*s by %s",
			 (int)address->session_key.len, address->session_key.s,
			 (int)route->queue_key.len, route->queue_key.s, rule_name(route->rule));
}

int
plan_queue(struct plan *plan, struct op *op, const struct address *address, struct str *key,
	   struct queue **queue)
{
	struct cached_route cached;

	if (plan_route(plan, op, address, &cached) < 0)
		return -1;
	op->rule = cached.rule;
	*key = cached.queue_key;
	*queue = catalog_find_hashed(&plan->state->catalog, cached.queue_key, cached.hash);
	return 0;
}

int
plan_kept_queue(struct plan *plan, struct op *op, const struct address *address, struct str kept,
		struct str *key, struct queue **queue)
{
	if (kept.s == NULL)
		return plan_queue(plan, op, address, key, queue);
	*key = kept;
	*queue = catalog_find(&plan->state->catalog, kept);
	return caller_check(op->caller, kept, &op->error);
}

/* --- records --- */

void
plan_set_timer(struct plan *plan, struct due_timer timer)
{
	plan->set = mem_grow(plan->set, &plan->set_cap, plan->set_count + 1, sizeof(*plan->set));
	plan->set[plan->set_count++] = timer;
}

/* Gives the entry just appended its delay and its time to live, with their timers. */
static void
set_times(struct plan *plan, struct queue *queue, const struct system_event *event,
	  int64_t delay_ms, int64_t ttl_ms)
{
	struct extra extra = { .available_at_ms = event->available_at_ms,
			       .expires_at_ms = event->expires_at_ms };

	if (delay_ms > 0) {
		extra.available_boot_ms = plan->state->boot_ms + delay_ms;
		plan_set_timer(plan, (struct due_timer){ extra.available_boot_ms, event->id,
							 TIMER_AVAILABLE });
	}
	if (ttl_ms > 0) {
		extra.expires_boot_ms = plan->state->boot_ms + ttl_ms;
		plan_set_timer(
		    plan, (struct due_timer){ extra.expires_boot_ms, event->id, TIMER_EXPIRES });
	}
	if (delay_ms > 0 || ttl_ms > 0)
		journal_set_state(&plan->state->catalog, queue, queue_entry(queue, event->id), 0,
				  &extra);
}

void
plan_append(struct plan *plan, struct queue *queue, struct system_event *event, uint64_t text_hash,
	    uint32_t tag, int64_t delay_ms, int64_t ttl_ms)
{
	struct store_batch *batch = &plan->records;

	event->id = plan->state->next_event++;
	event->ts_ms = plan->state->now_ms;
	event->available_at_ms = delay_ms > 0 ? plan->state->now_ms + delay_ms : 0;
	event->expires_at_ms = ttl_ms > 0 ? plan->state->now_ms + ttl_ms : 0;
	event->state = delay_ms > 0 ? EVENT_STATE_DELAYED : EVENT_STATE_QUEUED;
	batch->events = mem_grow(batch->events, &batch->event_cap, batch->event_count + 1,
				 sizeof(*batch->events));
	struct store_event *record = &batch->events[batch->event_count++];
	record->event = *event;
	record->session = &queue->session;
	record->text_hash = text_hash;
	journal_append(&plan->state->catalog, queue, event, text_hash, tag);
	plan->new_sessions += queue->depth == 1 && queue->session.row == 0;
	set_times(plan, queue, event, delay_ms, ttl_ms);
	if (delay_ms <= 0)
		plan_wake(plan, queue, event);
}

int64_t
plan_record(struct plan *plan, struct queue *queue, struct store_outcome outcome)
{
	struct store_batch *batch = &plan->records;

	assert(outcome.count > 0);
	outcome.id = plan->state->next_outcome++;
	outcome.ts_ms = plan->state->now_ms;
	outcome.session = &queue->session;
	batch->outcomes = mem_grow(batch->outcomes, &batch->outcome_cap, batch->outcome_count + 1,
				   sizeof(*batch->outcomes));
	batch->outcomes[batch->outcome_count++] = outcome;
	return outcome.id;
}

void
plan_settle(struct plan *plan, struct queue *queue, struct store_outcome outcome)
{
	assert(outcome.kind <= OUTCOME_LAST_SETTLING);
	if (outcome.count == 0)
		return;
	uint32_t *attempts = NULL; /* most outcomes are of events without failed attempts */
	for (size_t i = 0; i < outcome.count; i++) {
		struct entry *entry = queue_entry(queue, outcome.ids[i]);

		if (entry->attempts > 0 && attempts == NULL)
			attempts = arena_alloc(&plan->arena, outcome.count * sizeof(*attempts));
		if (entry->attempts > 0)
			attempts[i] = entry->attempts;
		journal_remove(&plan->state->catalog, queue, entry);
	}
	outcome.counts = attempts;
	plan_record(plan, queue, outcome);
}

void
plan_refresh_last(struct plan *plan, struct queue *queue)
{
	plan->walked += journal_refresh_last(&plan->state->catalog, queue);
}

void
plan_gather_contexts(struct plan *plan)
{
	struct store_batch *batch = &plan->records;

	for (size_t i = 0; i < plan->state->catalog.touched_count; i++) {
		struct queue *queue = plan->state->catalog.touched[i];

		if (!queue->last_kept_changed)
			continue;
		struct str key = tags_get(&plan->state->catalog.tags, queue->last_tag)->context_key;
		batch->contexts = mem_grow(batch->contexts, &batch->context_cap,
					   batch->context_count + 1, sizeof(*batch->contexts));
		batch->contexts[batch->context_count++] =
		    (struct store_context){ &queue->session, queue->last_kept ? key : STR_NULL };
	}
}

/* --- entries of timelines that are dropped --- */

#define DROPS_TOGETHER 3 /* outcomes from which ops drop events in turns */
#define DROP_WALKS 8     /* as much as reading and writing an id of an outcome costs */

/* An outcome is read and written once, whatever the number of events that it names no longer. */
void
plan_drop_entry(struct plan *plan, int64_t outcome, int64_t event, size_t events)
{
	bool another = true;

	if (outcome == 0)
		return;
	for (size_t i = 1; another && i <= DROPS_TOGETHER && i <= plan->drop_count; i++)
		another = plan->drops[plan->drop_count - i].outcome != outcome;
	if (another)
		plan->walked += DROP_WALKS * events;
	plan->drops =
	    mem_grow(plan->drops, &plan->drop_cap, plan->drop_count + 1, sizeof(*plan->drops));
	plan->drops[plan->drop_count++] = (struct dropped_entry){ outcome, event };
}

static int
by_outcome_and_event(const void *a, const void *b)
{
	const struct dropped_entry *x = a, *y = b;

	if (x->outcome != y->outcome)
		return x->outcome < y->outcome ? -1 : 1;
	return (x->event > y->event) - (x->event < y->event);
}

void
plan_gather_drops(struct plan *plan)
{
	struct store_batch *batch = &plan->records;
	int64_t *ids = arena_alloc(&plan->arena, plan->drop_count * sizeof(*ids));

	if (plan->drop_count > 1)
		qsort(plan->drops, plan->drop_count, sizeof(*plan->drops), by_outcome_and_event);
	for (size_t i = 0; i < plan->drop_count; i++) {
		const struct dropped_entry *entry = &plan->drops[i];

		ids[i] = entry->event;
		if (i == 0 || entry->outcome != entry[-1].outcome) {
			batch->drops = mem_grow(batch->drops, &batch->drop_cap,
						batch->drop_count + 1, sizeof(*batch->drops));
			batch->drops[batch->drop_count++] =
			    (struct store_drop){ .outcome = entry->outcome, .ids = &ids[i] };
		}
		batch->drops[batch->drop_count - 1].count++;
	}
}

/* --- reads and wakes --- */

static struct want *
add_want(struct plan *plan)
{
	plan->wants =
	    mem_grow(plan->wants, &plan->want_cap, plan->want_count + 1, sizeof(*plan->wants));
	return &plan->wants[plan->want_count++];
}

bool
plan_answer_entry(const struct plan *plan, struct op *op, const struct queue *queue,
		  const struct entry *entry)
{
	struct answer_size size = op->answer;

	answer_add_entry(&size, &plan->state->catalog, queue, entry);
	if (op->answer.held > 0 && !answer_fits(&size, plan->answer_room))
		return false;
	op->answer = size;
	return true;
}

enum event_state
entry_state(const struct entry *entry)
{
	if (entry->flags & ENTRY_LEASED)
		return EVENT_STATE_LEASED;
	return entry->flags & ENTRY_DELAYED ? EVENT_STATE_DELAYED : EVENT_STATE_QUEUED;
}

int64_t
entry_available_at(const struct plan *plan, const struct entry *entry)
{
	return entry->flags & ENTRY_DELAYED
		   ? catalog_extra(&plan->state->catalog, entry->id).available_at_ms
		   : 0;
}

void
plan_want(struct plan *plan, struct op *op, struct queue *queue, const struct entry *entry,
	  enum event_state state, enum outcome_kind outcome, struct system_event *into)
{
	*add_want(plan) = (struct want){
		.id = entry->id,
		.text_bytes = entry_text_bytes(entry),
		.into = into,
		.op = op,
		.queue = queue,
		.attempts = entry->attempts,
		.available_at_ms = entry_available_at(plan, entry),
		.state = state,
		.outcome = outcome,
	};
}

void
plan_want_repeated(struct plan *plan, struct op *op, int64_t id, struct system_event *into)
{
	*add_want(plan) = (struct want){ .id = id,
					 .text_bytes = TEXT_BYTES_MAX,
					 .into = into,
					 .op = op,
					 .attempts = into->attempts,
					 .available_at_ms = into->available_at_ms,
					 .state = into->state,
					 .outcome = into->outcome,
					 .optional = true,
					 .old = true };
}

void
plan_want_for_wake(struct plan *plan, struct op *op, int64_t id, struct system_event *into)
{
	*add_want(plan) = (struct want){ .id = id, .into = into, .op = op, .optional = true };
}

void
plan_wake(struct plan *plan, struct queue *queue, const struct system_event *event)
{
	plan->woken =
	    mem_grow(plan->woken, &plan->woken_cap, plan->woken_count + 1, sizeof(*plan->woken));
	plan->woken[plan->woken_count++] = (struct woken_queue){ .queue = queue, .event = event };
}

void
plan_wake_now(struct plan *plan, struct queue *queue, const struct system_event *event)
{
	plan_wake(plan, queue, event);
	plan->woken[plan->woken_count - 1].now = true;
}

/*
 * Wakes queues of which a lease has ended, by an ack, a nack or a timer: an exclusive one held the
 * other events back, and any keeps an exclusive one from being made.
 */
static void
wake_held_back(struct plan *plan)
{
	for (size_t i = 0; i < plan->state->catalog.leases.touched_count; i++) {
		const struct lease *lease = plan->state->catalog.leases.touched[i];
		struct queue *queue = lease->queue;

		if (lease->live > 0)
			continue;
		if (lease->exclusive) {
			plan_wake(plan, queue, NULL);
		} else if (queue->leased == 0 && plan_waiters(plan, queue->session.key) > 0) {
			plan_wake(plan, queue, NULL);
			plan->woken[plan->woken_count - 1].waiters_only = true;
		}
	}
}

void
plan_gather_woken(struct plan *plan)
{
	size_t count = 0;

	wake_held_back(plan);
	for (size_t i = 0; i < plan->woken_count; i++) {
		struct woken_queue next = plan->woken[i];

		if (next.event != NULL) {
			next.now = next.now || next.event->wake == WAKE_NOW;
			next.source = next.event->source;
		}
		if (next.queue->woken >= count ||
		    plan->woken[next.queue->woken].queue != next.queue) {
			next.queue->woken = count;
			plan->woken[count++] = next;
			continue;
		}
		struct woken_queue *same = &plan->woken[next.queue->woken];
		same->now = same->now || next.now;
		same->waiters_only = same->waiters_only && next.waiters_only;
		if (next.source.s != NULL)
			same->source = next.source;
	}
	plan->woken_count = count;
}
