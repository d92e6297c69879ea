/* purge.c - empty a session, or one context key of it, as one recorded outcome. */
#include "queue/ops/id_list.h"

/*
 * A person purges a key that a list shows. If the key leads elsewhere by now, the events that would
 * go are not those that the list shows under it. Short names of a main session, under which nothing
 * is queued, are no such keys.
 */
static bool
leads_elsewhere(const struct plan *plan, const struct address *address,
		const struct cached_route *route)
{
	struct str sent = text_trim(address->session_key);

	return route->rule == RULE_DIRECT_MAIN || route->rule == RULE_CRON_RUN ||
	       route->rule == RULE_ISOLATED_HEARTBEAT ||
	       (sent.len > 0 && !str_eq(sent, route->queue_key) &&
		catalog_find(&plan->state->catalog, sent) != NULL);
}

static int
plan_purge(struct plan *plan, struct op *op)
{
	struct purge_op *purge = (struct purge_op *)op;
	struct cached_route route;
	struct queue *queue;
	struct str context_key = text_fold(&op->arena, purge->context_key);

	/* a caller that names a context key does not mean every event, even if the key is blank */
	if (purge->context_key.s != NULL && context_key.len == 0)
		return error_set_field(&op->error, "/contextKey", "contextKey is blank");
	if (plan_route(plan, op, &purge->address, &route) < 0)
		return -1;
	if (leads_elsewhere(plan, &purge->address, &route))
		return plan_refuse_rerouted(op, &purge->address, &route);
	purge->session_key = route.queue_key;
	queue = catalog_find_hashed(&plan->state->catalog, route.queue_key, route.hash);
	if (queue == NULL)
		return 0;
	struct id_list chosen = id_list_alloc(&op->arena, queue->depth);
	for (const struct entry *e = queue_first(queue, 0); e != NULL; e = queue_next(queue, e))
		if (context_key.len == 0 ||
		    str_eq(tags_get(&plan->state->catalog.tags, e->tag)->context_key, context_key))
			id_list_add(&chosen, e->id);
	id_list_take(plan, queue, OUTCOME_PURGED, plan_caller_name(op), chosen);
	purge->purged = chosen.count;
	purge->remaining = queue->depth;
	return 0;
}

void
purge_op_init(struct purge_op *op)
{
	static const struct op_kind kind = { OP_KIND(purge_op, session_key), .plan = plan_purge };

	op_start(&op->op, &kind);
}
