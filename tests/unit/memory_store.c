/* memory_store.c - commit copies, read looks up, and every failure is one field. */
#include "tests/unit/memory_store.h"

#include <assert.h>
#include <stdlib.h>

static bool
settled(const struct memory_store *store, int64_t id)
{
	for (int kind = SEVQ_OUTCOME_DRAINED; kind <= SEVQ_OUTCOME_EVICTED; kind++)
		if (memory_store_settled(store, id, (enum sevq_outcome_kind)kind))
			return true;
	return false;
}

bool
memory_store_settled(const struct memory_store *store, int64_t id, enum sevq_outcome_kind kind)
{
	for (size_t i = 0; i < store->outcome_count; i++)
		for (size_t j = 0; j < store->outcomes[i].count; j++)
			if (store->outcomes[i].kind == kind && store->outcomes[i].ids[j] == id)
				return true;
	return false;
}

static int
load(struct sevq_store *base, sevq_load_event *each, void *arg, int64_t *last_id, int64_t *last_ts_ms, struct sevq_error *err)
{
	struct memory_store *store = (struct memory_store *)base;
	if (store->load_fails != SEVQ_OK)
		return sevq_fail(err, store->load_fails, "told to");
	for (size_t i = 0; i < store->event_count; i++) {
		const struct sevq_store_event *record = &store->events[i];
		struct sevq_event event = record->event;
		*last_id = event.id;
		*last_ts_ms = event.ts_ms;
		event.text = SEVQ_STR_NULL;
		if (!settled(store, event.id) && each(arg, &event, 1, record->text_hash, record->event.text.len, err) < 0)
			return -1;
	}
	return 0;
}

static struct sevq_event
keep_event(struct memory_store *store, struct sevq_event event)
{
	struct sevq_str *text[] = { &event.session_key,
				    &event.original_session_key,
				    &event.text,
				    &event.context_key,
				    &event.source,
				    &event.traceparent,
				    &event.delivery.channel,
				    &event.delivery.to,
				    &event.delivery.account_id,
				    &event.delivery.thread_id };
	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		*text[i] = sevq_arena_dup(&store->arena, *text[i]);
	return event;
}

static void
keep(struct memory_store *store, const struct sevq_store_batch *batch)
{
	for (size_t i = 0; i < batch->event_count; i++) {
		struct sevq_store_event record = { .text_hash = batch->events[i].text_hash };
		record.event = keep_event(store, batch->events[i].event);
		batch->events[i].session->row = 1;
		store->events = sevq_grow(store->events, &store->event_cap, store->event_count + 1, sizeof record);
		store->events[store->event_count++] = record;
	}
	for (size_t i = 0; i < batch->outcome_count; i++) {
		const struct sevq_store_outcome *from = &batch->outcomes[i];
		struct memory_outcome outcome = { from->kind, from->ts_ms, sevq_arena_dup(&store->arena, from->session->key),
						  sevq_arena_alloc(&store->arena, from->count * sizeof(int64_t)), from->count };
		memcpy(outcome.ids, from->ids, from->count * sizeof *from->ids);
		store->outcomes = sevq_grow(store->outcomes, &store->outcome_cap, store->outcome_count + 1, sizeof outcome);
		store->outcomes[store->outcome_count++] = outcome;
	}
}

static void
commit_now(struct memory_store *store)
{
	struct sevq_error err;
	enum sevq_code code = store->commit_fails;
	sevq_commit_done *done = store->commit_done;
	if (store->full_for_events && store->batch->event_count > 0)
		code = SEVQ_STORAGE_FULL;
	store->commit_done = NULL;
	store->commits++;
	if (code == SEVQ_OK)
		keep(store, store->batch);
	else
		sevq_fail(&err, code, "told to");
	done(store->arg, code == SEVQ_OK ? NULL : &err);
}

static void
read_now(struct memory_store *store)
{
	struct sevq_error err;
	sevq_read_done *done = store->read_done;
	store->read_done = NULL;
	store->reads++;
	if (store->read_fails != SEVQ_OK) {
		sevq_fail(&err, store->read_fails, "told to");
		done(store->arg, &err);
		return;
	}
	for (size_t i = 0; i < store->read_count; i++)
		for (size_t j = 0; j < store->event_count; j++)
			if (store->events[j].event.id == store->read_ids[i] && store->read_ids[i] != store->missing_id)
				store->read_each(store->arg, &store->events[j].event);
	done(store->arg, NULL);
}

bool
memory_store_release(struct memory_store *store)
{
	if (store->commit_done != NULL)
		commit_now(store);
	else if (store->read_done != NULL)
		read_now(store);
	else
		return false;
	return true;
}

static void
commit(struct sevq_store *base, struct sevq_store_batch *batch, sevq_commit_done *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;
	assert(store->commit_done == NULL && store->read_done == NULL); /* one call at a time */
	store->batch = batch;
	store->commit_done = done;
	store->arg = arg;
	if (!store->defer)
		commit_now(store);
}

static void
read_events(struct sevq_store *base, const int64_t *ids, size_t count, sevq_read_event *each, sevq_read_done *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;
	assert(store->commit_done == NULL && store->read_done == NULL);
	store->read_ids = ids;
	store->read_count = count;
	store->read_each = each;
	store->read_done = done;
	store->arg = arg;
	if (!store->defer)
		read_now(store);
}

static bool
chores(struct sevq_store *base, int64_t settled_before_ms, size_t settled_rows_max, size_t pending)
{
	(void)settled_before_ms, (void)settled_rows_max, (void)pending;
	((struct memory_store *)base)->chores++;
	return false;
}

static bool
ready(struct sevq_store *base, struct sevq_error *err)
{
	const struct memory_store *store = (struct memory_store *)base;
	if (store->not_ready != SEVQ_OK)
		sevq_fail(err, store->not_ready, "told to");
	return store->not_ready == SEVQ_OK;
}

static void
stats(struct sevq_store *base, struct sevq_store_stats *ret)
{
	const struct memory_store *store = (struct memory_store *)base;
	*ret = (struct sevq_store_stats){ .events = store->event_count, .outcomes = store->outcome_count };
}

static void
close_store(struct sevq_store *base)
{
	((struct memory_store *)base)->closed_by_engine = true;
}

void
memory_store_init(struct memory_store *store)
{
	static const struct sevq_store_driver driver = { load, commit, read_events, chores, ready, stats, close_store };
	*store = (struct memory_store){ .base.driver = &driver };
}

void
memory_store_clear(struct memory_store *store)
{
	sevq_arena_clear(&store->arena);
	free(store->events);
	free(store->outcomes);
}
