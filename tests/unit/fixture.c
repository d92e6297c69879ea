/* fixture.c - one engine at a time; what it leaves is freed with the test. */
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "queue/clock.h"

struct memory_store store;
struct sevq_engine *engine;
struct sevq_engine_options options;
struct sevq_error error;
struct sevq_clock now;

static struct sevq_clock
stopped(void)
{
	return now;
}

static void
open_engine(void)
{
	struct sevq_policy *policy;
	assert_int_equal(sevq_policy_parse("", 0, &policy, &error), 0);
	assert_int_equal(sevq_engine_open(&store.base, policy, &options, &engine, &error), 0);
}

void
reopen(void)
{
	sevq_engine_close(engine);
	open_engine();
}

int
fixture_begin(void **state)
{
	(void)state;
	sevq_clock = stopped;
	now = (struct sevq_clock){ .wall_ms = INT64_C(1800000000000), .boot_ms = 1000000 };
	memory_store_init(&store);
	sevq_engine_options_init(&options);
	options.recent_bytes = 0; /* the store is asked */
	open_engine();
	return 0;
}

int
fixture_end(void **state)
{
	(void)state;
	sevq_engine_close(engine);
	memory_store_clear(&store);
	calls_free();
	return 0;
}

void
turn(void)
{
	assert_int_equal(sevq_engine_turn(engine, &error), 0);
}

void
pass(int64_t ms)
{
	now.wall_ms += ms;
	now.boot_ms += ms;
}

struct call *
done(struct call *call)
{
	turn();
	assert_int_equal(call->answered, 1);
	if (call->op.error.code != SEVQ_OK)
		fail_msg("%s: %s", sevq_code_name(call->op.error.code), call->op.error.detail);
	return call;
}

struct call *
fails(struct call *call, enum sevq_code code)
{
	turn();
	assert_int_equal(call->answered, 1);
	assert_string_equal(sevq_code_name(call->op.error.code), sevq_code_name(code));
	return call;
}

int64_t
put(const char *key, const char *text)
{
	return done(enqueue(engine, key, text))->enqueue.results[0].event.id;
}

int64_t
borrow(const char *key, size_t limit, int64_t lease_ms)
{
	return done(lend(engine, key, limit, lease_ms))->lend.lease_id;
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
	struct sevq_event_list list = { call->peek.found.events, 0 };
	for (size_t i = 0; i < call->peek.found.count; i++)
		if (list.events[i].state == SEVQ_STATE_QUEUED)
			list.events[list.count++] = list.events[i];
	assert_texts(&list, texts);
	assert_int_equal(sevq_engine_deliverable(engine, sevq_str(key)), list.count);
}

const struct sevq_event *
look_at(int64_t id)
{
	return &done(find_event(engine, id))->find.event;
}

struct sevq_engine_stats
stats(void)
{
	struct sevq_engine_stats all;
	sevq_engine_stats(engine, &all);
	return all;
}
