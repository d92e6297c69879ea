/* answer_test.c - how much memory answers may need: each by itself, and those of a batch. */
#include "queue/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/read_ahead.h"
#include "schema/json.h"
#include "schema/zone.h"
#include "tests/unit/fixture.h"

#define EVENTS 20
#define GONE 500   /* more than a small answer has */
#define LARGE 1000 /* bytes of text: no answer with one is a small one */
#define MINUTE 60000

static char text[LARGE + 1];

static int
begin(void **state)
{
	memset(text, 'x', LARGE);
	return fixture_begin(state);
}

static void
put_large(const char *key)
{
	for (int i = 0; i < EVENTS; i++) {
		struct draft large = draft(key, text);

		large.allow_duplicate = true;
		done(enqueue_draft(engine, large));
	}
}

/* What an answer with so many of those events needs. */
static size_t
bytes_of(size_t count)
{
	struct answer_size size = { 0 };
	const struct system_event event = { .session_key = STR(A),
					    .original_session_key = STR(A),
					    .text = { text, LARGE },
					    .source = { text, SOURCE_BYTES_MAX },
					    .traceparent = { text, TRACEPARENT_BYTES_MAX } };

	for (size_t i = 0; i < count; i++)
		answer_add_event(&size, &event);
	return answer_bytes(&size);
}

/* Counts what is sent of the texts: as JSON, and as lines of a prompt. */
static size_t
sent_bytes(struct str s)
{
	struct buf out = { 0 };
	struct arena arena = { 0 };
	struct zone zone;
	size_t len;

	zone_enter(&zone, &arena, STR("utc"));
	json_quote(&out, s);
	prompt_write(&out, &zone, s, STR_NULL, 0, false);
	zone_leave(&zone);
	arena_clear(&arena);
	len = out.len;
	buf_clear(&out);
	return len;
}

static void
no_text_is_sent_longer_than_it_is_counted(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 0x3000; c++) {
		char bytes[3 * 1000 + 2] = "x", *at = bytes + 1;

		for (int i = 0; i < 1000; i++) {
			if (c >= 0x800)
				*at++ = (char)(0xe0 | c >> 12);
			if (c >= 0x80)
				*at++ = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
			*at++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
		}
		*at++ = 'x';
		struct str s = { bytes, (size_t)(at - bytes) };
		struct answer_size size = { 0 };

		answer_add_event(&size, &(struct system_event){ .text = s });
		if (sent_bytes(s) > size.sent)
			fail_msg("U+%04X: %zu > %zu", c, sent_bytes(s), size.sent);
	}
}

static void
an_answer_has_as_many_events_as_there_is_room_for(void **state)
{
	(void)state;
	for (size_t room = 1; room <= EVENTS; room++) {
		put_large(A);
		options.answer_bytes_max = bytes_of(room);
		reopen();
		assert_int_equal(done(peek(engine, A))->peek.found.count, room);
		struct call *leased = done(take_lease(engine, A, 0, MINUTE));
		assert_int_equal(leased->lease_take.taken.count, room);
		assert_int_equal(leased->lease_take.remaining, EVENTS - room);
		done(purge(engine, A, NULL));
		put_large(A);
		struct call *drained = done(drain(engine, A, 0));
		assert_int_equal(drained->drain.taken.count, room);
		assert_int_equal(drained->drain.remaining, EVENTS - room);
		done(purge(engine, A, NULL));
	}
}

static void
one_event_is_an_answer_under_any_limit(void **state)
{
	(void)state;
	put_large(A);
	options.answer_bytes_max = 1;
	reopen();
	engine_set_answer_budget(engine, 1, true);
	assert_int_equal(done(drain(engine, A, 0))->drain.taken.count, 1);
	int64_t id = done(peek(engine, A))->peek.found.events[0].id;
	assert_int_equal(done(consume(engine, A, IDS(id)))->consume.taken.count, 1);
	fails(consume(engine, A, IDS(id + 1, id + 2)), ERROR_TOO_LARGE);
	assert_int_equal(session_of(A)->depth, EVENTS - 2);
}

/* Each call that answers with texts finds no room, and has changed nothing. */
static void
without_room_calls_with_texts_are_refused_and_change_nothing(void **state)
{
	(void)state;
	put_large(A);
	int64_t id = done(peek(engine, A))->peek.found.events[0].id;
	int64_t held = lease_events(A, 1, MINUTE);
	engine_set_answer_budget(engine, 0, false);
	fails(drain(engine, A, 0), ERROR_QUEUE_FULL);
	fails(take_lease(engine, A, 1, MINUTE), ERROR_QUEUE_FULL);
	fails(peek(engine, A), ERROR_QUEUE_FULL);
	fails(consume(engine, A, IDS(id)), ERROR_QUEUE_FULL);
	fails(withdraw(engine, id + 1), ERROR_QUEUE_FULL);
	fails(find_event(engine, id), ERROR_QUEUE_FULL);
	fails(enqueue_draft(engine, draft(B, text)), ERROR_QUEUE_FULL);
	fails(enqueue_draft(engine, draft(A, text)), ERROR_QUEUE_FULL); /* a duplicate */
	assert_int_equal(stats().rejected_answers, 8);
	put(B, "little"), done(drain(engine, B, 0));
	done(ack(engine, held, ALL));
	engine_set_answer_budget(engine, SIZE_MAX, false);
	assert_int_equal(session_of(A)->depth, EVENTS - 1);
	assert_null(session_of(B));
}

/* The ids of events that were settled under the lease are part of the answer. */
static void
a_list_of_events_that_are_gone_needs_room(void **state)
{
	int64_t ids[GONE];
	char digits[24];

	(void)state;
	for (int i = 0; i < GONE; i++) {
		snprintf(digits, sizeof(digits), "%d", i);
		ids[i] = put(A, digits);
	}
	int64_t lease = lease_events(A, GONE, MINUTE);
	done(purge(engine, A, NULL));
	engine_set_answer_budget(engine, 0, false);
	fails(ack(engine, lease, ALL), ERROR_QUEUE_FULL);
	assert_int_equal(done(ack(engine, lease, ids, 10))->lease.gone_count, 10);
	engine_set_answer_budget(engine, SIZE_MAX, false);
	assert_int_equal(done(ack(engine, lease, ALL))->lease.gone_count, GONE);
}

static void
the_answers_of_a_batch_share_its_room(void **state)
{
	(void)state;
	put_large(A), put_large(B);
	engine_set_answer_budget(engine, bytes_of(EVENTS) + bytes_of(5), false);
	struct call *first = drain(engine, A, 0), *second = drain(engine, B, 0),
		    *third = peek(engine, B);
	turn();
	assert_int_equal(first->drain.taken.count, EVENTS);
	assert_int_equal(second->drain.taken.count, 5);
	assert_int_equal(third->op.error.code, ERROR_QUEUE_FULL);
	assert_int_equal(done(drain(engine, B, 0))->drain.taken.count, EVENTS - 5);
}

/* --- reading ahead --- */

#define LONG_EVENTS (ANSWER_TEXT_BYTES_MAX / TEXT_BYTES_MAX)
/* an event more is read in each of them; and the turn that is little enough */
#define READ_TURNS (ANSWER_TEXT_BYTES_MAX / (READ_AHEAD_BYTES + TEXT_BYTES_MAX) + 1)

/* Events that differ, with as much text as an answer may have. */
static void
put_long(const char *key)
{
	static char longest[TEXT_BYTES_MAX + 1];

	memset(longest, 'y', TEXT_BYTES_MAX);
	for (int i = 0; i < LONG_EVENTS; i++) {
		memcpy(longest,
		       (char[]){ (char)('0' + i / 100), (char)('0' + i / 10 % 10),
				 (char)('0' + i % 10) },
		       3);
		done(enqueue(engine, key, longest));
	}
}

static void
assert_long(const struct system_event_list *list, int first, size_t count)
{
	assert_int_equal(list->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list->events[i].text.len, TEXT_BYTES_MAX);
		assert_int_equal(
		    atoi((char[]){ list->events[i].text.s[0], list->events[i].text.s[1],
				   list->events[i].text.s[2], '\0' }),
		    first + (int)i);
	}
}

static void
a_long_answer_is_read_over_several_turns(void **state)
{
	(void)state;
	put_long(A);
	struct call *long_one = drain(engine, A, 0), *small = enqueue(engine, B, "small");
	turn();
	assert_int_equal(long_one->answered, 0);
	assert_int_equal(small->answered, 1);
	assert_int_equal(stats().pending, LONG_EVENTS + 1);
	size_t turns = 1;
	for (; !long_one->answered; turns++)
		turn();
	assert_in_range(turns, READ_TURNS, READ_TURNS + 1);
	assert_long(&long_one->drain.taken, 0, LONG_EVENTS);
	for (size_t i = 0; i < LONG_EVENTS; i++)
		assert_string_equal(event_state_name(&long_one->drain.taken.events[i]), "drained");
	assert_null(session_of(A));
}

/* Copying out of memory is work, too. */
static void
a_long_answer_is_copied_over_several_turns(void **state)
{
	(void)state;
	options.recent_bytes = 2 * ANSWER_TEXT_BYTES_MAX;
	reopen();
	put_long(A);
	size_t reads = store.reads, turns = 0;
	struct call *long_one = drain(engine, A, 0);
	for (; !long_one->answered; turns++)
		turn();
	assert_in_range(turns, READ_TURNS, READ_TURNS + 1);
	assert_long(&long_one->drain.taken, 0, LONG_EVENTS);
	assert_int_equal(store.reads, reads);
}

static void
what_others_take_meanwhile_is_not_in_a_long_answer(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3");
	put_long(A);
	struct call *long_one = drain(engine, A, 0);
	turn();
	struct call *short_one = drain(engine, A, 3);
	turn();
	assert_texts(&short_one->drain.taken, "1 2 3");
	assert_int_equal(long_one->answered, 0);
	assert_long(&done(long_one)->drain.taken, 0, LONG_EVENTS);
}

static void
several_long_answers_are_read_one_after_the_other(void **state)
{
	(void)state;
	put_long(A);
	struct call *calls[] = { peek(engine, A), take_lease(engine, A, LONG_EVENTS / 2, MINUTE),
				 drain(engine, A, 0), drain(engine, A, 0) };
	for (int turns = 0; engine_has_work(engine); turns++) {
		assert_true(turns < 4 * READ_TURNS);
		turn();
	}
	assert_long(&calls[0]->peek.found, 0, LONG_EVENTS);
	assert_long(&calls[1]->lease_take.taken, 0, LONG_EVENTS / 2);
	assert_long(&calls[2]->drain.taken, LONG_EVENTS / 2, LONG_EVENTS / 2);
	assert_int_equal(calls[3]->drain.taken.count, 0);
}

static void
a_long_answer_that_cannot_be_read_fails(void **state)
{
	(void)state;
	put_long(A);
	store.read_fails = ERROR_STORAGE_FAILED;
	fails(drain(engine, A, 0), ERROR_STORAGE_FAILED);
	store.read_fails = ERROR_NONE;
	assert_long(&done(drain(engine, A, 0))->drain.taken, 0, LONG_EVENTS);
}

static void
a_long_answer_is_repeated_in_several_turns(void **state)
{
	(void)state;
	put_long(A);
	for (int round = 0; round < 2; round++) {
		struct call *call = drain(engine, A, 0);

		call->op.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
		turn();
		assert_int_equal(call->answered, 0);
		assert_long(&done(call)->drain.taken, 0, LONG_EVENTS);
	}
}

#define ON_LARGE(name) cmocka_unit_test_setup_teardown(name, begin, fixture_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_text_is_sent_longer_than_it_is_counted),
		ON_LARGE(an_answer_has_as_many_events_as_there_is_room_for),
		ON_LARGE(one_event_is_an_answer_under_any_limit),
		ON_LARGE(without_room_calls_with_texts_are_refused_and_change_nothing),
		TEST(a_list_of_events_that_are_gone_needs_room),
		ON_LARGE(the_answers_of_a_batch_share_its_room),
		TEST(a_long_answer_is_read_over_several_turns),
		TEST(a_long_answer_is_copied_over_several_turns),
		TEST(what_others_take_meanwhile_is_not_in_a_long_answer),
		TEST(several_long_answers_are_read_one_after_the_other),
		TEST(a_long_answer_that_cannot_be_read_fails),
		TEST(a_long_answer_is_repeated_in_several_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
