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

#include <stdlib.h>

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

struct waiter {
	struct request *request;
	struct waiter_list *list; /* the one of the two that it is in */
	struct event *timer;
	TAILQ_ENTRY(waiter) link;
};

void
waits_init(struct waits *waits)
{
	*waits = (struct waits){ .count = 0 };
	TAILQ_INIT(&waits->waiting);
	TAILQ_INIT(&waits->over);
}

static void
move(struct waiter *waiter, struct waiter_list *list)
{
	if (waiter->list != NULL)
		TAILQ_REMOVE(waiter->list, waiter, link);
	waiter->list = list;
	TAILQ_INSERT_TAIL(list, waiter, link);
}

void
waiter_end(struct waiter *waiter)
{
	move(waiter, &waiter->request->server->waits.over);
}

void
waits_end(struct waits *waits)
{
	struct waiter *waiter;

	while ((waiter = TAILQ_FIRST(&waits->waiting)) != NULL)
		waiter_end(waiter);
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
		request_cancel_wait(waiter->request);
	}
}

static void
time_is_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	waiter_end(arg);
}

static struct waiter *
waiter_new(struct request *request, int64_t timeout_ms)
{
	struct waits *waits = &request->server->waits;
	struct waiter *waiter = mem_alloc(sizeof(*waiter));

	waiter->request = request;
	waiter->timer = evtimer_new(request->server->base, time_is_over, waiter);
	event_add(waiter->timer, &(struct timeval){ .tv_sec = timeout_ms / 1000,
						    .tv_usec = timeout_ms % 1000 * 1000 });
	move(waiter, timeout_ms > 0 ? &waits->waiting : &waits->over);
	waits->count++;
	return waiter;
}

void
waiter_free(struct waiter *waiter)
{
	if (waiter == NULL)
		return;
	waiter->request->server->waits.count--;
	TAILQ_REMOVE(waiter->list, waiter, link);
	event_free(waiter->timer);
	free(waiter);
}

/* --- the call --- */

struct wanted {
	struct address address;
	struct str context_key_prefix;
	bool prompt, exec_completions;
	enum wake wake;
	int64_t timeout_ms;
};

static const struct field parameters[] = {
	FIELD("sessionKey", TEXT, struct wanted, address.session_key),
	FIELD("agentId", TEXT, struct wanted, address.agent_id),
	FIELD("channel", TEXT, struct wanted, address.channel),
	FIELD("accountId", TEXT, struct wanted, address.account_id),
	FIELD("contextKeyPrefix", TEXT, struct wanted, context_key_prefix),
	FIELD("format", FORMAT, struct wanted, prompt),
	FIELD("execCompletions", EXEC_COMPLETIONS, struct wanted, exec_completions),
	FIELD("wake", WAKE, struct wanted, wake),
	FIELD_RANGE("timeoutMs", INT64, struct wanted, timeout_ms, 0, WAIT_MS_MAX),
};

static void
answer(struct request *request)
{
	const struct wait_op *wait = &request->wait;
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
	struct server *server = request->server;
	struct error err;

	if (server->waits.count < (size_t)server->options->max_waiters)
		return false;
	server->stats.waiters_refused++;
	error_set(&err, ERROR_QUEUE_FULL, "too many calls wait; the limit is %lld",
		  (long long)server->options->max_waiters);
	problem_send(request, &err);
	return true;
}

void
wait_get(struct request *request)
{
	struct wanted wanted = { .timeout_ms = WAIT_MS_DEFAULT };

	wait_op_init(&request->wait);
	if (query_read(request, parameters, sizeof(parameters) / sizeof(parameters[0]), &wanted,
		       &wanted.address) != 0 ||
	    too_many(request))
		return;
	request->wait.address = wanted.address;
	request->wait.context_key_prefix = wanted.context_key_prefix;
	request->wait.prompt = wanted.prompt;
	request->wait.exec_completions = wanted.exec_completions;
	request->wait.wake_now = wanted.wake == WAKE_NOW;
	request->waiter = waiter_new(request, wanted.timeout_ms);
	request_submit(request, answer, NULL);
}
