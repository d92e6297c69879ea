/* calls.c - every call is remembered in one list and freed with it. */
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
on_done(struct sevq_op *op, void *arg)
{
	struct call *call = arg;
	assert(op == &call->op);
	call->answered++;
	call->answered_as = ++answers;
}

static void
on_prepare(struct sevq_op *op, void *arg)
{
	struct call *call = arg;
	assert(op == &call->op && call->answered == 0);
	assert(op->error.code == SEVQ_OK);
	call->prepared++;
}

static struct call *
new_call(void)
{
	struct call *call = sevq_alloc(sizeof *call);
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
		sevq_op_clear(&call->op);
		free(call);
	}
	answers = 0;
}

static struct call *
submit(struct sevq_engine *engine, struct call *call)
{
	call->op.done = on_done;
	call->op.prepare = on_prepare;
	call->op.arg = call;
	sevq_engine_submit(engine, &call->op);
	return call;
}

struct sevq_draft
draft(const char *key, const char *text)
{
	return (struct sevq_draft){ .address.session_key = sevq_str(key), .text = sevq_str(text) };
}

struct call *
enqueue_drafts(struct sevq_engine *engine, const struct sevq_draft *drafts, size_t count)
{
	struct call *call = new_call();
	assert(count <= CALL_DRAFTS_MAX);
	memcpy(call->drafts, drafts, count * sizeof *drafts);
	sevq_enqueue_init(&call->enqueue);
	call->enqueue.drafts = call->drafts;
	call->enqueue.count = count;
	return submit(engine, call);
}

struct call *
enqueue_draft(struct sevq_engine *engine, struct sevq_draft one)
{
	return enqueue_drafts(engine, &one, 1);
}

struct call *
enqueue(struct sevq_engine *engine, const char *key, const char *text)
{
	return enqueue_draft(engine, draft(key, text));
}

struct call *
enqueue_keyed(struct sevq_engine *engine, const char *key, const char *context_key, const char *text)
{
	struct sevq_draft one = draft(key, text);
	one.context_key = sevq_str(context_key);
	return enqueue_draft(engine, one);
}

struct call *
drain(struct sevq_engine *engine, const char *key, size_t limit)
{
	struct call *call = new_call();
	sevq_drain_init(&call->drain);
	call->drain.address.session_key = sevq_str(key);
	call->drain.limit = limit;
	return submit(engine, call);
}

struct call *
drain_prefix(struct sevq_engine *engine, const char *key, const char *prefix)
{
	struct call *call = new_call();
	sevq_drain_init(&call->drain);
	call->drain.address.session_key = sevq_str(key);
	call->drain.context_key_prefix = sevq_str(prefix);
	return submit(engine, call);
}

static struct sevq_str
id_text(char *text, size_t bytes, int64_t id)
{
	snprintf(text, bytes, "%" PRId64, id);
	return sevq_str(text);
}

/* The ids as text, in the call. */
static const struct sevq_str *
name_ids(struct call *call, const int64_t *ids, size_t count)
{
	assert(count <= CALL_DRAFTS_MAX);
	for (size_t i = 0; i < count; i++)
		call->ids[i] = id_text(call->id_texts[i], sizeof call->id_texts[i], ids[i]);
	return call->ids;
}

struct call *
consume(struct sevq_engine *engine, const char *key, const int64_t *ids, size_t count)
{
	struct call *call = new_call();
	sevq_consume_init(&call->consume);
	call->consume.address.session_key = sevq_str(key);
	call->consume.ids = name_ids(call, ids, count);
	call->consume.id_count = count;
	return submit(engine, call);
}

struct call *
peek_page(struct sevq_engine *engine, const char *key, size_t limit, const char *after)
{
	struct call *call = new_call();
	sevq_peek_init(&call->peek);
	call->peek.address.session_key = sevq_str(key);
	call->peek.limit = limit;
	call->peek.after = sevq_str(after);
	return submit(engine, call);
}

struct call *
peek(struct sevq_engine *engine, const char *key)
{
	return peek_page(engine, key, SEVQ_PEEK_PAGE_MAX, NULL);
}

struct call *
find_event(struct sevq_engine *engine, int64_t id)
{
	struct call *call = new_call();
	sevq_find_init(&call->find);
	call->find.id = id_text(call->id_texts[0], sizeof call->id_texts[0], id);
	return submit(engine, call);
}

struct call *
withdraw(struct sevq_engine *engine, int64_t id)
{
	struct call *call = new_call();
	sevq_withdraw_init(&call->withdraw);
	call->withdraw.id = id_text(call->id_texts[0], sizeof call->id_texts[0], id);
	return submit(engine, call);
}

struct call *
purge(struct sevq_engine *engine, const char *key, const char *context_key)
{
	struct call *call = new_call();
	sevq_purge_init(&call->purge);
	call->purge.address.session_key = sevq_str(key);
	call->purge.context_key = sevq_str(context_key);
	return submit(engine, call);
}

struct call *
list_sessions(struct sevq_engine *engine, struct sevq_sessions input)
{
	struct call *call = new_call();
	sevq_sessions_init(&call->sessions);
	input.op = call->sessions.op;
	call->sessions = input;
	if (input.limit == 0)
		call->sessions.limit = SEVQ_SESSIONS_PAGE_MAX;
	return submit(engine, call);
}

struct call *
lend_as(struct sevq_engine *engine, struct sevq_lend input)
{
	struct call *call = new_call();
	struct sevq_idempotency idempotency = input.op.idempotency;
	sevq_lend_init(&call->lend);
	input.op = call->lend.op;
	input.op.idempotency = idempotency;
	if (input.lease_ms == 0)
		input.lease_ms = call->lend.lease_ms;
	call->lend = input;
	return submit(engine, call);
}

struct call *
lend(struct sevq_engine *engine, const char *key, size_t limit, int64_t lease_ms)
{
	return lend_as(engine, (struct sevq_lend){ .address.session_key = sevq_str(key), .limit = limit, .lease_ms = lease_ms });
}

struct call *
change_lease(struct sevq_engine *engine, struct sevq_lease_op input, int64_t lease, const int64_t *ids, size_t count)
{
	struct call *call = new_call();
	call->lease = input;
	call->lease.lease = id_text(call->lease_text, sizeof call->lease_text, lease);
	call->lease.ids = ids != NULL ? name_ids(call, ids, count) : NULL;
	call->lease.id_count = count;
	return submit(engine, call);
}

struct call *
ack(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count)
{
	struct sevq_lease_op input;
	sevq_lease_op_init(&input, SEVQ_LEASE_ACK);
	return change_lease(engine, input, lease, ids, count);
}

struct call *
nack(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count)
{
	struct sevq_lease_op input;
	sevq_lease_op_init(&input, SEVQ_LEASE_NACK);
	return change_lease(engine, input, lease, ids, count);
}

struct call *
extend(struct sevq_engine *engine, int64_t lease, const int64_t *ids, size_t count, int64_t lease_ms)
{
	struct sevq_lease_op input;
	sevq_lease_op_init(&input, SEVQ_LEASE_EXTEND);
	input.lease_ms = lease_ms;
	return change_lease(engine, input, lease, ids, count);
}

struct call *
wait_for(struct sevq_engine *engine, const char *key)
{
	struct call *call = new_call();
	sevq_wait_init(&call->wait);
	call->wait.address.session_key = sevq_str(key);
	return submit(engine, call);
}

struct call *
list_history(struct sevq_engine *engine, struct sevq_history input)
{
	struct call *call = new_call();
	sevq_history_init(&call->history);
	input.op = call->history.op;
	call->history = input;
	if (input.limit == 0)
		call->history.limit = SEVQ_HISTORY_PAGE_MAX;
	return submit(engine, call);
}

struct call *
requeue(struct sevq_engine *engine, const int64_t *ids, size_t count, int64_t spacing_ms, bool dry_run)
{
	struct call *call = new_call();
	sevq_requeue_init(&call->requeue);
	call->requeue.ids = name_ids(call, ids, count);
	call->requeue.id_count = count;
	call->requeue.spacing_ms = spacing_ms;
	call->requeue.dry_run = dry_run;
	return submit(engine, call);
}

void
assert_str(struct sevq_str have, const char *want)
{
	if (want == NULL)
		assert_null(have.s);
	else if (!sevq_str_eq(have, sevq_str(want)))
		fail_msg("have \"%.*s\", want \"%s\"", (int)have.len, have.s, want);
}

void
assert_texts(const struct sevq_event_list *list, const char *want)
{
	struct sevq_buf have = { 0 };
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			sevq_buf_adds(&have, " ");
		sevq_buf_add(&have, list->events[i].text.s, list->events[i].text.len);
	}
	assert_str((struct sevq_str){ have.data, have.len }, want);
	sevq_buf_clear(&have);
}
