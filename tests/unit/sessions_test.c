/* sessions_test.c - the list of sessions: filters, order, pages, and the fields of a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

/* Lists with this input; want holds the session keys without "agent:", joined by blanks. */
static void
assert_listed(struct sessions_op input, const char *want)
{
	struct call *call = done(list_sessions(engine, input));
	struct buf have = { 0 };

	for (size_t i = 0; i < call->sessions.count; i++) {
		struct str key = call->sessions.sessions[i].session_key;

		if (i > 0)
			buf_adds(&have, " ");
		buf_add(&have, key.s + 6, key.len - 6);
	}
	assert_str((struct str){ have.data, have.len }, want);
	assert_int_equal(call->sessions.total, call->sessions.count);
	buf_clear(&have);
}

static void
sessions_are_filtered_and_sorted(void **state)
{
	(void)state;
	put("agent:y:b", "1"), put("agent:x:a", "1"), put("agent:x:a", "2"), put("agent:xx:a", "1"),
	    put("agent:x:c", "1");
	put("agent:z:gone", "1"), done(drain(engine, "agent:z:gone", 0));
	assert_listed((struct sessions_op){ 0 }, "x:a x:c xx:a y:b");
	assert_listed((struct sessions_op){ .sort = SORT_DEPTH }, "x:a x:c xx:a y:b");
	assert_listed((struct sessions_op){ .address.agent_id = STR(" X ") }, "x:a x:c");
	assert_listed((struct sessions_op){ .prefix = STR("agent:x") }, "x:a x:c xx:a");
	assert_listed((struct sessions_op){ .address.session_key = STR("agent:x:c") }, "x:c");
	assert_listed((struct sessions_op){ .address.session_key = STR("agent:x:d") }, "");
	assert_listed((struct sessions_op){ .min_age_ms = 3600000 }, "");
	assert_listed((struct sessions_op){ .min_age_ms = INT64_MAX }, "");
}

static void
sessions_sort_by_time(void **state)
{
	(void)state;
	put("agent:x:c", "1"), put("agent:x:a", "1"), put("agent:x:b", "1");
	for (size_t i = 0; i < store.event_count; i++)
		store.events[i].event.ts_ms = 1000 + (int64_t)i;
	reopen();
	assert_listed((struct sessions_op){ .sort = SORT_OLDEST }, "x:c x:a x:b");
	assert_listed((struct sessions_op){ .sort = SORT_NEWEST }, "x:b x:a x:c");
	assert_listed((struct sessions_op){ .min_age_ms = 3600000 }, "x:a x:b x:c");
	assert_int_equal(stats().oldest_ts_ms, 1000);
}

static void
a_cursor_continues_where_a_page_ended(void **state)
{
	(void)state;
	static const char *const all[] = { "agent:x:a", "agent:x:b", "agent:x:c", "agent:x:d",
					   "agent:x:e" };
	for (int sort = SORT_KEY; sort <= SORT_NEWEST; sort++) {
		struct sessions_op input = { .limit = 2, .sort = (enum sort)sort };
		size_t seen = 0;

		for (size_t i = 0; i < COUNT(all); i++)
			put(all[i], "1");
		do {
			struct call *call = done(list_sessions(engine, input));

			assert_int_equal(call->sessions.total, COUNT(all));
			assert_true(call->sessions.count <= 2);
			seen += call->sessions.count;
			input.cursor = call->sessions.next_cursor;
		} while (input.cursor.s != NULL);
		assert_int_equal(seen, COUNT(all));
	}
}

/* Far more sessions than a page holds, enqueued in no order: each is on one page, in order. */
static void
pages_of_many_sessions_are_in_order(void **state)
{
	(void)state;
	char key[32], before[32] = "";
	struct sessions_op input = { .limit = 7, .sort = SORT_KEY };
	size_t seen = 0;
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "agent:x:%03d", i * 37 % 500);
		put(key, "1");
	}
	do {
		const struct sessions_op *page = &done(list_sessions(engine, input))->sessions;

		for (size_t i = 0; i < page->count; i++) {
			snprintf(key, sizeof(key), "%.*s", (int)page->sessions[i].session_key.len,
				 page->sessions[i].session_key.s);
			assert_true(strcmp(before, key) < 0);
			strcpy(before, key);
		}
		assert_int_equal(page->total, 500);
		seen += page->count;
		input.cursor = page->next_cursor;
	} while (input.cursor.s != NULL);
	assert_int_equal(seen, 500);
}

static void
a_malformed_cursor_is_refused(void **state)
{
	(void)state;
	static const char *const strange[] = {
		"", ":", "1:", ":x", "x:y", "1x:y", "123456789012345678901234567890:x"
	};
	for (size_t i = 0; i < COUNT(strange); i++) {
		struct call *call = fails(
		    list_sessions(engine, (struct sessions_op){ .cursor = str_of(strange[i]) }),
		    ERROR_INVALID_FIELD);

		assert_string_equal(call->op.error.pointer, "cursor");
	}
}

static void
a_session_counts_the_keys_its_events_were_rekeyed_from(void **state)
{
	(void)state;
	put("main", "1"), put("agent:main:main", "2"), put(" main ", "3"),
	    put("agent:main:main ", "4");
	put("AGENT:main:main", "5");
	const struct session *s = session_of("main");
	assert_int_equal(s->depth, 5);
	assert_str(s->agent_id, "main");
	assert_int_equal(s->rekeyed_from_count, 2);
	assert_str(s->rekeyed_from[0].key, "main");
	assert_int_equal(s->rekeyed_from[0].count, 2);
	assert_str(s->rekeyed_from[1].key, "AGENT:main:main");
	assert_int_equal(s->rekeyed_from[1].count, 1);
}

static void
put_from(struct delivery delivery)
{
	struct draft from = draft(A, "x");

	from.delivery = delivery;
	done(enqueue_draft(engine, from));
}

static void
a_session_shows_the_merged_delivery_context(void **state)
{
	(void)state;
	put_from(
	    (struct delivery){ .channel = STR("telegram"), .to = STR("1"), .thread_id = STR("t") });
	put(A, "none between");
	put_from((struct delivery){ .channel = STR("telegram"), .to = STR("2") });
	assert_str(session_of(A)->delivery.to, "2");
	assert_str(session_of(A)->delivery.thread_id, "t");
	put_from((struct delivery){ .channel = STR("slack"), .to = STR("3") });
	assert_str(session_of(A)->delivery.channel, "slack");
	assert_str(session_of(A)->delivery.thread_id, NULL);
}

static const struct CMUnitTest tests[] = {
	TEST(sessions_are_filtered_and_sorted),
	TEST(sessions_sort_by_time),
	TEST(a_cursor_continues_where_a_page_ended),
	TEST(pages_of_many_sessions_are_in_order),
	TEST(a_malformed_cursor_is_refused),
	TEST(a_session_counts_the_keys_its_events_were_rekeyed_from),
	TEST(a_session_shows_the_merged_delivery_context),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
