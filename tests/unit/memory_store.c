/*
 * memory_store.c - commit copies into arrays, read looks up there, and a test sets failures by
 * fields.
 */
#include "tests/unit/memory_store.h"

#include <assert.h>
#include <stdlib.h>

static bool
settled(const struct memory_store *store, int64_t id)
{
	for (int kind = OUTCOME_DRAINED; kind <= OUTCOME_LAST_SETTLING; kind++)
		if (memory_store_settled(store, id, (enum outcome_kind)kind))
			return true;
	return false;
}

bool
memory_store_settled(const struct memory_store *store, int64_t id, enum outcome_kind kind)
{
	for (size_t i = 0; i < store->outcome_count; i++)
		for (size_t j = 0; j < store->outcomes[i].count; j++)
			if (store->outcomes[i].kind == kind && store->outcomes[i].ids[j] == id)
				return true;
	return false;
}

/* The stamp of the newest of both logs, and its steady time. */
static void
find_ends(const struct memory_store *store, struct store_newest *ends)
{
	for (size_t i = 0; i < store->event_count; i++) {
		ends->event = store->events[i].event.id;
		ends->ts_ms = store->events[i].event.ts_ms;
		ends->steady_ms =
		    ends->ts_ms - clock_marks_of_event(&store->marks, ends->event).ahead_ms;
	}
	for (size_t i = 0; i < store->outcome_count; i++) {
		int64_t ts_ms = store->outcomes[i].ts_ms;

		ends->outcome = store->outcomes[i].id;
		int64_t steady_ms =
		    ts_ms - clock_marks_of_outcome(&store->marks, ends->outcome).ahead_ms;
		if (steady_ms < ends->steady_ms)
			continue;
		ends->ts_ms = ts_ms;
		ends->steady_ms = steady_ms;
	}
	if (store->steady_ms > ends->steady_ms)
		ends->steady_ms = store->steady_ms;
}

static void
keep_mark(struct memory_store *store, const struct clock_mark *mark)
{
	struct clock_mark newest = clock_marks_newest(&store->marks);

	if (mark == NULL)
		return;
	if (newest.event == mark->event && newest.outcome == mark->outcome)
		store->marks.count--;
	clock_marks_add(&store->marks, mark);
}

static void
keep_time(struct memory_store *store, const struct store_time *time)
{
	keep_mark(store, time->mark);
	store->steady_ms = time->steady_ms;
}

static bool
is_dead_letter(const struct memory_store *store, int64_t id)
{
	return (memory_store_settled(store, id, OUTCOME_DEAD) ||
		memory_store_settled(store, id, OUTCOME_EVICTED)) &&
	       !memory_store_settled(store, id, OUTCOME_REQUEUED) &&
	       !memory_store_settled(store, id, OUTCOME_DISCARDED);
}

static void
load_dead(const struct memory_store *store, const struct store_loading *loading)
{
	for (size_t i = 0; i < store->outcome_count; i++)
		for (size_t j = 0; j < store->outcomes[i].count; j++)
			if (outcome_makes_dead_letters(store->outcomes[i].kind) &&
			    is_dead_letter(store, store->outcomes[i].ids[j]))
				loading->dead(loading->arg, store->outcomes[i].session->key, 1);
}

static int
load_all(struct memory_store *store, const struct store_loading *loading, struct store_newest *ends,
	 struct error *err)
{
	if (store->load_fails != ERROR_NONE)
		return error_set(err, store->load_fails, "told to");
	find_ends(store, ends);
	loading->marks(loading->arg, &store->marks);
	for (size_t i = 0; i < store->event_count; i++) {
		const struct store_event *record = &store->events[i];
		struct store_event told = *record;

		told.event.text.s = NULL;
		if (settled(store, told.event.id))
			continue;
		/* a new address each time, since the engine may not keep it */
		told.session = loading->session(loading->arg, told.event.session_key);
		told.session->row = 1;
		if (loading->events(loading->arg, &told, 1, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < store->outcome_count; i++)
		if (store->outcomes[i].kind > OUTCOME_LAST_SETTLING &&
		    !outcome_ends_dead_letters(store->outcomes[i].kind))
			loading->outcome(loading->arg, &store->outcomes[i]);
	for (size_t i = 0; i < store->context_count; i++)
		if (store->contexts[i].context_key.s != NULL)
			loading->context(loading->arg, store->contexts[i].session->key,
					 store->contexts[i].context_key);
	load_dead(store, loading);
	return 0;
}

static struct system_event
keep_event(struct memory_store *store, struct system_event event)
{
	struct str *text[] = { &event.session_key,
			       &event.original_session_key,
			       &event.text,
			       &event.context_key,
			       &event.source,
			       &event.traceparent,
			       &event.delivery.channel,
			       &event.delivery.to,
			       &event.delivery.account_id,
			       &event.delivery.thread_id };

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		*text[i] = arena_dup(&store->arena, *text[i]);
	return event;
}

static struct store_session *
keep_session(struct memory_store *store, const struct store_session *session)
{
	struct store_session *kept = arena_alloc(&store->arena, sizeof(*kept));

	kept->key = arena_dup(&store->arena, session->key);
	return kept;
}

static void
keep_context(struct memory_store *store, const struct store_context *context)
{
	size_t at = 0;

	while (at < store->context_count &&
	       !str_eq(store->contexts[at].session->key, context->session->key))
		at++;
	if (at == store->context_count) {
		store->contexts =
		    mem_grow(store->contexts, &store->context_cap, at + 1, sizeof(*context));
		store->contexts[at].session = keep_session(store, context->session);
		store->context_count++;
	}
	store->contexts[at].context_key = arena_dup(&store->arena, context->context_key);
}

static const uint32_t *
keep_counts(struct memory_store *store, const struct store_outcome *outcome)
{
	size_t bytes = outcome->count * sizeof(*outcome->counts);

	return outcome->counts != NULL
		   ? memcpy(arena_alloc(&store->arena, bytes), outcome->counts, bytes)
		   : NULL;
}

/* Takes the events out of the outcome, and removes it when it names none. */
static void
drop_events(struct memory_store *store, const struct store_drop *drop)
{
	size_t at = 0, kept = 0;

	while (at < store->outcome_count && store->outcomes[at].id != drop->outcome)
		at++;
	assert(at < store->outcome_count && drop->count > 0);
	struct store_outcome *outcome = &store->outcomes[at];
	uint32_t *counts = arena_alloc(&store->arena, outcome->count * sizeof(*counts));
	for (size_t i = 0, j = 0; i < outcome->count; i++) {
		if (j < drop->count && drop->ids[j] == outcome->ids[i]) {
			j++;
			continue;
		}
		counts[kept] = outcome->counts != NULL ? outcome->counts[i] : 0;
		outcome->ids[kept++] = outcome->ids[i];
	}
	assert(kept == outcome->count - drop->count);
	outcome->count = kept;
	outcome->counts = outcome->counts != NULL ? counts : NULL;
	if (kept == 0)
		memmove(outcome, outcome + 1, (--store->outcome_count - at) * sizeof(*outcome));
}

static void
keep(struct memory_store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->event_count; i++) {
		struct store_event record = { .text_hash = batch->events[i].text_hash };

		record.event = keep_event(store, batch->events[i].event);
		batch->events[i].session->row = 1;
		store->events = mem_grow(store->events, &store->event_cap, store->event_count + 1,
					 sizeof(record));
		store->events[store->event_count++] = record;
	}
	for (size_t i = 0; i < batch->outcome_count; i++) {
		struct store_outcome outcome = batch->outcomes[i];

		outcome.session = keep_session(store, outcome.session);
		if (outcome.target != NULL)
			outcome.target = keep_session(store, outcome.target);
		outcome.ids = arena_alloc(&store->arena, outcome.count * sizeof(*outcome.ids));
		memcpy(outcome.ids, batch->outcomes[i].ids, outcome.count * sizeof(*outcome.ids));
		outcome.detail = arena_dup(&store->arena, outcome.detail);
		outcome.counts = keep_counts(store, &batch->outcomes[i]);
		store->outcomes = mem_grow(store->outcomes, &store->outcome_cap,
					   store->outcome_count + 1, sizeof(outcome));
		store->outcomes[store->outcome_count++] = outcome;
	}
	for (size_t i = 0; i < batch->key_count; i++) {
		struct store_key key = batch->keys[i];

		key.key = arena_dup(&store->arena, key.key);
		key.answer = arena_dup(&store->arena, key.answer);
		store->keys =
		    mem_grow(store->keys, &store->key_cap, store->key_count + 1, sizeof(key));
		store->keys[store->key_count++] = key;
	}
	for (size_t i = 0; i < batch->drop_count; i++)
		drop_events(store, &batch->drops[i]);
	for (size_t i = 0; i < batch->context_count; i++)
		keep_context(store, &batch->contexts[i]);
	keep_mark(store, batch->mark);
}

/* Calls back, with the error that the code stands for. */
static void
end_call(struct memory_store *store, void (*done)(void *arg, const struct error *err),
	 enum error_code code)
{
	struct error err;

	if (code != ERROR_NONE)
		error_set(&err, code, "told to");
	done(store->arg, code == ERROR_NONE ? NULL : &err);
}

static void
load_now(struct memory_store *store)
{
	load_ended *done = store->load_done;
	struct error err;
	int failed;

	store->load_done = NULL;
	failed = load_all(store, store->loading, store->newest, &err);
	done(store->arg, failed < 0 ? &err : NULL);
}

static void
chores_now(struct memory_store *store)
{
	chores_done *done = store->chores_done;
	struct error err;

	store->chores_done = NULL;
	if (store->chores_fail != ERROR_NONE)
		error_set(&err, store->chores_fail, "told to");
	done(store->arg, false, store->chores_fail != ERROR_NONE ? &err : NULL);
}

/* An empty batch only asks whether the store may answer. */
static void
ask_now(struct memory_store *store)
{
	commit_done *done = store->commit_done;

	store->commit_done = NULL;
	store->asks++;
	end_call(store, done, store->ask_fails);
}

static enum error_code
commit_code(const struct memory_store *store)
{
	return store->full_for_events && store->batch->event_count > 0 ? ERROR_STORAGE_FULL
								       : store->commit_fails;
}

/* Keeps the batch and says that it is written. False: it fails before. */
static bool
write_now(struct memory_store *store)
{
	store->commits++;
	store->commit_code = commit_code(store);
	if (store->commit_code == ERROR_STORAGE_FULL && store->gives_way)
		store->base.makes_room = true;
	if (store->commit_code != ERROR_NONE && !store->fails_late)
		return false;
	keep(store, store->batch);
	store->batch = NULL;
	store->commit_written(store->arg);
	return true;
}

/* One half of a deferred commit, or all of it. */
static void
commit_now(struct memory_store *store)
{
	commit_done *done = store->commit_done;

	if (store->batch != NULL && store_batch_is_empty(store->batch)) {
		ask_now(store);
		return;
	}
	if (store->batch != NULL && write_now(store) && store->defer && store->defer_durable)
		return;
	store->commit_done = NULL;
	end_call(store, done, store->commit_code);
}

static bool
names(const struct store_outcome *outcome, int64_t id)
{
	for (size_t i = 0; i < outcome->count; i++)
		if (outcome->ids[i] == id)
			return true;
	return false;
}

/* The event with the session that it was stored in, or moved to last. */
static struct system_event
event_of(const struct memory_store *store, size_t at, bool as_stored)
{
	struct system_event event = store->events[at].event;

	for (size_t i = 0; i < store->outcome_count && !as_stored; i++)
		if (store->outcomes[i].kind == OUTCOME_MOVED &&
		    names(&store->outcomes[i], event.id))
			event.session_key = store->outcomes[i].target->key;
	return event;
}

static void
read_now(struct memory_store *store)
{
	struct system_event event;

	read_done *done = store->read_done;

	store->read_done = NULL;
	store->reads++;
	if (store->read_fails != ERROR_NONE) {
		end_call(store, done, store->read_fails);
		return;
	}
	for (size_t i = 0; i < store->read_count; i++)
		for (size_t j = 0; j < store->event_count; j++)
			if (store->events[j].event.id == store->wanted[i].id &&
			    store->wanted[i].id != store->missing_id) {
				event = event_of(store, j, store->wanted[i].as_stored);
				store->followed += !store->wanted[i].as_stored;
				store->read_each(store->arg, &event);
			}
	done(store->arg, NULL);
}

/* Whether the walk reports the outcome. */
static bool
is_wanted(const struct lookup *lookup, const struct store_outcome *outcome)
{
	if (outcome->id < lookup->from)
		return false;
	if (lookup->kind == LOOKUP_TIMELINE)
		return !outcome_ends_dead_letters(outcome->kind) && names(outcome, lookup->id);
	if (outcome->id <= lookup->id)
		return outcome->id == lookup->id && outcome->kind == OUTCOME_LEASED;
	return (outcome->lease == lookup->id && outcome->kind != OUTCOME_EXTENDED) ||
	       (outcome->kind >= OUTCOME_CONSUMED && outcome->kind <= OUTCOME_REPLACED);
}

/* Reports the outcome; of a timeline with the event alone. */
static bool
report(struct memory_store *store, size_t index, const struct store_outcome *outcome)
{
	const struct lookup *lookup = &store->lookups[index];
	struct store_outcome one = *outcome;

	for (size_t i = 0; lookup->kind == LOOKUP_TIMELINE && i < outcome->count; i++) {
		if (outcome->ids[i] != lookup->id)
			continue;
		one.ids = &outcome->ids[i];
		one.counts = outcome->counts != NULL ? &outcome->counts[i] : NULL;
		one.count = 1;
	}
	return store->found(store->arg, index, &(struct found){ .outcome = &one });
}

static void
report_event(struct memory_store *store, size_t index)
{
	for (size_t i = 0; i < store->event_count; i++) {
		struct system_event event = event_of(store, i, store->lookups[index].as_stored);

		if (event.id == store->lookups[index].id)
			store->found(store->arg, index, &(struct found){ .event = &event });
	}
}

/* Only outcomes that it reports count as looked at. */
static void
walk(struct memory_store *store, size_t index)
{
	const struct lookup *lookup = &store->lookups[index];
	size_t looked_at = 0;
	int64_t next = 0;
	bool more = true;

	for (size_t i = 0; i < store->outcome_count && more && next == 0; i++) {
		if (!is_wanted(lookup, &store->outcomes[i]))
			continue;
		if (looked_at++ == lookup->rows)
			next = store->outcomes[i].id;
		else
			more = report(store, index, &store->outcomes[i]);
	}
	for (size_t i = 0; i < store->outcome_count && next == 0; i++)
		if (lookup->kind == LOOKUP_TIMELINE &&
		    outcome_ends_dead_letters(store->outcomes[i].kind) &&
		    names(&store->outcomes[i], lookup->id))
			report(store, index, &store->outcomes[i]);
	if (lookup->kind == LOOKUP_TIMELINE && next == 0)
		report_event(store, index);
	store->found(store->arg, index, &(struct found){ .next = &next });
}

static void
look_up_one(struct memory_store *store, size_t index)
{
	const struct lookup *lookup = &store->lookups[index];

	if (lookup->kind == LOOKUP_TIMELINE || lookup->kind == LOOKUP_LEASE)
		walk(store, index);
	if (lookup->kind == LOOKUP_EVENT ||
	    (lookup->kind == LOOKUP_DEAD && is_dead_letter(store, lookup->id)))
		report_event(store, index);
	for (size_t i = 0; lookup->kind == LOOKUP_KEY && i < store->key_count; i++)
		if (str_eq(store->keys[i].key, lookup->key))
			store->found(store->arg, index, &(struct found){ .key = &store->keys[i] });
}

static void
look_up_now(struct memory_store *store)
{
	read_done *done = store->lookup_done;

	store->lookup_done = NULL;
	store->reads++;
	if (store->read_fails != ERROR_NONE) {
		end_call(store, done, store->read_fails);
		return;
	}
	for (size_t i = 0; i < store->lookup_count; i++)
		look_up_one(store, i);
	done(store->arg, NULL);
}

/* No paging; the tests of the SQLite driver cover it. */
static void
page_now(struct memory_store *store)
{
	history_done *done = store->page_done;
	struct error err;

	store->page_done = NULL;
	if (store->page_fails != ERROR_NONE)
		error_set(&err, store->page_fails, "told to");
	done(store->arg, 0, 0, 0, store->page_fails != ERROR_NONE ? &err : NULL);
}

bool
memory_store_release(struct memory_store *store)
{
	if (store->commit_done != NULL)
		commit_now(store);
	else if (store->read_done != NULL)
		read_now(store);
	else if (store->lookup_done != NULL)
		look_up_now(store);
	else if (store->page_done != NULL)
		page_now(store);
	else if (store->load_done != NULL)
		load_now(store);
	else if (store->chores_done != NULL)
		chores_now(store);
	else
		return false;
	return true;
}

/* One call at a time. */
static void
assert_idle(const struct memory_store *store)
{
	assert(store->commit_done == NULL && store->read_done == NULL &&
	       store->lookup_done == NULL && store->page_done == NULL && store->load_done == NULL &&
	       store->chores_done == NULL);
}

static void
look_up(struct store *base, const struct lookup *lookups, size_t count, lookup_found *each,
	read_done *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	assert_idle(store);
	store->lookups = lookups;
	store->lookup_count = count;
	store->found = each;
	store->lookup_done = done;
	store->arg = arg;
	if (!store->defer)
		look_up_now(store);
}

static void
page(struct store *base, const struct history_query *query, history_row *each, history_done *done,
     void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)query, (void)each;
	assert_idle(store);
	store->page_done = done;
	store->arg = arg;
	if (!store->defer)
		page_now(store);
}

static void
commit(struct store *base, struct store_batch *batch, commit_written *written, commit_done *done,
       void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	assert_idle(store);
	store->batch = batch;
	store->commit_written = written;
	store->commit_done = done;
	store->arg = arg;
	if (!store->defer)
		commit_now(store);
}

static void
read_events(struct store *base, const struct wanted_event *wanted, size_t count, read_event *each,
	    read_done *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	assert_idle(store);
	store->wanted = wanted;
	store->read_count = count;
	store->read_each = each;
	store->read_done = done;
	store->arg = arg;
	if (!store->defer)
		read_now(store);
}

static void
load(struct store *base, const struct store_loading *loading, struct store_newest *newest,
     load_ended *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	assert_idle(store);
	store->loading = loading;
	store->newest = newest;
	store->load_done = done;
	store->arg = arg;
	if (!store->defer)
		load_now(store);
}

static void
chores(struct store *base, const struct chores *what, chores_done *done, void *arg)
{
	struct memory_store *store = (struct memory_store *)base;

	assert_idle(store);
	store->chores++;
	if (what->keep_time && store->chores_fail == ERROR_NONE)
		keep_time(store, &what->time);
	store->chores_done = done;
	store->arg = arg;
	if (!store->defer)
		chores_now(store);
}

static bool
ready(struct store *base, struct error *err)
{
	const struct memory_store *store = (struct memory_store *)base;

	if (store->not_ready != ERROR_NONE)
		error_set(err, store->not_ready, "told to");
	return store->not_ready == ERROR_NONE;
}

static void
stats(struct store *base, struct store_stats *ret)
{
	const struct memory_store *store = (struct memory_store *)base;

	*ret =
	    (struct store_stats){ .events = store->event_count, .outcomes = store->outcome_count };
}

static void
close_store(struct store *base, const struct store_time *time)
{
	struct memory_store *store = (struct memory_store *)base;

	store->closed_by_engine = true;
	if (time != NULL && store->event_count > 0)
		keep_time(store, time);
}

void
memory_store_init(struct memory_store *store)
{
	static const struct store_driver driver = { load,  commit,     read_events, look_up,
						    page,  chores,     NULL,        ready,
						    stats, close_store };

	*store = (struct memory_store){ .base.driver = &driver };
}

void
memory_store_clear(struct memory_store *store)
{
	arena_clear(&store->arena);
	free(store->events);
	free(store->outcomes);
	free(store->keys);
	free(store->contexts);
	clock_marks_clear(&store->marks);
}
