/* peek_test.c - the calls that change nothing: peek and find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static void
peek_pages_and_takes_nothing(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	struct call *call = done(peek_page(engine, A, 2, NULL));
	assert_texts(&call->peek.found, "1 2");
	assert_int_equal(call->peek.depth, 3);
	assert_true(call->peek.more);
	call = done(peek_page(engine, A, 2, "2"));
	assert_texts(&call->peek.found, "3");
	assert_false(call->peek.more);
	assert_texts(&done(peek_page(engine, A, 2, "3"))->peek.found, "");
	assert_int_equal(store.outcome_count, 0);
	fails(peek_page(engine, A, 2, "x"), ERROR_INVALID_FIELD);
}

static void
find_answers_with_pending_and_with_drained_events(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	assert_str(done(find_event(engine, id))->find.event.text, "1");
	fails(find_event(engine, id + 1), ERROR_NOT_FOUND);
	fails(find_event(engine, 0), ERROR_NOT_FOUND);
	fails(find_event(engine, -1), ERROR_NOT_FOUND);
	done(drain(engine, A, 0));
	const struct find_op *found = &done(find_event(engine, id))->find;
	assert_str(found->event.text, "1");
	assert_string_equal(event_state_name(&found->event), "drained");
	assert_int_equal(found->timeline_count, 1);
}

static void
many_finds_in_one_turn_each_get_their_event(void **state)
{
	(void)state;
	int64_t first = put(A, "1"), second = put(B, "2");
	struct call *calls[] = { find_event(engine, second), find_event(engine, 99),
				 find_event(engine, first),  find_event(engine, second),
				 withdraw(engine, first),    find_event(engine, first) };
	turn();
	assert_str(calls[0]->find.event.text, "2");
	assert_int_equal(calls[1]->op.error.code, ERROR_NOT_FOUND);
	assert_str(calls[2]->find.event.text, "1");
	assert_str(calls[3]->find.event.text, "2");
	assert_str(calls[4]->withdraw.event.text, "1");
	assert_string_equal(event_state_name(&calls[5]->find.event), "withdrawn");
}

static void
peek_and_find_need_no_commit(void **state)
{
	(void)state;
	int64_t id = put(A, "1");
	done(peek(engine, A)), done(find_event(engine, id)), done(drain(engine, B, 0));
	session_of(A);
	assert_int_equal(store.commits, 1);
}

static const struct CMUnitTest tests[] = {
	TEST(peek_pages_and_takes_nothing),
	TEST(find_answers_with_pending_and_with_drained_events),
	TEST(many_finds_in_one_turn_each_get_their_event),
	TEST(peek_and_find_need_no_commit),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
