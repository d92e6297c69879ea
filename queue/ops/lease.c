/*
 * lease.c - take under a lease, and what becomes of it: ack, nack, extend, and running out.
 *
 * Delivery at least once. A lease lends events to one consumer until a time. They keep their
 * places; nobody else is given them meanwhile. Ack settles them; nack, or the end of the lease,
 * gives them back and counts an attempt; after the last attempt allowed an event becomes a dead
 * letter instead. Every one of these is an outcome in the log, so a restart finds leases as they
 * were.
 *
 * A call that comes too late must change nothing, and one that is only repeated must be answered as
 * the first time. Who is who is decided by what the lease holds now (the catalog) and, when that is
 * not all that is named, by what the log says about it: such a call looks the lease's outcomes up
 * and is tried again next turn.
 */
#include "queue/ops/lease.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/ops/id_list.h"
#include "queue/ops/idempotency.h"

/* --- giving back --- */

/* Events on their way back to their queue, sorted by what becomes of them. */
struct return_trip {
	struct id_list back, dead, expired;
};

static struct return_trip
prepare_return(struct arena *arena, size_t count)
{
	return (struct return_trip){ id_list_room(arena, count), id_list_room(arena, count),
				     id_list_room(arena, count) };
}

/*
 * One event leaves its lease: back in its place, perhaps after a delay; dead after its last
 * attempt; or expired, which is none.
 */
static void
give_back(struct plan *plan, struct queue *queue, int64_t id, bool count, int64_t delay_ms,
	  struct return_trip *trip)
{
	struct entry *entry = queue_entry(queue, id);
	struct extra extra = catalog_extra(&plan->catalog, id);
	bool expired = extra.expires_boot_ms > 0 && extra.expires_boot_ms <= plan->boot_ms;
	int attempts = entry->attempts + (count && !expired ? 1 : 0);

	extra.lease = NULL;
	extra.available_boot_ms = delay_ms > 0 ? plan->boot_ms + delay_ms : 0;
	extra.available_at_ms = delay_ms > 0 ? plan->now_ms + delay_ms : 0;
	queue_set_state(&plan->catalog, queue, entry, attempts, &extra);
	if (expired)
		id_list_add(&trip->expired, id);
	else if (count && attempts >= plan->options->attempts_max)
		id_list_add(&trip->dead, id);
	else
		id_list_add(&trip->back, id);
	if (delay_ms > 0)
		plan_set_timer(plan,
			       (struct due_timer){ extra.available_boot_ms, id, TIMER_AVAILABLE });
}

/* Records the trip: what came back under its kind, what did not as settled. */
static void
record_return(struct plan *plan, struct queue *queue, const struct return_trip *trip,
	      struct store_outcome kind)
{
	struct store_outcome dead = { .kind = OUTCOME_DEAD,
				      .lease = kind.lease,
				      .detail =
					  kind.detail.s != NULL ? kind.detail : STR("attempts"),
				      .ids = trip->dead.ids,
				      .count = trip->dead.count };
	struct store_outcome expired = { .kind = OUTCOME_EXPIRED,
					 .lease = kind.lease,
					 .ids = trip->expired.ids,
					 .count = trip->expired.count };

	kind.ids = trip->back.ids;
	kind.count = trip->back.count;
	if (kind.count > 0)
		plan_record(plan, queue, kind);
	plan_settle(plan, queue, dead);
	plan_settle(plan, queue, expired);
	if (dead.count + expired.count > 0)
		queue_refresh_last(&plan->catalog, queue);
	if (kind.count > 0 && kind.until_ms <= plan->now_ms)
		plan_wake(plan, queue, NULL);
}

/*
 * A lease has one timer that counts. One that comes up before the end sets the next, so that
 * extending often sets none.
 */
static void
set_timer(struct plan *plan, struct lease *lease, int64_t at_boot_ms)
{
	catalog_set_timer(&plan->catalog, lease, at_boot_ms);
	plan_set_timer(plan, (struct due_timer){ at_boot_ms, lease->id, TIMER_LEASE });
}

void
lease_lapse(struct plan *plan, struct arena *arena, struct lease *lease, bool count)
{
	struct return_trip trip = prepare_return(arena, lease->count);
	struct queue *queue = lease->queue;
	struct store_outcome lapsed = { .kind = count ? OUTCOME_LAPSED : OUTCOME_RETURNED,
					.lease = lease->id };
	struct id_list held = id_list_held(&plan->catalog, lease, arena);
	int64_t next_boot_ms = INT64_MAX;

	for (size_t i = 0; i < held.count; i++) {
		int64_t end_boot_ms = catalog_extra(&plan->catalog, held.ids[i]).lease_end_boot_ms;

		if (end_boot_ms <= plan->boot_ms)
			give_back(plan, queue, held.ids[i], count, 0, &trip);
		else if (end_boot_ms < next_boot_ms)
			next_boot_ms = end_boot_ms;
	}
	if (next_boot_ms < INT64_MAX)
		set_timer(plan, lease, next_boot_ms);
	record_return(plan, queue, &trip, lapsed);
}

/* --- lend --- */

static bool
lend_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	(void)plan;
	return index == 0 && idempotency_lookup(&op->idempotency, ret);
}

static void
lend_found(struct op *op, size_t index, const struct found *found)
{
	(void)index;
	idempotency_found(&op->idempotency, &op->arena, found->key);
}

/* The answer that the key was given: lease, its end, its events with their attempts. */
static int
lend_again(struct plan *plan, struct lease_take_op *lend, const struct queue *queue,
	   struct str answer)
{
	int64_t *numbers;
	size_t count = idempotency_numbers(&lend->op.arena, answer, &numbers);

	assert(count >= 2);
	const struct lease *lease = catalog_lease(&plan->catalog, numbers[0]);
	lend->lease_id = numbers[0];
	lend->until_ms = numbers[1];
	id_list_answer_again(plan, &lend->op, numbers + 2, count - 2, EVENT_STATE_LEASED, 0,
			     &lend->taken);
	lend->remaining = queue != NULL ? queue->depth : 0;
	if (lease != NULL && lease->queue == queue) /* the key may be routed elsewhere since */
		lend->remaining -= lease->live;
	return 0;
}

static int
remember_lend(struct plan *plan, struct lease_take_op *lend, const struct queue *queue,
	      struct id_list chosen)
{
	size_t count = 2 + 2 * chosen.count;

	if (lend->op.idempotency.key.s == NULL)
		return 0;
	int64_t *numbers = arena_alloc(&lend->op.arena, count * sizeof(*numbers));
	numbers[0] = lend->lease_id;
	numbers[1] = lend->until_ms;
	id_list_keep(queue, chosen, numbers + 2);
	return idempotency_remember(plan, &lend->op, &lend->op.idempotency, numbers, count);
}

/* The lease holds this event for so long from now. */
static void
hold(struct plan *plan, struct lease *lease, int64_t id, int64_t lease_ms)
{
	struct entry *entry = queue_entry(lease->queue, id);
	struct extra extra = catalog_extra(&plan->catalog, id);

	extra.lease = lease;
	extra.lease_end_boot_ms = plan->boot_ms + lease_ms;
	queue_set_state(&plan->catalog, lease->queue, entry, entry->attempts, &extra);
}

static void
lend_events(struct plan *plan, struct lease_take_op *lend, struct queue *queue,
	    struct id_list chosen)
{
	struct lease new = { .queue = queue,
			     .exclusive = lend->exclusive,
			     .ids = chosen.ids,
			     .count = chosen.count };

	lend->until_ms = plan->now_ms + lend->lease_ms;
	lend->lease_id = new.id =
	    plan_record(plan, queue,
			(struct store_outcome){ .kind = OUTCOME_LEASED,
						.until_ms = lend->until_ms,
						.detail = lend->consumer,
						.lease = lend->exclusive ? LEASE_EXCLUSIVE : 0,
						.ids = chosen.ids,
						.count = chosen.count });
	struct lease *lease = catalog_add_lease(&plan->catalog, &new);
	for (size_t i = 0; i < chosen.count; i++)
		hold(plan, lease, chosen.ids[i], lend->lease_ms);
	set_timer(plan, lease, plan->boot_ms + lend->lease_ms);
}

static int
plan_lend(struct plan *plan, struct op *op)
{
	struct lease_take_op *lend = (struct lease_take_op *)op;
	struct queue *queue;
	struct str answer;

	if (plan_queue(plan, op, &lend->address, &lend->session_key, &queue) < 0)
		return -1;
	int recalled = idempotency_recall(plan, &op->idempotency, &answer, &op->error);
	if (recalled != 0)
		return recalled < 0 ? -1 : lend_again(plan, lend, queue, answer);
	if (queue == NULL || (lend->exclusive && queue->leased > 0)) {
		lend->remaining = queue != NULL ? queue->depth : 0;
		return 0;
	}
	struct choice choice = { .prefix = text_fold(&op->arena, lend->context_key_prefix),
				 .limit = lend->limit,
				 .prompt = lend->prompt };
	struct id_list chosen = id_list_choose(plan, op, queue, &choice);
	lend->remaining = queue->depth - chosen.count;
	if (chosen.count == 0)
		return 0;
	lend_events(plan, lend, queue, chosen);
	id_list_answer(plan, op, queue, chosen, EVENT_STATE_LEASED, 0, &lend->taken);
	return remember_lend(plan, lend, queue, chosen);
}

/* --- ack, nack, extend --- */

static int64_t
lease_id(const struct lease_change_op *call)
{
	int64_t id;

	return event_id_parse(call->lease, &id) ? id : 0;
}

static bool
holds(const struct plan *plan, const struct lease *lease, int64_t id)
{
	return catalog_extra(&plan->catalog, id).lease == lease;
}

/*
 * The ids that the call names, ascending and once each; all that the lease holds when it names
 * none.
 */
static int
named_ids(struct plan *plan, struct lease_change_op *call, const struct lease *lease,
	  struct id_list *ret)
{
	if (call->ids == NULL) {
		*ret = lease != NULL ? id_list_held(&plan->catalog, lease, &call->op.arena)
				     : id_list_room(&call->op.arena, 0);
		return 0;
	}
	*ret = id_list_room(&call->op.arena, call->id_count);
	for (size_t i = 0; i < call->id_count; i++) {
		int64_t id;

		if (!event_id_parse(call->ids[i], &id)) {
			char pointer[32];

			snprintf(pointer, sizeof(pointer), "/ids/%zu", i);
			return error_set_field(&call->op.error, pointer, "not an event id");
		}
		id_list_add(ret, id);
	}
	id_list_sort(ret);
	return 0;
}

static bool
all_held(const struct plan *plan, const struct lease *lease, struct id_list named)
{
	for (size_t i = 0; i < named.count; i++)
		if (!holds(plan, lease, named.ids[i]))
			return false;
	return lease != NULL;
}

static bool
lease_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
{
	const struct lease_change_op *call = (const struct lease_change_op *)op;

	(void)plan;
	if (index > 0 || !op->again || lease_id(call) == 0)
		return false;
	*ret = (struct lookup){ .kind = LOOKUP_LEASE, .id = lease_id(call) };
	return true;
}

static int64_t *
find_id(int64_t *ids, size_t count, int64_t id)
{
	return count > 0 ? bsearch(&id, ids, count, sizeof(id), id_compare) : NULL;
}

/* The lease itself comes first, then what became of its events. */
static void
lease_found(struct op *op, size_t index, const struct found *found)
{
	struct lease_change_op *call = (struct lease_change_op *)op;
	const struct store_outcome *outcome = found->outcome;

	(void)index;
	if (outcome->kind == OUTCOME_LEASED) {
		call->held = arena_alloc(&op->arena, outcome->count * sizeof(*call->held));
		call->acked = arena_alloc(&op->arena, outcome->count * sizeof(*call->acked));
		call->held_count = outcome->count;
		memcpy(call->held, outcome->ids, outcome->count * sizeof(*call->held));
		return;
	}
	call->ended_by_ack = outcome->kind == OUTCOME_ACKED;
	for (size_t i = 0; call->ended_by_ack && i < outcome->count; i++) {
		const int64_t *at = find_id(call->held, call->held_count, outcome->ids[i]);

		if (at != NULL)
			call->acked[at - call->held] = true;
	}
}

/* Acked under this lease: its history says so, or a call before this one in the batch. */
static bool
has_acked(const struct plan *plan, const struct lease_change_op *call, const int64_t *held)
{
	bool acked = call->acked[held - call->held];

	for (size_t i = 0; !acked && i < plan->batch.outcome_count; i++) {
		const struct store_outcome *outcome = &plan->batch.outcomes[i];

		acked = outcome->kind == OUTCOME_ACKED && outcome->lease == lease_id(call) &&
			find_id(outcome->ids, outcome->count, *held) != NULL;
	}
	return acked;
}

static int
lost(struct lease_change_op *call)
{
	return error_set(
	    &call->op.error, ERROR_CONFLICT,
	    "the lease no longer holds what is named: it ran out, or this was given back");
}

/*
 * Something named is not held. By the lease's history: it never was the lease's; or it was acked
 * under it, and then acking it again is no error; or it is lost. Who names nothing names what the
 * lease holds, so an ack of nothing more is a repeated one when an ack was the end of the lease.
 */
static int
judge_by_history(const struct plan *plan, struct lease_change_op *call, const struct lease *lease,
		 struct id_list *named)
{
	struct id_list still = { named->ids, 0 };
	bool acks = call->action == LEASE_ACK;

	if (call->held_count == 0)
		return error_set(&call->op.error, ERROR_NOT_FOUND, "no such lease");
	if (call->ids == NULL)
		return acks && call->ended_by_ack ? 0 : lost(call);
	for (size_t i = 0; i < named->count; i++) {
		int64_t id = named->ids[i];
		const int64_t *held = find_id(call->held, call->held_count, id);

		if (held == NULL)
			return error_set_field(&call->op.error, "/ids",
					       "event %lld was never in this lease", (long long)id);
		if (lease != NULL && holds(plan, lease, id))
			id_list_add(&still, id);
		else if (!acks || !has_acked(plan, call, held))
			return lost(call);
	}
	*named = still;
	return 0;
}

static void
ack(struct plan *plan, struct lease *lease, struct id_list named)
{
	struct queue *queue = lease->queue;

	plan_settle(plan, queue,
		    (struct store_outcome){ .kind = OUTCOME_ACKED,
					    .lease = lease->id,
					    .ids = named.ids,
					    .count = named.count });
	queue_refresh_last(&plan->catalog, queue);
}

static void
nack(struct plan *plan, struct lease_change_op *call, struct lease *lease, struct id_list named)
{
	struct queue *queue = lease->queue;
	struct return_trip trip = prepare_return(&call->op.arena, named.count);

	for (size_t i = 0; i < named.count; i++)
		give_back(plan, queue, named.ids[i], call->count_attempt, call->delay_ms, &trip);
	call->dead = trip.dead.count;
	record_return(plan, queue, &trip,
		      (struct store_outcome){
			  .kind = call->count_attempt ? OUTCOME_NACKED : OUTCOME_RETURNED,
			  .lease = lease->id,
			  .until_ms = call->delay_ms > 0 ? plan->now_ms + call->delay_ms : 0,
			  .detail = call->reason });
}

static void
extend(struct plan *plan, struct lease_change_op *call, struct lease *lease, struct id_list named)
{
	int64_t end_boot_ms = plan->boot_ms + call->lease_ms;

	call->until_ms = plan->now_ms + call->lease_ms;
	plan_record(plan, lease->queue,
		    (struct store_outcome){ .kind = OUTCOME_EXTENDED,
					    .lease = lease->id,
					    .until_ms = call->until_ms,
					    .ids = named.ids,
					    .count = named.count });
	for (size_t i = 0; i < named.count; i++)
		hold(plan, lease, named.ids[i], call->lease_ms);
	if (end_boot_ms < lease->timer_boot_ms)
		set_timer(plan, lease, end_boot_ms);
}

static int
plan_lease_op(struct plan *plan, struct op *op)
{
	struct lease_change_op *call = (struct lease_change_op *)op;
	struct lease *lease =
	    lease_id(call) != 0 ? catalog_lease(&plan->catalog, lease_id(call)) : NULL;
	struct id_list named;

	if (lease_id(call) == 0)
		return error_set(&op->error, ERROR_NOT_FOUND, "no such lease");
	if (named_ids(plan, call, lease, &named) < 0)
		return -1;
	if (!all_held(plan, lease, named)) {
		if (!op->again)
			return PLAN_AGAIN;
		if (judge_by_history(plan, call, lease, &named) < 0)
			return -1;
	}
	call->changed = named.count;
	if (named.count > 0 && call->action == LEASE_ACK)
		ack(plan, lease, named);
	else if (named.count > 0 && call->action == LEASE_NACK)
		nack(plan, call, lease, named);
	else if (named.count > 0)
		extend(plan, call, lease, named);
	lease = catalog_lease(&plan->catalog, lease_id(call));
	call->left = lease != NULL ? lease->live : 0;
	return 0;
}

void
lease_take_op_init(struct lease_take_op *op)
{
	static const struct op_kind kind = { OP_KIND(lease_take_op, session_key), .plan = plan_lend,
					     .lookup = lend_lookup, .found = lend_found };

	op_start(&op->op, &kind);
	op->lease_ms = LEASE_MS_DEFAULT;
}

void
lease_change_op_init(struct lease_change_op *op, enum lease_action action)
{
	static const struct op_kind kind = { OP_KIND(lease_change_op, until_ms),
					     .plan = plan_lease_op, .lookup = lease_lookup,
					     .found = lease_found };

	op_start(&op->op, &kind);
	op->action = action;
	op->count_attempt = true;
	op->lease_ms = LEASE_MS_DEFAULT;
}
