/*
 * lease_change.c - ack, nack and extend.
 *
 * A call that comes too late must change nothing, and a repeated one must be answered as the first
 * time. If the lease holds all events that the call names, the catalog is enough to carry it out.
 * Otherwise only the log can tell a repeated call from a late one: the op looks the lease's
 * outcomes up and is planned again in the next turn.
 *
 * An event that was settled while the lease held it, by a call or by its time to live, needs no ack
 * any more and can be given to nobody else. It is named as gone and does not hinder the rest. The
 * same is true of an event that has been forgotten since, with whatever took it out of the lease.
 */
#include <stdio.h>
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/ops/id_list.h"
#include "queue/ops/lease.h"
#include "queue/ops/outcome_walk.h"
#include "queue/ops/timeline.h"

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
all_held(const struct plan *plan, const struct lease_change_op *call, const struct lease *lease,
	 struct id_list named)
{
	if (lease == NULL || call->ids == NULL) /* then they were chosen by that */
		return lease != NULL;
	for (size_t i = 0; i < named.count; i++)
		if (!holds(plan, lease, named.ids[i]))
			return false;
	return true;
}

static bool
lease_change_lookup(const struct plan *plan, struct op *op, size_t index, struct lookup *ret)
{
	const struct lease_change_op *call = (const struct lease_change_op *)op;

	(void)plan;
	if (!op->again || lease_id(call) == 0 || index > (call->probe != 0))
		return false;
	*ret = index == 0 ? outcome_walk_lookup(&call->walk, LOOKUP_LEASE, lease_id(call))
			  : (struct lookup){ .kind = LOOKUP_EVENT, .id = call->probe };
	return true;
}

static int64_t *
find_id(int64_t *ids, size_t count, int64_t id)
{
	return count > 0 ? bsearch(&id, ids, count, sizeof(id), id_compare) : NULL;
}

static void
begin_history(struct lease_change_op *call, const struct store_outcome *leased)
{
	struct arena *arena = &call->op.arena;
	size_t count = leased->count;

	call->held = arena_alloc(arena, count * sizeof(*call->held));
	call->left_by = arena_alloc(arena, count * sizeof(*call->left_by));
	call->held_count = call->still_held = count;
	memcpy(call->held, leased->ids, count * sizeof(*call->held));
}

/* Takes the outcome's events out of the lease, those that are in it still. */
static void
note_removal(struct lease_change_op *call, const struct store_outcome *outcome)
{
	size_t before = call->still_held;

	for (size_t i = 0; i < outcome->count; i++) {
		const int64_t *at = find_id(call->held, call->held_count, outcome->ids[i]);

		if (at == NULL || call->left_by[at - call->held] != 0)
			continue;
		call->left_by[at - call->held] = outcome->kind;
		call->still_held--;
	}
	if (call->still_held < before)
		call->ended_by_ack = outcome->kind == OUTCOME_ACKED;
}

/*
 * The outcome that made the lease comes first. Once the lease is empty, nothing that happens to its
 * events is about it.
 */
static bool
lease_change_found(struct op *op, size_t index, const struct found *found)
{
	struct lease_change_op *call = (struct lease_change_op *)op;

	if (index > 0) {
		call->session_key = arena_dup(&op->arena, found->event->session_key);
		return true;
	}
	if (outcome_walk_begins(&call->walk))
		call->held_count = call->still_held = 0;
	if (outcome_walk_is_end(&call->walk, found))
		return true;
	if (found->outcome->kind == OUTCOME_LEASED)
		begin_history(call, found->outcome);
	else
		note_removal(call, found->outcome);
	return call->still_held > 0;
}

static bool
ends_hold(const struct store_outcome *outcome)
{
	return outcome->kind <= OUTCOME_LAST_SETTLING || outcome->kind == OUTCOME_NACKED ||
	       outcome->kind == OUTCOME_RETURNED || outcome->kind == OUTCOME_LAPSED;
}

/*
 * Returns the outcome that took the event out of this lease: the log's, or an earlier op's of this
 * batch; 0: neither tells, because the event has been forgotten.
 */
static enum outcome_kind
left_by(const struct plan *plan, const struct lease_change_op *call, const int64_t *held)
{
	enum outcome_kind kind = call->left_by[held - call->held];

	for (size_t i = 0; kind == 0 && i < plan->records.outcome_count; i++) {
		const struct store_outcome *outcome = &plan->records.outcomes[i];

		if (ends_hold(outcome) && find_id(outcome->ids, outcome->count, *held) != NULL)
			kind = outcome->kind;
	}
	return kind;
}

static int
lost(struct lease_change_op *call)
{
	return error_set(
	    &call->op.error, ERROR_CONFLICT,
	    "the lease no longer holds what is named: it ran out, or this was given back");
}

static int
check_were_held(struct lease_change_op *call, struct id_list named)
{
	for (size_t i = 0; i < named.count; i++)
		if (find_id(call->held, call->held_count, named.ids[i]) == NULL)
			return error_set_field(&call->op.error, "/ids",
					       "event %lld was never in this lease",
					       (long long)named.ids[i]);
	return 0;
}

/*
 * Sorts the named events, all of which were in the lease. *named keeps those that it still holds;
 * gone gets those that were settled under it, other than by an ack, and those that are forgotten.
 * An event that was acked under it is passed over if pass_acked. Any other is lost: returned, and
 * perhaps in other hands.
 */
static int
sort_named(const struct plan *plan, struct lease_change_op *call, const struct lease *lease,
	   bool pass_acked, struct id_list *named)
{
	struct id_list still = { named->ids, 0 },
		       gone = id_list_alloc(&call->op.arena, named->count);

	for (size_t i = 0; i < named->count; i++) {
		int64_t id = named->ids[i];

		if (lease != NULL && holds(plan, lease, id)) {
			id_list_add(&still, id);
			continue;
		}
		enum outcome_kind kind =
		    left_by(plan, call, find_id(call->held, call->held_count, id));
		if (kind > OUTCOME_LAST_SETTLING || (kind == OUTCOME_ACKED && !pass_acked))
			return lost(call);
		if (kind != OUTCOME_ACKED)
			id_list_add(&gone, id);
	}
	*named = still;
	call->gone = gone.ids;
	call->gone_count = gone.count;
	return 0;
}

/*
 * Decides by the lease's history about a call that names an event which the lease does not hold.
 * An event that was never in the lease comes first: such a call is wrong whatever has happened to
 * the others.
 */
static int
judge_named(const struct plan *plan, struct lease_change_op *call, const struct lease *lease,
	    struct id_list *named)
{
	if (check_were_held(call, *named) < 0)
		return -1;
	return sort_named(plan, call, lease, call->action == LEASE_ACK, named);
}

/*
 * The same about a call that names no events, which means all that the lease holds, after its end.
 * If an ack ended it, such an ack is a repeated one. If all others than acked ones are gone, there
 * is nothing left to do.
 */
static int
judge_all(const struct plan *plan, struct lease_change_op *call)
{
	struct id_list all = id_list_alloc(&call->op.arena, call->held_count);

	if (call->action == LEASE_ACK && call->ended_by_ack)
		return 0;
	for (size_t i = 0; i < call->held_count; i++)
		id_list_add(&all, call->held[i]);
	if (sort_named(plan, call, NULL, true, &all) < 0)
		return -1;
	return call->gone_count > 0 ? 0 : lost(call);
}

static int
judge_by_history(const struct plan *plan, struct lease_change_op *call, const struct lease *lease,
		 struct id_list *named)
{
	if (call->held_count == 0)
		return error_set(&call->op.error, ERROR_NOT_FOUND, "no such lease");
	return call->ids == NULL ? judge_all(plan, call) : judge_named(plan, call, lease, named);
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
	plan_refresh_last(plan, queue);
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
	timeline_record_extended(plan, lease->queue,
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
not_found(struct op *op)
{
	return error_set(&op->error, ERROR_NOT_FOUND, "no such lease");
}

/*
 * Whose a lease was that has ended is known from its events only, so one is looked up if the caller
 * may not touch all queues. If it is forgotten, so is the lease to such a caller.
 */
static int
check_ended(struct lease_change_op *call)
{
	struct op *op = &call->op;

	if (op->caller == NULL || op->caller->agents.s == NULL || call->held_count == 0)
		return PLAN_DONE;
	if (call->probe == 0) {
		call->probe = call->held[0];
		return PLAN_AGAIN;
	}
	return caller_may_touch(op->caller, call->session_key) ? PLAN_DONE : not_found(op);
}

static int
judge(struct plan *plan, struct lease_change_op *call, const struct lease *lease,
      struct id_list *named)
{
	int result = PLAN_DONE;

	if (!call->op.again) {
		call->op.work = WORK_OP + outcome_walk_first_work + WORK_RECORD * named->count;
		return PLAN_AGAIN;
	}
	if (call->walk.next > 0)
		return outcome_walk_go_on(&call->op);
	if (lease == NULL)
		result = check_ended(call);
	return result == PLAN_DONE ? judge_by_history(plan, call, lease, named) : result;
}

static int
plan_lease_change(struct plan *plan, struct op *op)
{
	struct lease_change_op *call = (struct lease_change_op *)op;
	struct lease *lease =
	    lease_id(call) != 0 ? catalog_lease(&plan->state->catalog, lease_id(call)) : NULL;
	struct id_list named;

	if (lease_id(call) == 0 ||
	    (lease != NULL && !caller_may_touch(op->caller, lease->queue->session.key)))
		return not_found(op);
	if (named_ids(plan, call, lease, &named) < 0)
		return -1;
	if (!all_held(plan, call, lease, named)) {
		int result = judge(plan, call, lease, &named);

		if (result != PLAN_DONE)
			return result;
		answer_add_ids(&op->answer, call->gone_count);
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
