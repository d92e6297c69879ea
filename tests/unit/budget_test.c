/*
 * budget_test.c - a turn does a bounded amount of work; the rest is left to later turns, in order.
 *
 * What is counted here is work, not time.
 */
#include "queue/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "queue/op_kind.h"
#include "tests/unit/fixture.h"

#define CALLS 64
#define EACH CALL_DRAFTS_MAX                              /* events of a large call */
#define LARGE_MAX (TURN_LARGE_WORK / (WORK_EVENT * EACH)) /* of those in a turn, at the most */

#define WOKEN_MAX 150 /* waiters that are answered in a turn */

/* How many of the calls have been answered; they must be the first ones. */
static size_t
answered(struct call *const *calls, size_t count)
{
	size_t n = 0;

	while (n < count && calls[n]->answered)
		n++;
	for (size_t i = n; i < count; i++)
		assert_false(calls[i]->answered);
	return n;
}

static void
one_turn(void)
{
	assert_int_equal(engine_turn(engine, &error), 0);
}

/* Takes turns until all calls are answered; each turn answers at least one of them. */
static void
answer_all(struct call *const *calls, size_t count, size_t most_a_turn)
{
	for (size_t before = 0; before < count;) {
		one_turn();
		size_t now_answered = answered(calls, count);
		assert_in_range(now_answered, before + 1, before + most_a_turn);
		before = now_answered;
	}
}

/* Drafts with different texts. */
static struct call *
batch_of(const char *key, size_t count)
{
	static struct draft drafts[EACH];
	static char texts[EACH][24];

	for (size_t i = 0; i < count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%zu", i);
		drafts[i] = draft(key, texts[i]);
	}
	return enqueue_drafts(engine, drafts, count);
}

/* As many as a batch may have. */
static struct call *
large_batch(const char *key)
{
	return batch_of(key, EACH);
}

static void
large_batches_are_spread_over_turns_in_order(void **state)
{
	struct call *calls[CALLS];
	char keys[CALLS][32];
	size_t before = 0;

	(void)state;
	for (int i = 0; i < CALLS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%d", i);
		calls[i] = large_batch(keys[i]);
	}
	for (int turns = 0; before < CALLS; turns++) {
		one_turn();
		size_t now_answered = answered(calls, CALLS);
		assert_in_range(now_answered, before + 1, before + LARGE_MAX);
		assert_int_equal(engine_has_work(engine), now_answered < CALLS);
		before = now_answered;
	}
}

static void
a_small_call_passes_large_ones_that_wait(void **state)
{
	struct call *large[CALLS];

	(void)state;
	for (int i = 0; i < CALLS; i++)
		large[i] = large_batch(i % 2 == 0 ? A : B);
	struct call *small = enqueue(engine, "agent:main:c", "small");
	one_turn();
	assert_in_range(answered(large, CALLS), 1, LARGE_MAX);
	assert_int_equal(small->answered, 1);
}

static void
a_turn_takes_so_many_small_calls(void **state)
{
	enum { MANY = 3 * TURN_SMALL_WORK / WORK_OP };
	static struct call *calls[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		calls[i] = peek(engine, A);
	answer_all(calls, MANY, TURN_SMALL_WORK / WORK_OP);
}

/* What a batch costs depends on what it finds: a new session costs more than another event. */
static void
batches_that_turn_out_large_are_spread_over_turns(void **state)
{
	enum { BATCHES_MAX = TURN_LARGE_WORK / (EACH * (WORK_EVENT + WORK_SESSION)) };
	static char keys[CALLS * EACH][32];
	struct call *calls[CALLS];
	struct draft drafts[EACH];

	(void)state;
	options.sessions_max = options.pending_max = 2 * COUNT(keys);
	reopen();
	for (size_t i = 0; i < COUNT(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%zu", i);
		drafts[i % EACH] = draft(keys[i], "1");
		if (i % EACH == EACH - 1)
			calls[i / EACH] = enqueue_drafts(engine, drafts, EACH);
	}
	answer_all(calls, CALLS, BATCHES_MAX);
}

/* A page walks the entries of its queues; one more may be made in vain. */
static void
pages_that_turn_out_large_are_spread_over_turns(void **state)
{
	enum { QUEUES = 15, BATCHES = 50, PAGES = 10, WALKED = QUEUES * BATCHES * EACH };
	struct call *calls[PAGES];
	struct draft drafts[EACH];

	(void)state;
	for (int i = 0; i < QUEUES * BATCHES; i++) {
		char key[32];

		snprintf(key, sizeof(key), "agent:main:%d", i % QUEUES);
		for (int n = 0; n < EACH; n++) {
			drafts[n] = draft(key, "1");
			drafts[n].allow_duplicate = true;
		}
		done(enqueue_drafts(engine, drafts, EACH));
	}
	for (int i = 0; i < PAGES; i++)
		calls[i] = list_sessions(engine, (struct sessions_op){ .limit = QUEUES + 1 });
	while (!calls[PAGES - 1]->answered) {
		uint64_t walked = stats().walked;

		one_turn();
		assert_in_range(stats().walked - walked, WALKED,
				TURN_LARGE_WORK * WORK_ENTRIES + WALKED);
	}
	assert_int_equal(answered(calls, PAGES), PAGES);
	assert_int_equal(calls[0]->sessions.count, QUEUES);
}

/* A drain charges the budget when it is planned; an op that the budget defers takes nothing. */
static void
drains_that_turn_out_large_are_spread_over_turns(void **state)
{
	struct call *calls[CALLS];
	char keys[CALLS][32];

	(void)state;
	for (int i = 0; i < CALLS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%d", i);
		done(large_batch(keys[i]));
	}
	for (int i = 0; i < CALLS; i++)
		calls[i] = drain(engine, keys[i], 0);
	answer_all(calls, CALLS, LARGE_MAX);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(calls[i]->drain.taken.count, EACH);
	assert_int_equal(stats().pending, 0);
}

/* Whoever an event wakes is answered in order, some in each turn, and nobody is left. */
static void
waiters_that_one_event_wakes_are_answered_over_turns(void **state)
{
	enum { MANY = 1000 };
	static struct call *calls[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		calls[i] = wait_for(engine, A);
	while (stats().waiters < MANY)
		one_turn();
	enqueue(engine, A, "1");
	answer_all(calls, MANY, WOKEN_MAX);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(calls[i]->wait.deliverable, 1);
}

/* How an op's last plan ended says nothing about an op that now fails without a plan. */
static void
a_call_that_waited_fails_when_the_store_has_become_full(void **state)
{
	static char text[TEXT_BYTES_MAX], keys[LARGE_MAX][32];

	(void)state;
	for (int i = 0; i < LARGE_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%d", i);
		large_batch(keys[i]);
	}
	memset(text, 'x', sizeof(text) - 1);
	enqueue(engine, B, text);
	struct call *longer = enqueue(engine, A, text);
	one_turn();
	assert_int_equal(longer->answered, 0);
	store.not_ready = ERROR_STORAGE_FULL;
	one_turn();
	assert_int_equal(longer->answered, 1);
	assert_int_equal(longer->op.error.code, ERROR_STORAGE_FULL);
}

/* A drain of a few events is a small call; how few is known once it is planned. */
static void
small_drains_are_as_many_as_their_events_allow(void **state)
{
	enum { MANY = 400, FEW = 25, DRAINS_MAX = TURN_PLANNED_WORK / (WORK_EVENT * FEW) + 1 };
	static struct call *calls[MANY];
	static char keys[MANY][32];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%d", i);
		done(batch_of(keys[i], FEW));
	}
	for (int i = 0; i < MANY; i++)
		calls[i] = drain(engine, keys[i], 0);
	answer_all(calls, MANY, DRAINS_MAX);
}

static void
long_pages_of_sessions_are_spread_over_turns(void **state)
{
	enum { PAGES_MAX = TURN_LARGE_WORK / (WORK_SESSION_ROW * SESSIONS_PAGE_MAX) };
	struct call *calls[CALLS];
	char key[32];

	(void)state;
	for (int i = 0; i < SESSIONS_PAGE_MAX; i++) {
		snprintf(key, sizeof(key), "agent:main:%d", i);
		done(enqueue(engine, key, "1"));
	}
	for (int i = 0; i < CALLS; i++)
		calls[i] = list_sessions(engine, (struct sessions_op){ 0 });
	for (size_t before = 0, turns = 0; before < CALLS; turns++) {
		assert_true(turns < 3 * CALLS); /* a page takes two */
		one_turn();
		size_t now_answered = answered(calls, CALLS);
		assert_in_range(now_answered, before, before + PAGES_MAX);
		before = now_answered;
	}
	assert_int_equal(calls[0]->sessions.count, SESSIONS_PAGE_MAX);
}

static void
chores_have_a_turn_of_their_own_after_much_work(void **state)
{
	(void)state;
	for (int i = 0; i < LARGE_MAX; i++)
		large_batch(A);
	one_turn();
	size_t chores = store.chores;
	assert_true(engine_chores(engine));
	assert_int_equal(store.chores, chores);
	struct call *small = enqueue(engine, A, "small");
	one_turn();
	assert_int_equal(small->answered, 0);
	engine_chores(engine);
	assert_int_equal(store.chores, chores + 1);
	one_turn();
	assert_int_equal(small->answered, 1);
	engine_chores(engine);
	assert_int_equal(store.chores, chores + 2);
}

/* They are large calls, though each is short. */
static void
chores_wait_after_many_short_batches(void **state)
{
	(void)state;
	for (int i = 0; i < CALLS; i++)
		batch_of(A, 35);
	one_turn();
	size_t chores = store.chores;
	assert_true(engine_chores(engine));
	assert_int_equal(store.chores, chores);
}

static void
small_calls_pass_short_batches_that_wait(void **state)
{
	enum { FEW = 20 };
	struct call *small[FEW];

	(void)state;
	for (int i = 0; i < 200; i++)
		batch_of(i % 2 == 0 ? A : B, 40);
	for (int i = 0; i < FEW; i++)
		small[i] = enqueue(engine, "agent:main:c", "small");
	one_turn();
	assert_int_equal(answered(small, FEW), FEW);
}

static size_t
known_work(const struct op *op)
{
	return op->work;
}

/* Only their plans show what ops of some kinds take. */
static void
few_ops_are_planned_in_vain(void **state)
{
	enum { EACH_VAIN = 500 };
	struct op_kind tells = { .appends = true, .work = known_work },
		       silent = { .appends = true };
	struct op small = { .kind = &tells }, unknown = { .kind = &silent }, first = unknown,
		  large = { .kind = &tells, .work = WORK_SMALL_MAX + 1 };
	struct budget budget = { 0 };

	(void)state;
	assert_true(budget_keep(&budget, &first, TURN_LARGE_WORK - EACH_VAIN / 2));
	assert_false(budget_is_used_up(&budget, &large));
	for (int i = 0; i <= TURN_IN_VAIN_WORK / EACH_VAIN; i++) {
		struct op vain = unknown;

		assert_false(budget_is_used_up(&budget, &unknown));
		assert_false(budget_keep(&budget, &vain, EACH_VAIN));
		assert_int_equal(vain.work, EACH_VAIN);
		assert_true(budget_is_used_up(&budget, &large));
	}
	assert_true(budget_is_used_up(&budget, &unknown));
	assert_false(budget_is_used_up(&budget, &small));
}

/* They turn out larger than they said. */
static void
small_calls_pass_batches_of_new_sessions(void **state)
{
	enum { BATCHES = 60, EACH_FEW = 40, FEW = 20 };
	static char keys[BATCHES * EACH_FEW][32];
	struct call *small[FEW];
	struct draft drafts[EACH_FEW];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%zu", i);
		drafts[i % EACH_FEW] = draft(keys[i], "1");
		if (i % EACH_FEW == EACH_FEW - 1)
			enqueue_drafts(engine, drafts, EACH_FEW);
	}
	for (int i = 0; i < FEW; i++)
		small[i] = enqueue(engine, "agent:main:c", "small");
	one_turn();
	assert_int_equal(answered(small, FEW), FEW);
}

/* What a lease holds is known when the call is planned. */
static void
acks_of_large_leases_are_spread_over_turns(void **state)
{
	enum { LEASES = 12, HELD = 32 * EACH, ACKS_MAX = TURN_LARGE_WORK / (HELD / WORK_IDS) };
	struct call *calls[LEASES];
	char keys[LEASES][32];

	(void)state;
	for (int i = 0; i < LEASES; i++) {
		snprintf(keys[i], sizeof(keys[i]), "agent:main:%d", i);
		for (int n = 0; n < HELD / EACH; n++) {
			struct draft drafts[EACH];

			for (int d = 0; d < EACH; d++) {
				drafts[d] = draft(keys[i], "1");
				drafts[d].allow_duplicate = true;
			}
			done(enqueue_drafts(engine, drafts, EACH));
		}
	}
	for (int i = 0; i < LEASES; i++)
		calls[i] = done(take_lease(engine, keys[i], HELD, 60000));
	for (int i = 0; i < LEASES; i++)
		calls[i] = ack(engine, calls[i]->lease_take.lease_id, NULL, 0);
	answer_all(calls, LEASES, ACKS_MAX);
	assert_int_equal(stats().pending, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(large_batches_are_spread_over_turns_in_order),
		TEST(a_small_call_passes_large_ones_that_wait),
		TEST(a_turn_takes_so_many_small_calls),
		TEST(batches_that_turn_out_large_are_spread_over_turns),
		TEST(pages_that_turn_out_large_are_spread_over_turns),
		TEST(drains_that_turn_out_large_are_spread_over_turns),
		TEST(waiters_that_one_event_wakes_are_answered_over_turns),
		TEST(a_call_that_waited_fails_when_the_store_has_become_full),
		TEST(small_drains_are_as_many_as_their_events_allow),
		TEST(long_pages_of_sessions_are_spread_over_turns),
		TEST(chores_have_a_turn_of_their_own_after_much_work),
		TEST(chores_wait_after_many_short_batches),
		TEST(small_calls_pass_short_batches_that_wait),
		TEST(small_calls_pass_batches_of_new_sessions),
		TEST(few_ops_are_planned_in_vain),
		TEST(acks_of_large_leases_are_spread_over_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
