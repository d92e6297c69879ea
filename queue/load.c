/*
 * load.c - fills the catalog at the start: first every pending event as it was enqueued, then the
 * changes that leases, nacks and moves have made to it.
 *
 * A row's times become times of the boot clock here, once. How long something was to last is the
 * difference of two wall times of its row; since when, the row's steady time says (clock_marks.h),
 * so a wall clock that was or is wrong changes nothing. The journal is committed after every
 * call-back of the store, so that it stays small.
 */
#include "queue/load.h"

#include <stdlib.h>

#include "queue/ops/tick.h"
#include "queue/ops/timeline.h"

/* Continues the queue's clock from what is stored. */
static void
load_marks(void *arg, const struct clock_marks *marks)
{
	struct load *load = arg;
	const struct store_newest *newest = &load->newest;

	if (newest->steady_ms > 0)
		state_continue_clocks(
		    load->state, &(struct steady_stored){ marks, newest->ts_ms, newest->steady_ms,
							  newest->event + 1, newest->outcome + 1 });
}

/* Converts a steady time to the boot clock; the result is never 0, which means none. */
static int64_t
to_boot_ms(const struct queue_state *state, int64_t steady_ms)
{
	int64_t boot_ms = state->boot_ms + (steady_ms - state->steady.steady_ms);

	return boot_ms > 0 ? boot_ms : 1;
}

/* The wall time of an event's row, or of an outcome's, as steady time. */
static int64_t
time_of_event(const struct queue_state *state, const struct system_event *event, int64_t wall_ms)
{
	return steady_of_event(&state->steady, event->id, wall_ms);
}

static int64_t
time_of_outcome(const struct queue_state *state, const struct store_outcome *outcome)
{
	return steady_of_outcome(&state->steady, outcome->id, outcome->until_ms);
}

/* The event was held back until then, which is over. */
static void
note_held(struct load *load, struct held_back held)
{
	load->held =
	    mem_grow(load->held, &load->held_cap, load->held_count + 1, sizeof(*load->held));
	load->held[load->held_count++] = held;
}

static void
load_times(struct load *load, struct queue *queue, const struct system_event *event)
{
	struct queue_state *state = load->state;
	int64_t available_ms = time_of_event(state, event, event->available_at_ms);
	struct extra extra = { .available_at_ms = event->available_at_ms,
			       .expires_at_ms = event->expires_at_ms };

	if (event->available_at_ms > 0 && available_ms > state->steady.steady_ms)
		extra.available_boot_ms = to_boot_ms(state, available_ms);
	else if (event->available_at_ms > event->ts_ms)
		note_held(load,
			  (struct held_back){ event->id, available_ms, event->available_at_ms });
	if (event->expires_at_ms > 0)
		extra.expires_boot_ms =
		    to_boot_ms(state, time_of_event(state, event, event->expires_at_ms));
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
load_event(struct load *load, const struct store_event *record, struct error *err)
{
	struct catalog *catalog = &load->state->catalog;
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
	if (record->damaged)
		queue_mark_damaged(queue, queue_entry(queue, event->id));
	load_times(load, queue, event);
	if (event->context_key.len > 0)
		journal_set_last(catalog, queue, tag);
	return 0;
}

static int
load_events(void *arg, const struct store_event *events, size_t count, struct error *err)
{
	struct load *load = arg;
	int failed = 0;

	if (count > 0 && load->state->options.loading != NULL)
		load->state->options.loading();
	for (size_t i = 0; i < count; i++)
		queue_prefetch(queue_of_session(events[i].session));
	for (size_t i = 0; i < count && failed == 0; i++)
		failed = load_event(load, &events[i], err);
	/* not earlier: a commit removes queues that are still empty */
	journal_commit(&load->state->catalog);
	return failed;
}

/* --- moves --- */

/* More than so many events are not merged at once: the journal holds them meanwhile. */
#define MERGE_MAX 100000

/* Ends the move under way: what follows may be about its events. */
static void
end_move(struct load *load)
{
	struct catalog *catalog = &load->state->catalog;

	if (load->move.to == NULL)
		return;
	move_finish(&load->move, catalog);
	journal_commit(catalog);
}

/* Many queues may have been moved to one, one after the other; they are merged into it at once. */
static void
load_moved(struct load *load, const struct store_outcome *outcome)
{
	struct catalog *catalog = &load->state->catalog;
	struct queue *to = load->move.to;

	if (to != NULL &&
	    (!str_eq(to->session.key, outcome->target->key) || load->move.count >= MERGE_MAX))
		end_move(load);
	struct queue *from = catalog_find(catalog, outcome->session->key);
	for (size_t i = 0; from != NULL && i < outcome->count; i++) {
		struct entry *entry = queue_entry(from, outcome->ids[i]);

		if (entry == NULL || (entry->flags & ENTRY_LEASED) != 0)
			continue;
		if (load->move.to == NULL)
			load->move.to = catalog_find_or_add(catalog, outcome->target->key);
		move_take(&load->move, catalog, from, entry);
	}
	if (from != NULL)
		journal_refresh_last(catalog, from);
}

/* --- leases --- */

static void
load_lease(struct queue_state *state, struct queue *queue, const struct store_outcome *outcome)
{
	struct lease lease = { .id = outcome->id,
			       .queue = queue,
			       .exclusive = outcome->lease == LEASE_EXCLUSIVE,
			       .ids = outcome->ids,
			       .count = outcome->count };

	journal_add_lease(&state->catalog, &lease, outcome->detail);
}

/* When the outcome, which gave the event back, let it be had. */
static struct held_back
free_since(const struct queue_state *state, int64_t id, const struct store_outcome *outcome)
{
	int64_t ts_ms = outcome->until_ms > 0 ? outcome->until_ms : outcome->ts_ms;

	return (struct held_back){ id, steady_of_outcome(&state->steady, outcome->id, ts_ms),
				   ts_ms };
}

/* Applies the outcome to one event that is still pending, which it names in this place. */
static void
apply(struct load *load, struct queue *queue, struct entry *entry,
      const struct store_outcome *outcome, size_t place)
{
	struct queue_state *state = load->state;
	struct extra extra = catalog_extra(&state->catalog, entry->id);
	int attempts = entry->attempts;
	bool leased = outcome->kind == OUTCOME_LEASED;

	if (!leased && (extra.lease == NULL || extra.lease->id != outcome->lease))
		return;
	if (leased || outcome->kind == OUTCOME_EXTENDED) {
		extra.lease =
		    leased ? leases_find(&state->catalog.leases, outcome->id) : extra.lease;
		extra.lease_end_boot_ms = to_boot_ms(state, time_of_outcome(state, outcome));
		extra.available_boot_ms = 0;
	} else {
		bool waits = outcome->until_ms > 0 &&
			     time_of_outcome(state, outcome) > state->steady.steady_ms;

		extra.lease = NULL;
		extra.available_at_ms = outcome->until_ms;
		extra.available_boot_ms =
		    waits ? to_boot_ms(state, time_of_outcome(state, outcome)) : 0;
		attempts += outcome->kind != OUTCOME_RETURNED;
		if (!waits)
			note_held(load, free_since(state, entry->id, outcome));
	}
	journal_set_state(&state->catalog, queue, entry, attempts, &extra);
	timeline_load(state, queue, outcome, place);
}

static void
load_outcome(void *arg, const struct store_outcome *outcome)
{
	struct load *load = arg;
	struct queue_state *state = load->state;

	if (outcome->kind == OUTCOME_MOVED) {
		load_moved(load, outcome);
		return;
	}
	end_move(load);
	struct queue *queue = catalog_find(&state->catalog, outcome->session->key);

	if (queue == NULL)
		return;
	if (outcome->kind == OUTCOME_LEASED)
		load_lease(state, queue, outcome);
	for (size_t i = 0; i < outcome->count; i++) {
		struct entry *entry = queue_entry(queue, outcome->ids[i]);

		if (entry != NULL)
			apply(load, queue, entry, outcome, i);
	}
	journal_commit(&state->catalog);
}

static void
load_context(void *arg, struct str key, struct str context_key)
{
	struct load *load = arg;
	struct catalog *catalog = &load->state->catalog;
	const struct delivery none = { 0 };

	end_move(load);
	struct queue *queue = catalog_find(catalog, key);
	if (queue != NULL)
		catalog_load_kept_last(catalog, queue,
				       tags_intern(&catalog->tags, context_key, STR_NULL, &none));
}

static void
load_dead(void *arg, struct str key, size_t count)
{
	dead_letters_add(&((struct load *)arg)->state->catalog.dead, key, count);
}

static void
on_loaded(void *arg, const struct error *err)
{
	struct load *load = arg;
	struct queue_state *state = load->state;

	end_move(load);
	if (err == NULL) {
		state->stored_event = load->newest.event;
		state->stored_outcome = load->newest.outcome;
		state->next_event = state->stored_event + 1;
		state->next_outcome = state->stored_outcome + 1;
		tick_start(state);
		ready_load(state, load->held, load->held_count);
	}
	free(load->held);
	load->held = NULL;
	load->done(load->done_arg, err);
}

void
load_start(struct load *load, struct queue_state *state, struct store *store, load_done *done,
	   void *arg)
{
	*load = (struct load){
		.state = state,
		.callbacks = { load_marks, load_session, load_events, load_outcome, load_context,
			       load_dead, load },
		.done = done,
		.done_arg = arg,
	};
	store->driver->load(store, &load->callbacks, &load->newest, on_loaded, load);
}
