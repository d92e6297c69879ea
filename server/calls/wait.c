/*
 * wait.c - GET /v1/wait: answers when the session has something deliverable, or when the time is over. Consumes nothing.
 *
 * A waiting request costs a connection, an op and a timer, and no work at all: the engine answers it in the turn that makes
 * something deliverable. An op may only be taken back while it is parked, and it is not yet when it has just been submitted;
 * so what ends the waiting only puts the waiter on a list, and the list is settled after each turn of the engine.
 */
#include "server/calls/wait.h"

#include <stdlib.h>

#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

struct sevq_waiter {
	struct sevq_request *request;
	struct sevq_waiter_list *list; /* the one of the two that it is in */
	struct event *timer;
	TAILQ_ENTRY(sevq_waiter) link;
};

void
sevq_waits_init(struct sevq_waits *waits)
{
	*waits = (struct sevq_waits){ .count = 0 };
	TAILQ_INIT(&waits->waiting);
	TAILQ_INIT(&waits->over);
}

static void
move(struct sevq_waiter *waiter, struct sevq_waiter_list *list)
{
	if (waiter->list != NULL)
		TAILQ_REMOVE(waiter->list, waiter, link);
	waiter->list = list;
	TAILQ_INSERT_TAIL(list, waiter, link);
}

void
sevq_waiter_end(struct sevq_waiter *waiter)
{
	move(waiter, &waiter->request->server->waits.over);
}

void
sevq_waits_end(struct sevq_waits *waits)
{
	struct sevq_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&waits->waiting)) != NULL)
		sevq_waiter_end(waiter);
}

/* One that is not parked comes back by itself, or is parked later: it is tried again. */
void
sevq_waits_settle(struct sevq_waits *waits)
{
	struct sevq_waiter *waiter, *next;

	for (waiter = TAILQ_FIRST(&waits->over); waiter != NULL; waiter = next) {
		next = TAILQ_NEXT(waiter, link);
		sevq_request_take_back(waiter->request);
	}
}

static void
time_is_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sevq_waiter_end(arg);
}

static struct sevq_waiter *
waiter_new(struct sevq_request *request, int64_t timeout_ms)
{
	struct sevq_waits *waits = &request->server->waits;
	struct sevq_waiter *waiter = sevq_alloc(sizeof *waiter);

	waiter->request = request;
	waiter->timer = evtimer_new(request->server->base, time_is_over, waiter);
	event_add(waiter->timer, &(struct timeval){ .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 });
	move(waiter, timeout_ms > 0 ? &waits->waiting : &waits->over);
	waits->count++;
	return waiter;
}

void
sevq_waiter_free(struct sevq_waiter *waiter)
{
	if (waiter == NULL)
		return;
	waiter->request->server->waits.count--;
	TAILQ_REMOVE(waiter->list, waiter, link);
	event_free(waiter->timer);
	free(waiter);
}

/* The call. */

struct wanted {
	struct sevq_address address;
	int64_t timeout_ms;
};

static const struct sevq_field parameters[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct wanted, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct wanted, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct wanted, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct wanted, address.account_id),
	SEVQ_FIELD_RANGE("timeoutMs", INT64, struct wanted, timeout_ms, 0, SEVQ_WAIT_MS_MAX),
};

static void
answer(struct sevq_request *request)
{
	const struct sevq_wait *wait = &request->wait;
	struct sevq_buf *out = sevq_reply_begin(request);

	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, wait->session_key);
	sevq_buf_addf(out, ",\"ready\":%s,\"depth\":%zu}", wait->deliverable > 0 ? "true" : "false", wait->deliverable);
	sevq_reply_send(request, &(struct sevq_reply){ .status = 200 });
}

static bool
too_many(struct sevq_request *request)
{
	struct sevq_server *server = request->server;
	struct sevq_error err;

	if (server->waits.count < (size_t)server->options->max_waiters)
		return false;
	server->stats.waiters_refused++;
	sevq_fail(&err, SEVQ_QUEUE_FULL, "too many calls wait; the limit is %lld", (long long)server->options->max_waiters);
	sevq_problem_send(request, &err);
	return true;
}

void
sevq_wait_get(struct sevq_request *request)
{
	struct wanted wanted = { .timeout_ms = SEVQ_WAIT_MS_DEFAULT };

	sevq_wait_init(&request->wait);
	if (sevq_query_read(request, parameters, sizeof parameters / sizeof parameters[0], &wanted, &wanted.address) != 0 ||
	    too_many(request))
		return;
	request->wait.address = wanted.address;
	request->waiter = waiter_new(request, wanted.timeout_ms);
	sevq_request_submit(request, answer, NULL);
}
