/*
 * recent_test.c - a ring of recent events: the newest are found complete, older ones are
 * overwritten, and none is taken for another.
 */
#include "queue/catalog/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/mem.h"

#define RING_BYTES 8192

static struct recent recent;

static int
begin(void **state)
{
	(void)state;
	recent_init(&recent, RING_BYTES);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	recent_clear(&recent);
	return 0;
}

/* An event whose texts all carry its number, in memory that the next event overwrites. */
static const struct system_event *
event(int64_t id, size_t text_bytes)
{
	static char names[9][32], text[2 * RING_BYTES];
	struct str name[9];

	for (int i = 0; i < 9; i++)
		name[i] =
		    (struct str){ names[i], (size_t)snprintf(names[i], sizeof(names[i]),
							     "%d of %lld", i, (long long)id) };
	memset(text, 'a' + (int)(id % 26), text_bytes);
	static struct system_event made;
	made = (struct system_event){ .id = id,
				      .ts_ms = id + 1,
				      .available_at_ms = id + 2,
				      .expires_at_ms = id + 3,
				      .session_key = name[0],
				      .original_session_key = name[1],
				      .rule = RULE_CRON_RUN,
				      .text = { text, text_bytes },
				      .context_key = id % 3 == 0 ? STR("") : name[2],
				      .source = id % 2 == 0 ? name[3] : STR_NULL,
				      .traceparent = name[8],
				      .delivery = { name[4], name[5], name[6], name[7], true },
				      .wake = WAKE_NOW,
				      .prompt = PROMPT_EXEC_COMPLETION };
	return &made;
}

static void
assert_same_text(struct str have, struct str want)
{
	assert_true(str_eq(have, want));
	assert_int_equal(have.s == NULL, want.s == NULL);
	if (have.s == NULL)
		return;
	assert_ptr_not_equal(have.s, want.s);
	assert_int_equal(have.s[have.len], '\0');
}

/* The ring holds the event with all its fields. */
static void
assert_there(int64_t id, size_t text_bytes)
{
	const struct system_event *have = recent_find(&recent, id), *want = event(id, text_bytes);

	assert_non_null(have);
	assert_int_equal(have->id, id);
	assert_int_equal(have->ts_ms, want->ts_ms);
	assert_int_equal(have->available_at_ms, want->available_at_ms);
	assert_int_equal(have->expires_at_ms, want->expires_at_ms);
	assert_int_equal(have->rule, want->rule);
	assert_int_equal(have->wake, want->wake);
	assert_int_equal(have->prompt, want->prompt);
	assert_same_text(have->session_key, want->session_key);
	assert_same_text(have->original_session_key, want->original_session_key);
	assert_same_text(have->text, want->text);
	assert_same_text(have->context_key, want->context_key);
	assert_same_text(have->source, want->source);
	assert_same_text(have->traceparent, want->traceparent);
	assert_same_text(have->delivery.channel, want->delivery.channel);
	assert_same_text(have->delivery.to, want->delivery.to);
	assert_same_text(have->delivery.account_id, want->delivery.account_id);
	assert_same_text(have->delivery.thread_id, want->delivery.thread_id);
	assert_true(have->delivery.thread_is_number);
}

static void
an_added_event_is_found_complete(void **state)
{
	(void)state;
	for (int64_t id = 1; id <= 4; id++)
		recent_add(&recent, event(id, 100));
	for (int64_t id = 1; id <= 4; id++)
		assert_there(id, 100);
	assert_null(recent_find(&recent, 5));
}

/* Texts of many lengths, so that the end of the ring falls on every part of an event. */
static void
the_newest_events_overwrite_the_oldest(void **state)
{
	(void)state;
	size_t kept_most = 0;
	for (int64_t id = 1; id <= 2000; id++) {
		recent_add(&recent, event(id, (size_t)id % 700));
		size_t kept = 0;
		for (int64_t old = id; old > 0 && old > id - 50; old--) {
			if (recent_find(&recent, old) == NULL)
				continue;
			/* there is no gap between the oldest and the newest */
			assert_int_equal(kept, id - old);
			assert_there(old, (size_t)old % 700);
			kept++;
		}
		assert_true(kept >= 1 && kept * sizeof(struct system_event) < RING_BYTES);
		kept_most = kept > kept_most ? kept : kept_most;
	}
	assert_true(kept_most > 10);
	assert_int_equal(recent_bytes(&recent), RING_BYTES);
}

static void
ids_may_have_gaps(void **state)
{
	(void)state;
	const int64_t ids[] = { 7, 8, 100, 101, INT64_C(5000000000) };
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		recent_add(&recent, event(ids[i], 10));
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		assert_there(ids[i], 10);
	assert_null(recent_find(&recent, 9));
	assert_null(recent_find(&recent, 99));
}

/* Of two events that share a slot the newer one keeps it. */
static void
no_event_is_taken_for_another(void **state)
{
	(void)state;
	const int64_t apart = (int64_t)recent.slot_count;
	recent_add(&recent, event(3, 10));
	assert_null(recent_find(&recent, 3 + apart));
	recent_add(&recent, event(3 + apart, 10));
	assert_null(recent_find(&recent, 3));
	assert_there(3 + apart, 10);
}

static void
an_event_larger_than_the_ring_is_not_kept(void **state)
{
	(void)state;
	recent_add(&recent, event(1, 10));
	recent_add(&recent, event(2, RING_BYTES));
	assert_null(recent_find(&recent, 2));
	assert_there(1, 10);
}

/* An event as large as the ring fits, at every position of the ring. */
static void
an_event_may_fill_the_ring(void **state)
{
	(void)state;
	const size_t rest = RING_BYTES - sizeof(struct system_event) -
			    (system_event_text_bytes(event(2, 0)) + 15) / 16 * 16;
	recent_add(&recent, event(1, 10));
	recent_add(&recent, event(2, rest));
	assert_there(2, rest);
	assert_null(recent_find(&recent, 1));
	recent_add(&recent, event(3, 10));
	assert_there(3, 10);
	assert_null(recent_find(&recent, 2));
}

static void
a_ring_of_no_bytes_keeps_nothing(void **state)
{
	(void)state;
	struct recent none;
	recent_init(&none, 0);
	recent_add(&none, event(1, 10));
	assert_null(recent_find(&none, 1));
	assert_int_equal(recent_bytes(&none), 0);
	recent_clear(&none);
}

static void
the_reported_bytes_are_those_in_use(void **state)
{
	(void)state;
	assert_int_equal(recent_bytes(&recent), 0);
	recent_add(&recent, event(1, 1000));
	assert_in_range(recent_bytes(&recent), 1000, 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_added_event_is_found_complete),
		TEST(the_newest_events_overwrite_the_oldest),
		TEST(ids_may_have_gaps),
		TEST(no_event_is_taken_for_another),
		TEST(an_event_larger_than_the_ring_is_not_kept),
		TEST(an_event_may_fill_the_ring),
		TEST(a_ring_of_no_bytes_keeps_nothing),
		TEST(the_reported_bytes_are_those_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
