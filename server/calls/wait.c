/*
 * wait.c - GET /v1/wait: answers when the session has something deliverable, or when the time is
 * over. Consumes nothing.
 *
 * A waiting request costs a connection, an op and a timer, and no work at all: the engine answers
 * it in the turn that makes something deliverable. An op can be cancelled only while it is
 * parked, which it is not yet when it has just been submitted; so whatever ends the waiting only
 * puts the waiter on a list, and waits_end_overdue cancels those after each turn of the engine.
 */
#include "server/calls/wait.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "server/calls/askers.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

TAILQ_HEAD(waiter_list, waiter);

struct waits {
	struct waiter_list waiting;
	struct waiter_list over; /* to be cancelled after the engine's turn */
	size_t count;
};

struct waiter {
	struct request *request;
	struct waiter_list *list; /* the one of the two that it is in */
	struct event *timer;
	struct asker *asker; /* NULL: it is not remembered */
	TAILQ_ENTRY(waiter) link;
};

struct waits *
waits_new(void)
{
	struct waits *waits = mem_alloc(sizeof(*waits));

	TAILQ_INIT(&waits->waiting);
	TAILQ_INIT(&waits->over);
	return waits;
}

void
waits_free(struct waits *waits)
{
	assert(waits == NULL || waits->count == 0);
	free(waits);
}

static void
move(struct waiter *waiter, struct waiter_list *list)
{
	if (waiter->list != NULL)
		TAILQ_REMOVE(waiter->list, waiter, link);
	waiter->list = list;
	TAILQ_INSERT_TAIL(list, waiter, link);
}

/* Ends the wait: its op is cancelled after the engine's turn. May be called twice. */
static void
cancel(struct waiter *waiter)
{
	move(waiter, &calls_of(waiter->request)->waits->over);
}

void
waits_end(struct waits *waits)
{
	struct waiter *waiter;

	while ((waiter = TAILQ_FIRST(&waits->waiting)) != NULL)
		cancel(waiter);
}

/*
 * A waiter whose op is not parked stays in the list: the op is answered by itself, or it is parked
 * later and the next call cancels it.
 */
void
waits_end_overdue(struct waits *waits)
{
	struct waiter *waiter, *next;

	for (waiter = TAILQ_FIRST(&waits->over); waiter != NULL; waiter = next) {
		next = TAILQ_NEXT(waiter, link);
		submit_cancel_wait(waiter->request);
	}
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	cancel(arg);
}

static struct waiter *
waiter_new(struct request *request, int64_t timeout_ms, struct asker *asker)
{
	struct waits *waits = calls_of(request)->waits;
	struct waiter *waiter = mem_alloc(sizeof(*waiter));

	waiter->request = request;
	waiter->asker = asker;
	waiter->timer = evtimer_new(request->http->base, on_timeout, waiter);
	event_add(waiter->timer, &(struct timeval){ .tv_sec = timeout_ms / 1000,
						    .tv_usec = timeout_ms % 1000 * 1000 });
	move(waiter, timeout_ms > 0 ? &waits->waiting : &waits->over);
	waits->count++;
	return waiter;
}

/* The connection's struct must not wait for events that may never come. */
void
wait_hung_up(struct request *request)
{
	cancel(request->state);
}

void
wait_free(struct request *request)
{
	struct waiter *waiter = request->state;

	calls_of(request)->waits->count--;
	TAILQ_REMOVE(waiter->list, waiter, link);
	event_free(waiter->timer);
	asker_end_wait(waiter->asker);
	free(waiter);
}

/* --- the call --- */

struct wait_query {
	struct address address;
	struct str context_key_prefix;
	bool exclusive, prompt, exec_completions;
	enum wake wake;
	int64_t timeout_ms;
};

static const struct field parameters[] = {
	FIELD("sessionKey", TEXT, struct wait_query, address.session_key),
	FIELD("agentId", TEXT, struct wait_query, address.agent_id),
	FIELD("channel", TEXT, struct wait_query, address.channel),
	FIELD("accountId", TEXT, struct wait_query, address.account_id),
	FIELD("contextKeyPrefix", TEXT, struct wait_query, context_key_prefix),
	FIELD("exclusive", BOOL, struct wait_query, exclusive),
	FIELD("format", FORMAT, struct wait_query, prompt),
	FIELD("execCompletions", EXEC_COMPLETIONS, struct wait_query, exec_completions),
	FIELD("wake", WAKE, struct wait_query, wake),
	FIELD_RANGE("timeoutMs", INT64, struct wait_query, timeout_ms, 0, WAIT_MS_MAX),
};

static void
answer(struct request *request)
{
	const struct wait_op *wait = &request->work->wait;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, wait->session_key);
	buf_addf(out, ",\"ready\":%s,\"depth\":%zu}", wait->deliverable > 0 ? "true" : "false",
		 wait->deliverable);
	reply_send(request, &(struct reply){ .status = 200 });
}

static bool
too_many(struct request *request)
{
	struct calls *calls = calls_of(request);
	struct error err;

	if (calls->waits->count < (size_t)calls->limits.waiters_max)
		return false;
	calls->stats.waiters_refused++;
	error_set(&err, ERROR_QUEUE_FULL, "too many calls wait; --max-waiters is %lld",
		  (long long)calls->limits.waiters_max);
	problem_send(request, &err);
	return true;
}

/* The policy may change while the call waits; then this tells where its key led at first. */
static struct asker *
begin_asking(struct request *request)
{
	const struct address *address = &request->work->wait.address;
	struct decision decision;
	struct error err;

	if (engine_route(calls_of(request)->engine, address, &request->arena, &decision, &err) != 0)
		return NULL;
	return askers_begin_wait(calls_of(request)->askers,
				 &(struct asked){ .kind = ASKER_WAIT,
						  .rule = decision.rule,
						  .key = asked_key(address),
						  .queue_key = decision.queue_key,
						  .token = request->caller.name });
}

void
wait_get(struct request *request)
{
	struct wait_query query = { .timeout_ms = WAIT_MS_DEFAULT };

	wait_op_init(&request->work->wait);
	if (query_read(request, parameters, sizeof(parameters) / sizeof(parameters[0]), &query,
		       &query.address) != 0 ||
	    too_many(request))
		return;
	request->work->wait.address = query.address;
	request->work->wait.context_key_prefix = query.context_key_prefix;
	request->work->wait.exclusive = query.exclusive;
	request->work->wait.prompt = query.prompt;
	request->work->wait.exec_completions = query.exec_completions;
	request->work->wait.wake_now = query.wake == WAKE_NOW;
	request->state = waiter_new(request, query.timeout_ms, begin_asking(request));
	submit_op(request, answer, NULL);
}
