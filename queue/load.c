/*
 * load.c - opening: every pending event as its enqueue left it, then what leases and nacks made of it.
 *
 * Wall times in the log become times of the steady clock here, once: what was to last another minute when the server stopped
 * lasts until that minute of wall time is over. Each record is final at once, so that the journal stays small.
 */
#include "queue/load.h"

#include "queue/op_tick.h"

struct loading {
	struct sevq_plan *plan;
	struct sevq_store_ends ends; /* known before the first event */
};

/*
 * It is at least as late as what was written last. A clock that starts in the past would otherwise stretch a minute's lease
 * to years.
 */
static void
take_time(struct sevq_plan *plan, const struct sevq_store_ends *ends)
{
	if (ends->ts_ms > plan->now_ms)
		plan->now_ms = ends->ts_ms;
}

/* A wall time on the steady clock; never 0, which means none. */
static int64_t
to_boot_ms(const struct sevq_plan *plan, int64_t wall_ms)
{
	int64_t boot_ms = plan->boot_ms + (wall_ms - plan->now_ms);
	return boot_ms > 0 ? boot_ms : 1;
}

static void
load_times(struct sevq_plan *plan, struct sevq_queue *queue, const struct sevq_event *event)
{
	struct sevq_extra extra = { .available_at_ms = event->available_at_ms, .expires_at_ms = event->expires_at_ms };
	if (event->available_at_ms > plan->now_ms)
		extra.available_boot_ms = to_boot_ms(plan, event->available_at_ms);
	if (event->expires_at_ms > 0)
		extra.expires_boot_ms = to_boot_ms(plan, event->expires_at_ms);
	if (extra.available_boot_ms > 0 || extra.expires_boot_ms > 0)
		sevq_queue_set_state(&plan->catalog, queue, sevq_queue_entry(queue, event->id), 0, &extra);
}

/* The same tag, queue and entry that the enqueue made. */
static int
load_event(void *arg, const struct sevq_event *event, int64_t session_row, uint64_t text_hash, size_t text_bytes,
	   struct sevq_error *err)
{
	struct loading *loading = arg;
	struct sevq_plan *plan = loading->plan;
	struct sevq_catalog *catalog = &plan->catalog;
	take_time(plan, &loading->ends);
	if (text_bytes == 0 || text_bytes > SEVQ_TEXT_BYTES_MAX)
		return sevq_fail(err, SEVQ_STORAGE_CORRUPT, "event %lld has a text of %zu bytes", (long long)event->id, text_bytes);
	struct sevq_queue *queue = sevq_catalog_need(catalog, event->session_key);
	struct sevq_str original = sevq_trim(event->original_session_key);
	bool rekeyed = !sevq_str_eq(original, event->session_key);
	uint32_t tag = sevq_tags_intern(&catalog->tags, event->context_key, rekeyed ? original : SEVQ_STR_NULL, &event->delivery);
	queue->session.row = session_row;
	sevq_queue_append(catalog, queue,
			  (struct sevq_entry){ .id = event->id,
					       .ts_ms = event->ts_ms,
					       .text_hash = text_hash,
					       .tag = tag,
					       .text_bytes_m1 = (uint16_t)(text_bytes - 1),
					       .flags = event->exec_completion ? SEVQ_ENTRY_EXEC : 0 });
	load_times(plan, queue, event);
	if (event->context_key.len > 0)
		sevq_queue_set_last(catalog, queue, tag);
	sevq_catalog_commit(catalog);
	return 0;
}

static void
load_lease(struct sevq_plan *plan, struct sevq_queue *queue, const struct sevq_store_outcome *outcome)
{
	struct sevq_lease lease = { .id = outcome->id,
				    .queue = queue,
				    .consumer = outcome->detail,
				    .exclusive = outcome->lease == SEVQ_LEASE_EXCLUSIVE,
				    .ids = outcome->ids,
				    .count = outcome->count };
	sevq_catalog_add_lease(&plan->catalog, &lease);
}

/* What the outcome did to one event that is still pending. */
static void
apply(struct sevq_plan *plan, struct sevq_queue *queue, struct sevq_entry *entry, const struct sevq_store_outcome *outcome)
{
	struct sevq_extra extra = sevq_catalog_extra(&plan->catalog, entry->id);
	int attempts = entry->attempts;
	bool lends = outcome->kind == SEVQ_OUTCOME_LEASED;
	if (!lends && (extra.lease == NULL || extra.lease->id != outcome->lease))
		return;
	if (lends || outcome->kind == SEVQ_OUTCOME_EXTENDED) {
		extra.lease = lends ? sevq_catalog_new_lease(&plan->catalog, outcome->id) : extra.lease;
		extra.lease_until_ms = outcome->until_ms;
		extra.lease_end_boot_ms = to_boot_ms(plan, outcome->until_ms);
		extra.available_boot_ms = 0;
	} else {
		extra.lease = NULL;
		extra.available_at_ms = outcome->until_ms;
		extra.available_boot_ms = outcome->until_ms > plan->now_ms ? to_boot_ms(plan, outcome->until_ms) : 0;
		attempts += outcome->kind != SEVQ_OUTCOME_RETURNED;
	}
	sevq_queue_set_state(&plan->catalog, queue, entry, attempts, &extra);
}

static void
load_outcome(void *arg, const struct sevq_store_outcome *outcome)
{
	struct sevq_plan *plan = ((struct loading *)arg)->plan;
	struct sevq_queue *queue = sevq_catalog_find(&plan->catalog, outcome->session->key);
	if (queue == NULL)
		return;
	if (outcome->kind == SEVQ_OUTCOME_LEASED)
		load_lease(plan, queue, outcome);
	for (size_t i = 0; i < outcome->count; i++) {
		struct sevq_entry *entry = sevq_queue_entry(queue, outcome->ids[i]);
		if (entry != NULL)
			apply(plan, queue, entry, outcome);
	}
	sevq_catalog_commit(&plan->catalog);
}

int
sevq_plan_load(struct sevq_plan *plan, struct sevq_store *store, struct sevq_error *err)
{
	struct loading loading = { .plan = plan };
	plan->opened_boot_ms = plan->boot_ms;
	if (store->driver->load(store, load_event, load_outcome, &loading, &loading.ends, err) < 0)
		return -1;
	plan->next_event = loading.ends.event + 1;
	plan->next_outcome = loading.ends.outcome + 1;
	take_time(plan, &loading.ends);
	sevq_tick_start(plan);
	return 0;
}
