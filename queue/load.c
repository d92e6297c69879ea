/*
 * load.c - fills the catalog at the start: first every pending event as it was enqueued, then the
 * changes that leases and nacks have made to it.
 *
 * The stored wall times become times of the boot clock here, once: a delay that had a minute left
 * when the server stopped ends when that minute of wall time is over. The journal is committed
 * after every call-back of the store, so that it stays small.
 */
#include "queue/load.h"

#include "queue/ops/tick.h"

/*
 * Makes now at least as late as the newest stored time. With a clock that starts in the past, a
 * lease of a minute would otherwise last for years.
 */
static void
take_time(struct queue_state *state, const struct store_newest *newest)
{
	if (newest->ts_ms > state->now_ms)
		state->now_ms = newest->ts_ms;
}

/* Converts a wall time to the boot clock; the result is never 0, which means none. */
static int64_t
to_boot_ms(const struct queue_state *state, int64_t wall_ms)
{
	int64_t boot_ms = state->boot_ms + (wall_ms - state->now_ms);

	return boot_ms > 0 ? boot_ms : 1;
}

static void
load_times(struct queue_state *state, struct queue *queue, const struct system_event *event)
{
	struct extra extra = { .available_at_ms = event->available_at_ms,
			       .expires_at_ms = event->expires_at_ms };

	if (event->available_at_ms > state->now_ms)
		extra.available_boot_ms = to_boot_ms(state, event->available_at_ms);
	if (event->expires_at_ms > 0)
		extra.expires_boot_ms = to_boot_ms(state, event->expires_at_ms);
	if (extra.available_boot_ms > 0 || extra.expires_boot_ms > 0)
		journal_set_state(&state->catalog, queue, queue_entry(queue, event->id), 0, &extra);
}

static struct store_session *
load_session(void *arg, struct str key)
{
	return &catalog_find_or_add(&((struct load *)arg)->state->catalog, key)->session;
}

/* Adds the same tag and entry as the enqueue did. */
static int
load_event(struct queue_state *state, const struct store_event *record, struct error *err)
{
	struct catalog *catalog = &state->catalog;
	const struct system_event *event = &record->event;
	struct queue *queue = queue_of_session(record->session);

	if (event->text.len == 0 || event->text.len > TEXT_BYTES_MAX)
		return error_set(err, ERROR_STORAGE_CORRUPT, "event %lld has a text of %zu bytes",
				 (long long)event->id, event->text.len);
	struct str original = text_trim(event->original_session_key);
	if (str_eq(original, event->session_key))
		original = STR_NULL;
	uint32_t tag = tags_intern(&catalog->tags, event->context_key, original, &event->delivery);
	catalog_load_event(catalog, queue, event, record->text_hash, tag);
	load_times(state, queue, event);
	if (event->context_key.len > 0)
		journal_set_last(catalog, queue, tag);
	return 0;
}

static int
load_events(void *arg, const struct store_event *events, size_t count, struct error *err)
{
	struct load *load = arg;
	int failed = 0;

	take_time(load->state, &load->newest);
	for (size_t i = 0; i < count; i++)
		queue_prefetch(queue_of_session(events[i].session));
	for (size_t i = 0; i < count && failed == 0; i++)
		failed = load_event(load->state, &events[i], err);
	/* not earlier: a commit removes queues that are still empty */
	journal_commit(&load->state->catalog);
	return failed;
}

static void
load_context(void *arg, struct str key, struct str context_key)
{
	struct catalog *catalog = &((struct load *)arg)->state->catalog;
	struct queue *queue = catalog_find(catalog, key);
	const struct delivery none = { 0 };

	if (queue != NULL)
		catalog_load_kept_last(catalog, queue,
				       tags_intern(&catalog->tags, context_key, STR_NULL, &none));
}

static void
load_lease(struct queue_state *state, struct queue *queue, const struct store_outcome *outcome)
{
	struct lease lease = { .id = outcome->id,
			       .queue = queue,
			       .exclusive = outcome->lease == LEASE_EXCLUSIVE,
			       .ids = outcome->ids,
			       .count = outcome->count };

	journal_add_lease(&state->catalog, &lease);
}

/* Applies the outcome to one event that is still pending. */
static void
apply(struct queue_state *state, struct queue *queue, struct entry *entry,
      const struct store_outcome *outcome)
{
	struct extra extra = catalog_extra(&state->catalog, entry->id);
	int attempts = entry->attempts;
	bool leased = outcome->kind == OUTCOME_LEASED;

	if (!leased && (extra.lease == NULL || extra.lease->id != outcome->lease))
		return;
	if (leased || outcome->kind == OUTCOME_EXTENDED) {
		extra.lease =
		    leased ? leases_find(&state->catalog.leases, outcome->id) : extra.lease;
		extra.lease_end_boot_ms = to_boot_ms(state, outcome->until_ms);
		extra.available_boot_ms = 0;
	} else {
		extra.lease = NULL;
		extra.available_at_ms = outcome->until_ms;
		extra.available_boot_ms =
		    outcome->until_ms > state->now_ms ? to_boot_ms(state, outcome->until_ms) : 0;
		attempts += outcome->kind != OUTCOME_RETURNED;
	}
	journal_set_state(&state->catalog, queue, entry, attempts, &extra);
}

static void
load_outcome(void *arg, const struct store_outcome *outcome)
{
	struct queue_state *state = ((struct load *)arg)->state;
	struct queue *queue = catalog_find(&state->catalog, outcome->session->key);

	if (queue == NULL)
		return;
	if (outcome->kind == OUTCOME_LEASED)
		load_lease(state, queue, outcome);
	for (size_t i = 0; i < outcome->count; i++) {
		struct entry *entry = queue_entry(queue, outcome->ids[i]);

		if (entry != NULL)
			apply(state, queue, entry, outcome);
	}
	journal_commit(&state->catalog);
}

static void
on_loaded(void *arg, const struct error *err)
{
	struct load *load = arg;
	struct queue_state *state = load->state;

	if (err == NULL) {
		state->next_event = load->newest.event + 1;
		state->next_outcome = load->newest.outcome + 1;
		take_time(state, &load->newest);
		tick_start(state);
	}
	load->done(load->done_arg, err);
}

void
load_start(struct load *load, struct queue_state *state, struct store *store, load_done *done,
	   void *arg)
{
	*load = (struct load){
		.state = state,
		.callbacks = { load_session, load_events, load_context, load_outcome, load },
		.done = done,
		.done_arg = arg,
	};
	store->driver->load(store, &load->callbacks, &load->newest, on_loaded, load);
}
