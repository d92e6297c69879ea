/*
 * submit.c - ops to the engine, and answers when they come back.
 */
#include "server/calls/submit.h"

#include "server/calls/calls.h"
#include "server/http/exchange.h"
#include "server/http/problem.h"

/* All answers of a turn are in memory at once: those to longer requests are not prepared. */
#define PREPARED_BODY_BYTES_MAX 4096

static void
fail_plainly(struct request *request)
{
	problem_send(request, &request->work->op.error);
}

static request_handler *
answer_of(const struct work *work)
{
	if (work->op.error.code == ERROR_NONE)
		return work->answer;
	return work->fail != NULL ? work->fail : fail_plainly;
}

/* The answer is known but not yet durable: it is made now and sent by on_done. */
static void
on_prepared(struct op *op, void *arg)
{
	struct request *request = arg;

	(void)op;
	exchange_prepare(request, answer_of(request->work));
}

static void
on_done(struct op *op, void *arg)
{
	struct request *request = arg;

	(void)op;
	exchange_complete(request, answer_of(request->work));
}

void
submit_op(struct request *request, request_handler *answer, request_handler *fail)
{
	struct work *work = request->work;

	work->answer = answer;
	work->fail = fail;
	work->op.done = on_done;
	work->op.arg = request;
	work->op.caller = &request->caller;
	exchange_pend(request);
	engine_submit(calls_of(request)->engine, &work->op);
}

void
submit_op_prepared(struct request *request, request_handler *answer)
{
	if (request->body.len <= PREPARED_BODY_BYTES_MAX)
		request->work->op.prepare = on_prepared;
	submit_op(request, answer, NULL);
}

bool
submit_cancel_wait(struct request *request)
{
	struct op *op = &request->work->op;

	if (!engine_cancel_wait(calls_of(request)->engine, op))
		return false;
	on_done(op, request);
	return true;
}

void
submit_keep_zone(struct request *request)
{
	request->work->zone =
	    arena_dup(&request->arena, engine_timezone(calls_of(request)->engine));
}

void
submit_clear(struct request *request)
{
	op_clear(&request->work->op);
}

size_t
submit_held_bytes(const struct request *request)
{
	return arena_size(&request->work->op.arena) + arena_size(&request->arena);
}
