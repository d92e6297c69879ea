/* lease_list_test.c - who holds what, and until when: filters, pages, and one lease by its id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define MINUTE 60000

static int64_t
take_as(const char *key, const char *consumer, size_t limit, int64_t lease_ms)
{
	return done(
		   take_lease_as(engine, (struct lease_take_op){ .address.session_key = str_of(key),
								 .consumer = str_of(consumer),
								 .limit = limit,
								 .lease_ms = lease_ms }))
	    ->lease_take.lease_id;
}

/* Lists with this input; want holds the consumers, the first to end first, joined by blanks. */
static void
assert_holders(struct lease_list_op input, const char *want)
{
	const struct lease_list_op *list = &done(list_leases(engine, input))->lease_list;
	struct buf have = { 0 };

	for (size_t i = 0; i < list->count; i++) {
		buf_adds(&have, i > 0 ? " " : "");
		buf_add(&have, list->leases[i].consumer.s, list->leases[i].consumer.len);
	}
	assert_str((struct str){ have.data, have.len }, want);
	buf_clear(&have);
}

static const struct lease_listed *
find_lease(int64_t id)
{
	static char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	return done(list_leases(engine, (struct lease_list_op){ .lease = str_of(text) }))
	    ->lease_list.leases;
}

static void
leases_are_listed_with_who_holds_them(void **state)
{
	(void)state;
	put(A, "1"), put(A, "2"), put(A, "3"), put(B, "1");
	assert_holders((struct lease_list_op){ 0 }, "");
	take_as(A, "ann", 1, 3 * MINUTE), take_as(B, "ann", 1, 2 * MINUTE);
	int64_t bob = take_as(A, "bob", 2, MINUTE);
	assert_holders((struct lease_list_op){ 0 }, "bob ann ann");
	assert_holders((struct lease_list_op){ .address.queue_key = STR(A) }, "bob ann");
	assert_holders((struct lease_list_op){ .consumer = STR("ann") }, "ann ann");
	assert_holders(
	    (struct lease_list_op){ .consumer = STR("bob"), .address.queue_key = STR(B) }, "");
	done(ack(engine, bob, IDS(2)));
	assert_int_equal(find_lease(bob)->count, 1);
	done(ack(engine, bob, IDS(3)));
	assert_holders((struct lease_list_op){ 0 }, "ann ann");
	pass(2 * MINUTE), turn();
	assert_holders((struct lease_list_op){ 0 }, "ann");
}

static void
a_lease_tells_what_it_holds_and_when_the_first_of_it_ends(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		put_keyed(A, NULL, (const char *[]){ "1", "2", "3" }[i]);
	int64_t id =
	    done(take_lease_as(engine, (struct lease_take_op){ .address.session_key = STR(A),
							       .exclusive = true,
							       .lease_ms = MINUTE }))
		->lease_take.lease_id;
	const struct lease_listed *lease = find_lease(id);
	assert_int_equal(lease->id, id);
	assert_str(lease->session_key, A);
	assert_str(lease->consumer, NULL);
	assert_true(lease->exclusive);
	assert_int_equal(lease->until_ms, now.wall_ms + MINUTE);
	assert_int_equal(lease->count, 3);
	done(ack(engine, id, IDS(1)));
	pass(10), done(extend(engine, id, IDS(2), 2 * MINUTE));
	lease = find_lease(id);
	assert_int_equal(lease->until_ms, now.wall_ms + MINUTE - 10);
	assert_int_equal(lease->count, 2);
	assert_int_equal(lease->ids[0], 2);
	assert_int_equal(lease->ids[1], 3);
	done(extend(engine, id, IDS(3), 3 * MINUTE));
	assert_int_equal(find_lease(id)->until_ms, now.wall_ms + 2 * MINUTE);
	reopen();
	assert_int_equal(find_lease(id)->until_ms, now.wall_ms + 2 * MINUTE);
}

static void
a_lease_that_holds_nothing_is_not_found(void **state)
{
	(void)state;
	static const char *const never[] = { "", "0", "99", "x", "-1", "99999999999999999999" };
	put(A, "1");
	int64_t id = take_as(A, "ann", 1, MINUTE);
	assert_non_null(find_lease(id));
	done(ack(engine, id, ALL));
	char over[24];
	snprintf(over, sizeof(over), "%lld", (long long)id);
	fails(list_leases(engine, (struct lease_list_op){ .lease = str_of(over) }),
	      ERROR_NOT_FOUND);
	for (size_t i = 0; i < COUNT(never); i++)
		fails(list_leases(engine, (struct lease_list_op){ .lease = str_of(never[i]) }),
		      ERROR_NOT_FOUND);
}

static void
a_malformed_cursor_is_refused(void **state)
{
	(void)state;
	static const char *const strange[] = { "", "x", "1x", " 1", "99999999999999999999" };
	for (size_t i = 0; i < COUNT(strange); i++) {
		struct lease_list_op input = { .cursor = str_of(strange[i]) };

		assert_string_equal(
		    fails(list_leases(engine, input), ERROR_INVALID_FIELD)->op.error.pointer,
		    "cursor");
	}
}

enum { MANY = 26000, STAYING = 2000, LOOKS_A_TURN = 20000, PAGE = 450 };

/* Takes so many leases of one event each, of as many queues. */
static void
take_many(int count)
{
	static char keys[CALL_DRAFTS_MAX][24];
	struct draft drafts[CALL_DRAFTS_MAX];

	for (int n = 0; n < count;) {
		size_t some = 0;
		for (; some < CALL_DRAFTS_MAX && n < count; some++, n++) {
			snprintf(keys[some], sizeof(keys[some]), "agent:x:%d", n);
			drafts[some] = draft(keys[some], "x");
		}
		done(enqueue_drafts(engine, drafts, some));
		struct call *last = NULL;
		for (size_t i = 0; i < some; i++)
			last = take_lease(engine, keys[i], 1, MINUTE);
		done(last);
	}
}

static void
begin_many(int count)
{
	options.sessions_max = options.pending_max = 10 * MANY;
	reopen();
	take_many(count);
}

/* No turn looks at all leases, however many calls there are. */
static void
many_leases_are_listed_in_turns_that_are_bounded(void **state)
{
	(void)state;
	struct lease_list_op rare = { .consumer = STR("nobody") };
	begin_many(MANY);
	struct call *calls[] = { list_leases(engine, rare), list_leases(engine, rare) };
	while (calls[1]->answered == 0) {
		uint64_t walked = stats().walked;

		turn();
		if (!store.defer) /* else these are several turns */
			assert_in_range(stats().walked - walked, 0, LOOKS_A_TURN);
	}
	assert_int_equal(calls[0]->answered, 1);
	assert_int_equal(calls[0]->lease_list.count, 0);
}

/* A producer for whose events there is no room may go on for long. */
static void
many_leases_are_listed_although_every_batch_is_undone(void **state)
{
	(void)state;
	begin_many(MANY);
	struct call *list =
	    list_leases(engine, (struct lease_list_op){ .consumer = STR("nobody") });
	store.full_for_events = true;
	for (size_t turns = 0; !list->answered; turns++) {
		assert_true(turns < 100);
		fails(enqueue(engine, A, "never stored"), ERROR_STORAGE_FULL);
	}
	assert_int_equal(list->lease_list.count, 0);
}

static void
leases_that_stay_are_on_one_page_while_others_come_and_go(void **state)
{
	(void)state;
	struct lease_list_op input = { .limit = PAGE };
	static char seen[STAYING + 1];
	int64_t going = STAYING + 1;

	memset(seen, 0, sizeof(seen));
	begin_many(2 * STAYING);
	do {
		struct call *call = list_leases(engine, input);

		while (call->answered == 0) {
			put(B, "x"), lease_events(B, 1, MINUTE);
			done(ack(engine, going++, ALL));
		}
		assert_true(call->lease_list.count <= PAGE);
		for (size_t i = 0; i < call->lease_list.count; i++)
			if (call->lease_list.leases[i].id <= STAYING)
				seen[call->lease_list.leases[i].id]++;
		input.cursor = call->lease_list.next_cursor;
	} while (input.cursor.s != NULL);
	for (int id = 1; id <= STAYING; id++)
		assert_int_equal(seen[id], 1);
}

enum { HELD = 5000, HOLDERS = 4, LISTS = 10, HELD_A_PAGE = 10000, HELD_A_TURN = 20000 };

/* Each event that a lease holds is looked up, so pages of large leases are spread over turns. */
static void
pages_of_large_leases_are_made_in_turns_that_are_bounded(void **state)
{
	struct draft drafts[CALL_DRAFTS_MAX];
	struct call *calls[LISTS];

	(void)state;
	options.session_pending_max = options.pending_max = 2 * HELD * HOLDERS;
	reopen();
	for (size_t i = 0; i < CALL_DRAFTS_MAX; i++) {
		drafts[i] = draft(A, "x");
		drafts[i].allow_duplicate = true;
	}
	for (int n = 0; n < HELD * HOLDERS; n += CALL_DRAFTS_MAX)
		done(enqueue_drafts(engine, drafts, CALL_DRAFTS_MAX));
	for (int n = 0; n < HOLDERS; n++)
		take_as(A, "ann", HELD, MINUTE);
	for (int n = 0; n < LISTS; n++)
		calls[n] = list_leases(engine, (struct lease_list_op){ .limit = HOLDERS });
	while (calls[LISTS - 1]->answered == 0) {
		uint64_t walked = stats().walked;

		turn();
		if (!store.defer) /* else these are several turns */
			assert_in_range(stats().walked - walked, 0, HELD_A_TURN);
	}
	for (int n = 0; n < LISTS; n++) {
		const struct lease_list_op *list = &done(calls[n])->lease_list;

		assert_int_equal(list->count, HELD_A_PAGE / HELD);
		assert_non_null(list->next_cursor.s);
	}
	struct call *rest = list_leases(
	    engine,
	    (struct lease_list_op){ .limit = HOLDERS, .cursor = calls[0]->lease_list.next_cursor });
	assert_int_equal(done(rest)->lease_list.count, HOLDERS - HELD_A_PAGE / HELD);
	assert_null(rest->lease_list.next_cursor.s);
}

static const struct CMUnitTest tests[] = {
	TEST(leases_are_listed_with_who_holds_them),
	TEST(a_lease_tells_what_it_holds_and_when_the_first_of_it_ends),
	TEST(a_lease_that_holds_nothing_is_not_found),
	TEST(a_malformed_cursor_is_refused),
	TEST(many_leases_are_listed_in_turns_that_are_bounded),
	TEST(many_leases_are_listed_although_every_batch_is_undone),
	TEST(leases_that_stay_are_on_one_page_while_others_come_and_go),
	TEST(pages_of_large_leases_are_made_in_turns_that_are_bounded),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
