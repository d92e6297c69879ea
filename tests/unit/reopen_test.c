/* reopen_test.c - an engine that is opened again continues from the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
pending_events_are_pending_again(void **state)
{
	(void)state;
	put_keyed("main", "k", "1"), put(A, "2"), put("main", "3"), put_keyed(A, "l", "4");
	done(consume(engine, A, (int64_t[]){ 2 }, 1));
	size_t bytes = stats().catalog_bytes;
	reopen();
	assert_queued("main", "1 3");
	assert_queued(A, "4");
	assert_str(session_of("main")->last_context_key, "k");
	assert_int_equal(session_of("main")->rekeyed_from[0].count, 2);
	assert_int_equal(stats().pending, 3);
	assert_true(stats().catalog_bytes <= bytes);
	assert_int_equal(
	    done(enqueue_keyed(engine, "agent:main:main", "k", "1"))->enqueue.results[0].outcome,
	    ENQUEUE_DUPLICATE);
	assert_int_equal(put(A, "5"), 5);
}

static void
times_and_ids_continue_from_the_stored_ones(void **state)
{
	(void)state;
	int64_t ahead = now.wall_ms + 60000; /* the wall clock has gone back by a minute since */
	put(A, "1");
	store.events[0].event.ts_ms = ahead;
	store.events[0].event.id = 1000;
	reopen();
	const struct system_event *event = &done(enqueue(engine, A, "2"))->enqueue.results[0].event;
	assert_int_equal(event->id, 1001);
	assert_int_equal(event->ts_ms, ahead);
}

static void
a_store_that_fails_to_load_stays_open_for_the_caller(void **state)
{
	(void)state;
	struct policy *mine = parse_policy("");
	struct engine *none = NULL;
	struct memory_store broken;
	memory_store_init(&broken);
	broken.load_fails = ERROR_STORAGE_CORRUPT;
	assert_int_equal(engine_open(&broken.base, mine, &options, &none, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	assert_null(none);
	assert_false(broken.closed_by_engine);
	policy_free(mine);
	memory_store_clear(&broken);
}

static void
a_stored_event_without_text_is_corruption(void **state)
{
	(void)state;
	put(A, "1");
	store.events[0].event.text.len = 0;
	struct policy *mine = parse_policy("");
	struct engine *none = NULL;
	assert_int_equal(engine_open(&store.base, mine, &options, &none, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_CORRUPT);
	policy_free(mine);
}

static const struct CMUnitTest tests[] = {
	TEST(pending_events_are_pending_again),
	TEST(times_and_ids_continue_from_the_stored_ones),
	TEST(a_store_that_fails_to_load_stays_open_for_the_caller),
	TEST(a_stored_event_without_text_is_corruption),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
