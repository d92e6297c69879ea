/*
 * lease_change.c - ack, nack and extend.
 *
 * A call that comes too late must change nothing, and a repeated one must be answered as the first
 * time. If the lease holds all events that the call names, the catalog is enough to carry it out.
 * Otherwise only the log can tell a repeated call from a late one: the op looks the lease's
 * outcomes up and is planned again in the next turn.
 */
#include <stdio.h>
#include <stdlib.h>

#include "queue/ops/id_list.h"
#include "queue/ops/lease.h"

static int64_t
lease_id(const struct lease_change_op *call)
{
	int64_t id;

	return event_id_parse(call->lease, &id) ? id : 0;
}

static bool
holds(const struct plan *plan, const struct lease *lease, int64_t id)
{
	return catalog_extra(&plan->state->catalog, id).lease == lease;
}

/*
 * Finds the ids that the call names, ascending and once each; all that the lease holds if it names
 * none.
 */
static int
named_ids(struct plan *plan, struct lease_change_op *call, const struct lease *lease,
	  struct id_list *ret)
{
	if (call->ids == NULL) {
		*ret = lease != NULL ? id_list_held(&plan->state->catalog, lease, &call->op.arena)
				     : id_list_alloc(&call->op.arena, 0);
		return 0;
	}
	*ret = id_list_alloc(&call->op.arena, call->id_count);
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
lease_change_lookup(const struct plan *plan, const struct op *op, size_t index, struct lookup *ret)
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

/* The outcome that made the lease comes first, then those that took events out of it. */
static void
lease_change_found(struct op *op, size_t index, const struct found *found)
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

/* Whether the event was acked under this lease, in the log or by an earlier op of this batch. */
static bool
has_acked(const struct plan *plan, const struct lease_change_op *call, const int64_t *held)
{
	bool acked = call->acked[held - call->held];

	for (size_t i = 0; !acked && i < plan->records.outcome_count; i++) {
		const struct store_outcome *outcome = &plan->records.outcomes[i];

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
 * Decides by the lease's history about a call that names an event which the lease does not hold.
 * The event was never in the lease: refused. It was acked under it: acking it again is no error,
 * and *named keeps only what is still held. Else it is lost: refused. A call that names no events
 * means all that the lease holds, so if an ack ended the lease, such an ack is a repeated one.
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
	journal_refresh_last(&plan->state->catalog, queue);
}

static void
nack(struct plan *plan, struct lease_change_op *call, struct lease *lease, struct id_list named)
{
	struct queue *queue = lease->queue;
	struct lease_returned returned = lease_returned_alloc(&call->op.arena, named.count);

	for (size_t i = 0; i < named.count; i++)
		lease_return_event(plan, queue, named.ids[i], call->count_attempt, call->delay_ms,
				   &returned);
	call->dead = returned.dead.count;
	lease_record_returned(
	    plan, queue, &returned,
	    (struct store_outcome){
		.kind = call->count_attempt ? OUTCOME_NACKED : OUTCOME_RETURNED,
		.lease = lease->id,
		.until_ms = call->delay_ms > 0 ? plan->state->now_ms + call->delay_ms : 0,
		.detail = call->reason });
}

static void
extend(struct plan *plan, struct lease_change_op *call, struct lease *lease, struct id_list named)
{
	int64_t end_boot_ms = plan->state->boot_ms + call->lease_ms;

	call->until_ms = plan->state->now_ms + call->lease_ms;
	plan_record(plan, lease->queue,
		    (struct store_outcome){ .kind = OUTCOME_EXTENDED,
					    .lease = lease->id,
					    .until_ms = call->until_ms,
					    .ids = named.ids,
					    .count = named.count });
	for (size_t i = 0; i < named.count; i++)
		lease_hold(plan, lease, named.ids[i], call->lease_ms);
	if (end_boot_ms < lease->timer_boot_ms)
		lease_set_timer(plan, lease, end_boot_ms);
}

static int
plan_lease_change(struct plan *plan, struct op *op)
{
	struct lease_change_op *call = (struct lease_change_op *)op;
	struct lease *lease =
	    lease_id(call) != 0 ? catalog_lease(&plan->state->catalog, lease_id(call)) : NULL;
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
	lease = catalog_lease(&plan->state->catalog, lease_id(call));
	call->left = lease != NULL ? lease->live : 0;
	return 0;
}

void
lease_change_op_init(struct lease_change_op *op, enum lease_action action)
{
	static const struct op_kind kind = { OP_KIND(lease_change_op, until_ms),
					     .plan = plan_lease_change,
					     .lookup = lease_change_lookup,
					     .found = lease_change_found };

	op_start(&op->op, &kind);
	op->action = action;
	op->count_attempt = true;
	op->lease_ms = LEASE_MS_DEFAULT;
}
