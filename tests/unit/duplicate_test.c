/* duplicate_test.c - duplicates, replacing, and the last context key (ROUTING section 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

struct step {
	const char *context_key, *text, *to; /* to: of the delivery context, NULL when absent */
	char how;                            /* 'r': replace; 'd': allow a duplicate */
	int outcome;
};

static void
run_steps(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct draft next = draft(A, steps[i].text);

		next.context_key = str_of(steps[i].context_key);
		next.delivery.to = str_of(steps[i].to);
		next.replace = steps[i].how == 'r';
		next.allow_duplicate = steps[i].how == 'd';
		struct call *call = done(enqueue_draft(engine, next));
		if (call->enqueue.results[0].outcome != (enum enqueue_outcome)steps[i].outcome)
			fail_msg("step %zu: outcome %d", i, (int)call->enqueue.results[0].outcome);
		assert_str(call->enqueue.results[0].event.text, steps[i].text);
	}
}

static void
without_a_context_key_only_the_newest_event_is_compared(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_DUPLICATE },
		{ .text = "b", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .to = "1", .outcome = ENQUEUE_DUPLICATE },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .how = 'd', .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .context_key = "k", .outcome = ENQUEUE_QUEUED },
		{ .text = "a", .outcome = ENQUEUE_QUEUED },
	};
	run_steps(steps, COUNT(steps));
	assert_int_equal(stats().duplicates, 2);
}

static void
with_a_context_key_every_pending_event_is_compared(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .context_key = "k", .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "b", .outcome = ENQUEUE_QUEUED },
		{ .text = "c", .outcome = ENQUEUE_QUEUED },
		{ .context_key = " K ", .text = " a ", .how = 0, .outcome = ENQUEUE_DUPLICATE },
		{ .context_key = "l", .text = "a", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .how = 'd', .outcome = ENQUEUE_QUEUED },
	};
	run_steps(steps, 3);
	struct call *call = done(enqueue_keyed(engine, A, steps[3].context_key, steps[3].text));
	assert_int_equal(call->enqueue.results[0].outcome, ENQUEUE_DUPLICATE);
	assert_int_equal(call->enqueue.results[0].event.id, 1); /* the event already queued */
	run_steps(steps + 4, 3);
}

static void
a_drained_event_is_not_compared(void **state)
{
	(void)state;
	put_keyed(A, "k", "a");
	done(drain(engine, A, 0));
	assert_int_equal(done(enqueue_keyed(engine, A, "k", "a"))->enqueue.results[0].outcome,
			 ENQUEUE_QUEUED);
}

static void
a_duplicate_leaves_last_context_alone(void **state)
{
	(void)state;
	put_keyed(A, "k", "a"), put_keyed(A, "l", "b");
	size_t commits = store.commits;
	put_keyed(A, "k", "a");
	assert_int_equal(store.commits, commits); /* a duplicate is not stored */
	assert_str(session_of(A)->last_context_key, "l");
}

static void
a_rekeyed_event_can_be_a_duplicate(void **state)
{
	(void)state;
	put("agent:main:main", "a");
	assert_int_equal(done(enqueue(engine, "main", "a"))->enqueue.results[0].outcome,
			 ENQUEUE_DUPLICATE);
}

static void
replace_removes_every_event_with_its_context_key(void **state)
{
	(void)state;
	static const struct step steps[] = {
		{ .context_key = "k", .text = "a", .how = 'r', .outcome = ENQUEUE_QUEUED },
		{ .text = "x", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "a", .how = 'r', .outcome = ENQUEUE_DUPLICATE },
		{ .context_key = "k", .text = "b", .how = 'r', .outcome = ENQUEUE_REPLACED },
		{ .context_key = "k", .text = "c", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "y", .to = "1", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "l", .text = "z", .outcome = ENQUEUE_QUEUED },
		{ .context_key = "k", .text = "c", .how = 'r', .outcome = ENQUEUE_REPLACED },
		{ .context_key = "k", .text = "d", .outcome = ENQUEUE_QUEUED },
		/* its text is that of the first of the two pending events */
		{ .context_key = "k", .text = "c", .how = 'r', .outcome = ENQUEUE_REPLACED },
	};
	run_steps(steps, COUNT(steps));
	assert_queued(A, "x y z c");
	assert_str(session_of(A)->last_context_key, "k");
	assert_int_equal(stats().outcomes[OUTCOME_REPLACED], 5);
	assert_true(memory_store_settled(&store, 1, OUTCOME_REPLACED));
}

/* A duplicate with wake "now" makes the queued event one for now, unless its batch fails. */
static void
a_duplicate_for_now_counts_once_its_batch_is_committed(void **state)
{
	(void)state;
	put(A, "1");
	struct call *waiting = wait_for(engine, A);
	waiting->wait.wake_now = true;
	turn();
	struct draft drafts[] = { draft(A, "1"), draft(B, "2") };
	drafts[0].wake = WAKE_NOW;
	store.commit_fails = ERROR_STORAGE_FAILED;
	fails(enqueue_drafts(engine, drafts, 2), ERROR_STORAGE_FAILED);
	turn();
	assert_int_equal(waiting->answered, 0);
	store.commit_fails = ERROR_NONE;
	struct call *later = wait_for(engine, A);
	later->wait.wake_now = true;
	turn();
	assert_int_equal(later->answered, 0);
	done(enqueue_draft(engine, drafts[0]));
	turn();
	assert_int_equal(waiting->answered + later->answered, 2);
	assert_int_equal(waiting->wait.deliverable, 1);
}

static void
replace_needs_a_context_key(void **state)
{
	(void)state;
	struct draft blank = draft(A, "a");
	blank.replace = true;
	assert_string_equal(
	    fails(enqueue_draft(engine, blank), ERROR_INVALID_FIELD)->op.error.pointer, "/replace");
}

static void
replacing_works_in_a_full_session(void **state)
{
	(void)state;
	options.session_pending_max = options.pending_max = options.sessions_max = 1;
	reopen();
	put_keyed(A, "k", "a");
	struct draft next = draft(A, "b");
	next.context_key = STR("k");
	next.replace = true;
	assert_int_equal(done(enqueue_draft(engine, next))->enqueue.results[0].outcome,
			 ENQUEUE_REPLACED);
}

static void
the_last_context_is_that_of_the_newest_pending_event_with_a_key(void **state)
{
	(void)state;
	put_keyed(A, "k", "1"), put(A, "2"), put_keyed(A, "l", "3"), put(A, "4");
	assert_str(session_of(A)->last_context_key, "l");
	done(consume(engine, A, (int64_t[]){ 4 }, 1));
	assert_str(session_of(A)->last_context_key, "l");
	done(consume(engine, A, (int64_t[]){ 3 }, 1));
	assert_str(session_of(A)->last_context_key, "k");
	done(drain(engine, A, 1));
	assert_str(session_of(A)->last_context_key, NULL);
	done(drain(engine, A, 0));
	assert_null(session_of(A));
}

/* Each call that removes events asks for the last context, which is that of the oldest event. */
static void
the_last_context_is_found_in_few_steps(void **state)
{
	enum { PLAIN = 4096, CALLS = 100 };
	char text[16];

	(void)state;
	put_keyed(A, "k", "0");
	for (int i = 0; i < PLAIN; i++) {
		snprintf(text, sizeof(text), "%d", i);
		put(A, text);
	}
	done(take_lease(engine, A, 1, 3600000));
	uint64_t walked = stats().walked;
	for (int64_t i = 0; i < CALLS; i++) {
		done(consume(engine, A, (int64_t[]){ PLAIN - 2 * i }, 1));
		done(drain(engine, A, 1));
	}
	assert_in_range(stats().walked - walked, 0, 10 * CALLS);
	assert_str(session_of(A)->last_context_key, "k");
}

static const struct CMUnitTest tests[] = {
	TEST(without_a_context_key_only_the_newest_event_is_compared),
	TEST(with_a_context_key_every_pending_event_is_compared),
	TEST(a_drained_event_is_not_compared),
	TEST(a_duplicate_leaves_last_context_alone),
	TEST(a_rekeyed_event_can_be_a_duplicate),
	TEST(replace_removes_every_event_with_its_context_key),
	TEST(a_duplicate_for_now_counts_once_its_batch_is_committed),
	TEST(replace_needs_a_context_key),
	TEST(replacing_works_in_a_full_session),
	TEST(the_last_context_is_found_in_few_steps),
	TEST(the_last_context_is_that_of_the_newest_pending_event_with_a_key),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
