/* fixture.c - one engine at a time; the end of a test frees it, its store and its calls. */
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/clock.h"

struct memory_store store;
struct engine *engine;
struct engine_options options;
struct error error;
struct clock now;

static struct clock
stopped(void)
{
	return now;
}

struct policy *
parse_policy(const char *json5)
{
	struct policy *parsed;

	assert_int_equal(policy_parse(json5, strlen(json5), NULL, &parsed, &error), 0);
	return parsed;
}

/*
 * With SEVQ_TEST_LATE in the environment the store calls back late: every call of it is held back
 * until a turn has returned, as a network's would be.
 */
static bool late;

void
call_back_at_once(void)
{
	late = store.defer = store.defer_durable = false;
}

static void
open_engine(void)
{
	assert_int_equal(engine_open(&store.base, parse_policy(""), &options, &engine, &error), 0);
	assert_int_equal(engine_is_busy(engine), late);
	while (late && memory_store_release(&store))
		continue;
}

void
reopen(void)
{
	engine_close(engine);
	open_engine();
}

int
fixture_begin(void **state)
{
	(void)state;
	clock_now = stopped;
	now = (struct clock){ .wall_ms = INT64_C(1800000000000), .boot_ms = 1000000, .boot_id = 1 };
	memory_store_init(&store);
	late = store.defer = store.defer_durable = getenv("SEVQ_TEST_LATE") != NULL;
	engine_options_init(&options);
	options.recent_bytes = 0; /* so that events are read from the store */
	options.rekey_on_reload = false;
	open_engine();
	return 0;
}

int
fixture_end(void **state)
{
	(void)state;
	engine_close(engine);
	memory_store_clear(&store);
	calls_free();
	return 0;
}

void
turn(void)
{
	assert_int_equal(engine_turn(engine, &error), 0);
	while (late && (memory_store_release(&store) || !engine_idle(engine)))
		assert_int_equal(engine_turn(engine, &error), 0);
}

void
pass(int64_t ms)
{
	now.wall_ms += ms;
	now.boot_ms += ms;
}

/* A call with a long answer is answered after several turns. */
static void
turn_until_answered(struct call *call)
{
	do
		turn();
	while (!call->answered && engine_has_work(engine));
}

struct call *
done(struct call *call)
{
	turn_until_answered(call);
	assert_int_equal(call->answered, 1);
	if (call->op.error.code != ERROR_NONE)
		fail_msg("%s: %s", error_code_name(call->op.error.code), call->op.error.detail);
	return call;
}

struct call *
fails(struct call *call, enum error_code code)
{
	turn_until_answered(call);
	assert_int_equal(call->answered, 1);
	assert_string_equal(error_code_name(call->op.error.code), error_code_name(code));
	return call;
}

int64_t
put(const char *key, const char *text)
{
	return done(enqueue(engine, key, text))->enqueue.results[0].event.id;
}

int64_t
put_keyed(const char *key, const char *context_key, const char *text)
{
	return done(enqueue_keyed(engine, key, context_key, text))->enqueue.results[0].event.id;
}

int64_t
lease_events(const char *key, size_t limit, int64_t lease_ms)
{
	return done(take_lease(engine, key, limit, lease_ms))->lease_take.lease_id;
}

void
assert_queued(const char *key, const char *texts)
{
	assert_texts(&done(peek(engine, key))->peek.found, texts);
}

void
assert_deliverable(const char *key, const char *texts)
{
	struct call *call = done(peek(engine, key));
	struct system_event_list list = { call->peek.found.events, 0 };

	for (size_t i = 0; i < call->peek.found.count; i++)
		if (list.events[i].state == EVENT_STATE_QUEUED)
			list.events[list.count++] = list.events[i];
	assert_texts(&list, texts);
	assert_int_equal(engine_deliverable(engine, str_of(key)), list.count);
}

const struct system_event *
look_at(int64_t id)
{
	return &done(find_event(engine, id))->find.event;
}

const struct session *
session_of(const char *key)
{
	struct call *call =
	    done(list_sessions(engine, (struct sessions_op){ .address.session_key = str_of(key) }));

	return call->sessions.count > 0 ? &call->sessions.sessions[0] : NULL;
}

struct engine_stats
stats(void)
{
	struct engine_stats all;

	engine_stats(engine, &all);
	return all;
}

struct census
census(void)
{
	turn(); /* what is due by now */
	return done(take_census(engine))->census.census;
}
