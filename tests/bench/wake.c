/*
 * wake.c - the time from the answer to a post until the answer to the waiter that it wakes.
 *
 * Each posting connection has a waiting one beside it, which waits for a session of its own, drains
 * it and waits again.
 */
#include "wake.h"

#include "connections.h"
#include "http.h"
#include "modes.h"

/* Two steps of a poster and two of a waiter. */
enum { POST, CALL, WAIT, TAKE };

/* --- requests --- */

static void
make_call(const struct load *load, struct form *form)
{
	struct form body = { 0 };

	http_add_event(&body, load, OWN_SESSION);
	http_add_request(form, load, "/v1/events", &body);
	form_clear(&body);
}

static void
make_wait(const struct load *load, struct form *form)
{
	form_add(form, "GET /v1/wait?timeoutMs=300000&sessionKey=");
	form_add_key(form, load, OWN_SESSION);
	http_add_head(form, load, NULL);
}

static void
make_take(const struct load *load, struct form *form)
{
	struct form body = { 0 };

	form_add(&body, "{\"sessionKey\":\"");
	form_add_key(&body, load, OWN_SESSION);
	form_add(&body, "\"}");
	http_add_request(form, load, "/v1/drain", &body);
	form_clear(&body);
}

/* --- rounds --- */

/* The server answers poster and waiter in the same turn; either answer may be read first. */
static void
count_wake(struct load *load, const struct connection *poster, const struct connection *waiter)
{
	if (poster->posted_us > 0 && waiter->woken_us > 0)
		load_count(load, poster->posted_us, waiter->woken_us);
}

static void
begin_waiting(struct load *load, struct connection *waiter)
{
	waiter->called = false;
	waiter->begun_us = now_us();
	connection_send(load, waiter, WAIT);
}

static void
waiter_heard(struct load *load, struct connection *waiter)
{
	if (waiter->at == TAKE) {
		begin_waiting(load, waiter);
		return;
	}
	waiter->woken_us = load->now_us;
	count_wake(load, waiter->other, waiter);
	connection_send(load, waiter, TAKE);
}

/* The server reads in order: once a later post is answered, the waiter is parked. */
static void
poster_heard(struct load *load, struct connection *poster)
{
	struct connection *waiter = poster->other;
	const bool waits =
	    waiter->at == WAIT && !waiter->called && waiter->begun_us < poster->begun_us;

	if (poster->at == CALL) {
		poster->posted_us = load->now_us;
		count_wake(load, poster, waiter);
	}
	if (waits) {
		waiter->called = true;
		poster->posted_us = waiter->woken_us = 0;
	}
	connection_begin(load, poster, waits ? CALL : POST);
}

static void
proceed(struct load *load, struct connection *c)
{
	if (c->at == POST || c->at == CALL)
		poster_heard(load, c);
	else
		waiter_heard(load, c);
}

uint64_t
wake_waiters(const struct load *load)
{
	return load->mode == &wake_mode ? load->connections : 0;
}

void
wake_begin(struct load *load, struct connection *connections)
{
	uint64_t i;

	for (i = 0; i < wake_waiters(load); i++) {
		struct connection *poster = &connections[i],
				  *waiter = &connections[load->connections + i];

		poster->other = waiter;
		waiter->other = poster;
		/* sessions after those that are posted to in turn */
		poster->session = waiter->session = load->sessions + i;
		begin_waiting(load, waiter);
	}
}

#define STEP(...)                                                                                  \
	{                                                                                          \
		.check = http_check, __VA_ARGS__                                                   \
	}

/* clang-format off */
const struct mode wake_mode = { "wake", connections_run, &http, proceed, {
	[POST] = STEP(.make = http_make_post, .status = 201, .begins = QUEUED_ONE),
	[CALL] = STEP(.make = make_call, .status = 201, .begins = QUEUED_ONE),
	[WAIT] = STEP(.make = make_wait, .status = 200, .marks = "\"ready\":true"),
	[TAKE] = STEP(.make = make_take, .status = 200, .marks = TAKEN) } };
/* clang-format on */
