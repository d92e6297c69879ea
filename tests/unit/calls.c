/* calls.c - one list owns every call, until calls_free. */
#include "tests/unit/calls.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct call *all;
static int answers;

static void
on_done(struct op *op, void *arg)
{
	struct call *call = arg;

	assert(op == &call->op);
	call->answered++;
	call->answered_as = ++answers;
}

static void
on_prepare(struct op *op, void *arg)
{
	struct call *call = arg;

	assert(op == &call->op && call->answered == 0);
	assert(op->error.code == ERROR_NONE);
	call->prepared++;
}

static struct call *
new_call(void)
{
	struct call *call = mem_alloc(sizeof(*call));

	call->next = all;
	all = call;
	return call;
}

void
calls_free(void)
{
	while (all != NULL) {
		struct call *call = all;

		all = call->next;
		op_clear(&call->op);
		free(call);
	}
	answers = 0;
}

static struct call *
submit(struct engine *engine, struct call *call)
{
	call->op.done = on_done;
	call->op.prepare = on_prepare;
	call->op.arg = call;
	engine_submit(engine, &call->op);
	return call;
}

struct draft
draft(const char *key, const char *text)
{
	return (struct draft){ .address.session_key = str_of(key), .text = str_of(text) };
}

struct call *
enqueue_drafts(struct engine *engine, const struct draft *drafts, size_t count)
{
	struct call *call = new_call();

	assert(count <= CALL_DRAFTS_MAX);
	memcpy(call->drafts, drafts, count * sizeof(*drafts));
	enqueue_op_init(&call->enqueue);
	call->enqueue.drafts = call->drafts;
	call->enqueue.count = count;
	return submit(engine, call);
}

struct call *
enqueue_draft(struct engine *engine, struct draft one)
{
	return enqueue_drafts(engine, &one, 1);
}

struct call *
enqueue(struct engine *engine, const char *key, const char *text)
{
	return enqueue_draft(engine, draft(key, text));
}

struct call *
enqueue_keyed(struct engine *engine, const char *key, const char *context_key, const char *text)
{
	struct draft one = draft(key, text);

	one.context_key = str_of(context_key);
	return enqueue_draft(engine, one);
}

struct call *
drain(struct engine *engine, const char *key, size_t limit)
{
	struct call *call = new_call();

	drain_op_init(&call->drain);
	call->drain.address.session_key = str_of(key);
	call->drain.limit = limit;
	return submit(engine, call);
}

struct call *
drain_prefix(struct engine *engine, const char *key, const char *prefix)
{
	struct call *call = new_call();

	drain_op_init(&call->drain);
	call->drain.address.session_key = str_of(key);
	call->drain.context_key_prefix = str_of(prefix);
	return submit(engine, call);
}

static struct str
id_text(char *text, size_t bytes, int64_t id)
{
	snprintf(text, bytes, "%" PRId64, id);
	return str_of(text);
}

/* Writes the ids as text into the call. */
static const struct str *
name_ids(struct call *call, const int64_t *ids, size_t count)
{
	assert(count <= CALL_DRAFTS_MAX);
	for (size_t i = 0; i < count; i++)
		call->ids[i] = id_text(call->id_texts[i], sizeof(call->id_texts[i]), ids[i]);
	return call->ids;
}

struct call *
consume(struct engine *engine, const char *key, const int64_t *ids, size_t count)
{
	struct call *call = new_call();

	consume_op_init(&call->consume);
	call->consume.address.session_key = str_of(key);
	call->consume.ids = name_ids(call, ids, count);
	call->consume.id_count = count;
	return submit(engine, call);
}

struct call *
peek_page(struct engine *engine, const char *key, size_t limit, const char *after)
{
	struct call *call = new_call();

	peek_op_init(&call->peek);
	call->peek.address.session_key = str_of(key);
	call->peek.limit = limit;
	call->peek.after = str_of(after);
	return submit(engine, call);
}

struct call *
peek(struct engine *engine, const char *key)
{
	return peek_page(engine, key, PEEK_PAGE_MAX, NULL);
}

struct call *
find_event(struct engine *engine, int64_t id)
{
	struct call *call = new_call();

	find_op_init(&call->find);
	call->find.id = id_text(call->id_texts[0], sizeof(call->id_texts[0]), id);
	return submit(engine, call);
}

struct call *
withdraw(struct engine *engine, int64_t id)
{
	struct call *call = new_call();

	withdraw_op_init(&call->withdraw);
	call->withdraw.id = id_text(call->id_texts[0], sizeof(call->id_texts[0]), id);
	return submit(engine, call);
}

struct call *
purge(struct engine *engine, const char *key, const char *context_key)
{
	struct call *call = new_call();

	purge_op_init(&call->purge);
	call->purge.address.session_key = str_of(key);
	call->purge.context_key = str_of(context_key);
	return submit(engine, call);
}

struct call *
list_sessions(struct engine *engine, struct sessions_op input)
{
	struct call *call = new_call();

	sessions_op_init(&call->sessions);
	input.op = call->sessions.op;
	call->sessions = input;
	if (input.limit == 0)
		call->sessions.limit = SESSIONS_PAGE_MAX;
	return submit(engine, call);
}

struct call *
take_census(struct engine *engine)
{
	struct call *call = new_call();

	census_op_init(&call->census);
	return submit(engine, call);
}

struct call *
take_lease_as(struct engine *engine, struct lease_take_op input)
{
	struct call *call = new_call();
	struct idempotency idempotency = input.op.idempotency;

	lease_take_op_init(&call->lease_take);
	input.op = call->lease_take.op;
	input.op.idempotency = idempotency;
	if (input.lease_ms == 0)
		input.lease_ms = call->lease_take.lease_ms;
	call->lease_take = input;
	return submit(engine, call);
}

struct call *
take_lease(struct engine *engine, const char *key, size_t limit, int64_t lease_ms)
{
	return take_lease_as(engine, (struct lease_take_op){ .address.session_key = str_of(key),
							     .limit = limit,
							     .lease_ms = lease_ms });
}

struct call *
change_lease(struct engine *engine, struct lease_change_op input, int64_t lease, const int64_t *ids,
	     size_t count)
{
	struct call *call = new_call();

	call->lease = input;
	call->lease.lease = id_text(call->lease_text, sizeof(call->lease_text), lease);
	call->lease.ids = ids != NULL ? name_ids(call, ids, count) : NULL;
	call->lease.id_count = count;
	return submit(engine, call);
}

struct call *
ack(struct engine *engine, int64_t lease, const int64_t *ids, size_t count)
{
	struct lease_change_op input;

	lease_change_op_init(&input, LEASE_ACK);
	return change_lease(engine, input, lease, ids, count);
}

struct call *
nack(struct engine *engine, int64_t lease, const int64_t *ids, size_t count)
{
	struct lease_change_op input;

	lease_change_op_init(&input, LEASE_NACK);
	return change_lease(engine, input, lease, ids, count);
}

struct call *
extend(struct engine *engine, int64_t lease, const int64_t *ids, size_t count, int64_t lease_ms)
{
	struct lease_change_op input;

	lease_change_op_init(&input, LEASE_EXTEND);
	input.lease_ms = lease_ms;
	return change_lease(engine, input, lease, ids, count);
}

struct call *
release_leases(struct engine *engine, const char *consumer)
{
	struct call *call = new_call();

	lease_release_op_init(&call->lease_release);
	call->lease_release.consumer = str_of(consumer);
	return submit(engine, call);
}

struct call *
list_leases(struct engine *engine, struct lease_list_op input)
{
	struct call *call = new_call();

	lease_list_op_init(&call->lease_list);
	input.op = call->op;
	call->lease_list = input;
	if (input.limit == 0)
		call->lease_list.limit = LEASES_PAGE_MAX;
	return submit(engine, call);
}

struct call *
wait_for(struct engine *engine, const char *key)
{
	struct call *call = new_call();

	wait_op_init(&call->wait);
	call->wait.address.session_key = str_of(key);
	return submit(engine, call);
}

struct call *
list_history(struct engine *engine, struct history_op input)
{
	struct call *call = new_call();

	history_op_init(&call->history);
	input.op = call->history.op;
	call->history = input;
	if (input.limit == 0)
		call->history.limit = HISTORY_PAGE_MAX;
	return submit(engine, call);
}

struct call *
requeue(struct engine *engine, const int64_t *ids, size_t count, int64_t spacing_ms, bool dry_run)
{
	struct call *call = new_call();

	requeue_op_init(&call->requeue);
	call->requeue.ids = name_ids(call, ids, count);
	call->requeue.id_count = count;
	call->requeue.spacing_ms = spacing_ms;
	call->requeue.dry_run = dry_run;
	return submit(engine, call);
}

struct call *
discard(struct engine *engine, const int64_t *ids, size_t count, bool dry_run)
{
	struct call *call = new_call();

	discard_op_init(&call->discard);
	call->discard.ids = name_ids(call, ids, count);
	call->discard.id_count = count;
	call->discard.dry_run = dry_run;
	return submit(engine, call);
}

struct call *
rekey(struct engine *engine, struct rekey_op input)
{
	struct call *call = new_call();
	size_t limit = input.limit;

	rekey_op_init(&call->rekey);
	input.op = call->rekey.op;
	input.limit = limit > 0 ? limit : call->rekey.limit;
	call->rekey = input;
	return submit(engine, call);
}

void
assert_str(struct str have, const char *want)
{
	if (want == NULL)
		assert_null(have.s);
	else if (!str_eq(have, str_of(want)))
		fail_msg("have \"%.*s\", want \"%s\"", (int)have.len, have.s, want);
}

void
assert_delivery(const struct delivery *have, const struct delivery *want)
{
	struct buf have_json = { 0 }, want_json = { 0 };

	delivery_write(&have_json, have);
	delivery_write(&want_json, want);
	buf_add(&want_json, "", 1);
	assert_str((struct str){ have_json.data, have_json.len }, want_json.data);
	buf_clear(&have_json);
	buf_clear(&want_json);
}

void
assert_texts(const struct system_event_list *list, const char *want)
{
	struct buf have = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_adds(&have, " ");
		buf_add(&have, list->events[i].text.s, list->events[i].text.len);
	}
	assert_str((struct str){ have.data, have.len }, want);
	buf_clear(&have);
}
