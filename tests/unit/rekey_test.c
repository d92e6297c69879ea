/* rekey_test.c - events of stranded queues go to where their keys lead, and keep what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/strand.h"
#include "tests/unit/fixture.h"

#define MAIN "agent:main:main"
#define DIRECT "agent:main:telegram:default:direct:123"
#define OTHER "agent:main:signal:default:direct:123"

static const char to_main[] =
    "{ channels: { telegram: { allowFrom: [123] }, signal: { allowFrom: [123] } } }";
static const char apart[] =
    "{ channels: { telegram: { allowFrom: [123, 4] }, signal: { allowFrom: [123, 4] } } }";

static void
judge(void)
{
	while (stats().unjudged > 0) {
		engine_chores(engine);
		memory_store_release(&store);
	}
}

static void
adopt(const char *policy)
{
	engine_set_policy(engine, parse_policy(policy));
	judge();
}

static const struct rekey_op *
move(struct rekey_op input)
{
	return &done(rekey(engine, input))->rekey;
}

static const struct rekey_op *
move_all(void)
{
	return move((struct rekey_op){ .dry_run = false });
}

/* The texts of the queue of exactly this key. */
static void
assert_held(const char *key, const char *texts)
{
	struct call *call = peek(engine, key);

	call->peek.address = (struct address){ .queue_key = str_of(key) };
	assert_texts(&done(call)->peek.found, texts);
}

/* Closes and opens the engine under this policy. */
static void
restart(const char *policy)
{
	reopen();
	adopt(policy);
}

static void
stranded_events_are_moved_in_order(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1"), put(MAIN, "2"), put(DIRECT, "3"), put(OTHER, "4"), put(MAIN, "5");
	adopt(to_main);
	assert_held(DIRECT, "1 3");
	const struct rekey_op *told = move_all();
	assert_int_equal(told->moved, 3);
	assert_int_equal(told->count, 2);
	assert_false(told->more);
	assert_str(told->queues[0].from, OTHER);
	assert_str(told->queues[0].to, MAIN);
	assert_int_equal(told->queues[0].rule, RULE_DIRECT_MAIN);
	assert_int_equal(told->queues[0].moved, 1);
	assert_str(told->queues[1].from, DIRECT);
	assert_int_equal(told->queues[1].moved, 2);
	assert_queued(MAIN, "1 2 3 4 5");
	assert_held(DIRECT, ""), assert_held(OTHER, "");
	assert_int_equal(stats().stranded_sessions, 0);
	assert_int_equal(stats().stranded_events, 0);
	assert_int_equal(stats().sessions, 1);
	assert_int_equal(stats().outcomes[OUTCOME_MOVED], 3);
	restart(to_main);
	assert_queued(MAIN, "1 2 3 4 5");
	assert_held(DIRECT, "");
	assert_texts(&done(drain(engine, DIRECT, 0))->drain.taken, "1 2 3 4 5");
}

static void
a_dry_run_moves_nothing(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1"), put(DIRECT, "2");
	adopt(to_main);
	const struct rekey_op *told = move((struct rekey_op){ .dry_run = true });
	assert_int_equal(told->moved, 2);
	assert_int_equal(told->queues[0].moved, 2);
	assert_held(DIRECT, "1 2");
	assert_int_equal(store.commits, 2);
}

static void
only_the_named_queue_is_moved(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1"), put(OTHER, "2"), put(MAIN, "3");
	adopt(to_main);
	assert_int_equal(move((struct rekey_op){ .queue_key = STR(MAIN) })->count, 0);
	assert_int_equal(move((struct rekey_op){ .queue_key = STR("agent:main:x") })->count, 0);
	assert_int_equal(move((struct rekey_op){ .queue_key = STR(OTHER) })->moved, 1);
	assert_held(DIRECT, "1"), assert_held(MAIN, "2 3");
}

static void
a_larger_queue_is_moved_in_parts_the_oldest_first(void **state)
{
	(void)state;
	adopt(apart);
	put(OTHER, "1"), put(DIRECT, "2"), put(DIRECT, "3"), put(DIRECT, "4");
	adopt(to_main);
	const struct rekey_op *told = move((struct rekey_op){ .limit = 3 });
	assert_int_equal(told->moved, 3);
	assert_true(told->more);
	assert_held(MAIN, "1 2 3"), assert_held(DIRECT, "4");
	told = move((struct rekey_op){ .limit = 1 });
	assert_int_equal(told->moved, 1);
	assert_false(told->more);
	assert_held(MAIN, "1 2 3 4");
	told = move_all();
	assert_int_equal(told->moved, 0);
	assert_int_equal(told->count, 0);
}

static void
events_keep_what_they_are(void **state)
{
	(void)state;
	struct draft later = draft(DIRECT, "later"), once = draft(DIRECT, "once");

	adopt(apart);
	later.delay_ms = 5000, later.ttl_ms = 60000, later.context_key = STR("k");
	once.source = STR("cron");
	int64_t a = done(enqueue_draft(engine, later))->enqueue.results[0].id,
		b = done(enqueue_draft(engine, once))->enqueue.results[0].id;
	done(nack(engine, lease_events(DIRECT, 1, 1000), ALL));
	adopt(to_main);
	struct system_event before[] = { *look_at(a), *look_at(b) };
	move_all();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++) {
			const struct system_event *now_it = look_at(before[i].id);

			assert_str(now_it->session_key, MAIN);
			assert_str(now_it->original_session_key, DIRECT);
			assert_int_equal(now_it->ts_ms, before[i].ts_ms);
			assert_int_equal(now_it->rule, before[i].rule);
			assert_int_equal(now_it->attempts, before[i].attempts);
			assert_int_equal(now_it->state, before[i].state);
			assert_int_equal(now_it->available_at_ms, before[i].available_at_ms);
			assert_int_equal(now_it->expires_at_ms, before[i].expires_at_ms);
		}
		assert_int_equal(before[1].attempts, 1);
		assert_str(session_of(MAIN)->rekeyed_from[0].key, DIRECT);
		assert_int_equal(session_of(MAIN)->rekeyed_from[0].count, 2);
		assert_int_equal(session_of(MAIN)->delayed, 1);
		restart(to_main);
	}
	assert_deliverable(MAIN, "once");
	pass(5000), turn();
	assert_deliverable(MAIN, "later once");
	pass(55000), turn();
	assert_queued(MAIN, "once");
}

static void
leased_events_stay_with_their_holder(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1"), put(DIRECT, "2"), put(DIRECT, "3"), put(DIRECT, "4");
	int64_t first = lease_events(DIRECT, 1, 1000), second = lease_events(DIRECT, 1, 1000);
	adopt(to_main);
	const struct rekey_op *told = move_all();
	assert_int_equal(told->moved, 2);
	assert_int_equal(told->leased, 2);
	assert_false(told->more);
	assert_queued(MAIN, "3 4");
	assert_int_equal(stats().stranded_events, 2);
	told = move_all();
	assert_int_equal(told->moved, 0);
	assert_int_equal(told->leased, 2);
	restart(to_main);
	done(ack(engine, first, ALL));
	assert_held(DIRECT, "2");
	done(nack(engine, second, ALL));
	assert_held(DIRECT, "2");
	assert_int_equal(stats().stranded_events, 1);
	move_all();
	assert_queued(MAIN, "2 3 4");
	assert_int_equal(done(peek(engine, MAIN))->peek.found.events[0].attempts, 1);
	restart(to_main);
	assert_queued(MAIN, "2 3 4");
	assert_int_equal(done(peek(engine, MAIN))->peek.found.events[0].attempts, 1);
}

static void
a_lapsed_lease_leaves_its_events_stranded(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1");
	lease_events(DIRECT, 1, 1000);
	adopt(to_main);
	move_all();
	pass(1000), turn();
	assert_held(DIRECT, "1");
	assert_int_equal(move_all()->moved, 1);
	int64_t again = lease_events(MAIN, 1, 1000);
	restart(to_main);
	done(ack(engine, again, ALL));
	assert_queued(MAIN, "");
}

/* The main key of the second policy is a direct key, which the first one leads to the main key. */
static void
events_come_back_to_their_first_queue(void **state)
{
	static const char direct_is_main[] =
	    "{ session: { mainKey: 'telegram:default:direct:123' } }";

	(void)state;
	adopt(to_main);
	int64_t id = put(MAIN, "1");
	put_keyed(MAIN, "k", "2"), put(MAIN, "3");
	int64_t lease = lease_events(MAIN, 1, 60000);
	for (int i = 0; i < 3; i++) {
		adopt(direct_is_main);
		assert_int_equal(move_all()->moved, 2 + (i > 0));
		assert_held(DIRECT, i > 0 ? "1 2 3" : "2 3");
		assert_held(MAIN, i > 0 ? "" : "1");
		assert_str(session_of(DIRECT)->last_context_key, "k");
		assert_int_equal(session_of(DIRECT)->rekeyed_from_count, 1);
		if (i == 1)
			restart(direct_is_main);
		adopt(to_main);
		assert_int_equal(move_all()->moved, 2 + (i > 0));
		assert_held(MAIN, "1 2 3");
		assert_int_equal(session_of(MAIN)->rekeyed_from_count, 0);
		if (i == 0)
			done(nack(engine, lease, ALL));
		else
			restart(to_main);
	}
	assert_str(look_at(id)->session_key, MAIN);
	assert_int_equal(done(find_event(engine, id))->find.timeline_count, 2 + 4);
	assert_texts(&done(drain(engine, MAIN, 0))->drain.taken, "1 2 3");
}

static void
the_timeline_tells_of_the_move(void **state)
{
	(void)state;
	adopt(apart);
	int64_t id = put(DIRECT, "1");
	adopt(to_main);
	pass(7);
	move_all();
	done(drain(engine, MAIN, 0));
	struct call *call = done(find_event(engine, id));
	assert_int_equal(call->find.timeline_count, 2);
	assert_int_equal(call->find.timeline[0].kind, OUTCOME_MOVED);
	assert_int_equal(call->find.timeline[0].ts_ms, now.wall_ms);
	assert_str(call->find.timeline[0].from, DIRECT);
	assert_str(call->find.timeline[0].to, MAIN);
	assert_str(call->find.timeline[0].detail, "direct-main");
	assert_int_equal(call->find.timeline[1].kind, OUTCOME_DRAINED);
	assert_str(call->find.event.session_key, MAIN);
	assert_int_equal(call->find.event.outcome, OUTCOME_DRAINED);
}

static void
the_target_wakes(void **state)
{
	(void)state;
	adopt(apart);
	put(DIRECT, "1");
	struct call *waiter = wait_for(engine, MAIN);
	turn();
	assert_int_equal(waiter->answered, 0);
	adopt(to_main);
	turn();
	move_all();
	assert_int_equal(waiter->answered, 1);
	assert_int_equal(waiter->wait.deliverable, 1);
}

static void
the_last_context_is_that_of_the_newest_event(void **state)
{
	(void)state;
	adopt(apart);
	put_keyed(DIRECT, "old", "1"), put_keyed(MAIN, "newer", "2"), put_keyed(DIRECT, "new", "3");
	int64_t lease = lease_events(DIRECT, 1, 1000);
	adopt(to_main);
	assert_int_equal(move_all()->moved, 1);
	for (int round = 0; round < 2; round++) {
		assert_str(session_of(MAIN)->last_context_key, "new");
		struct call *list = done(list_sessions(
		    engine, (struct sessions_op){ .address.queue_key = STR(DIRECT) }));
		assert_str(list->sessions.sessions[0].last_context_key, "old");
		restart(to_main);
	}
	done(nack(engine, lease, ALL));
	move_all();
	assert_str(session_of(MAIN)->last_context_key, "new");
}

static void
limits_of_sessions_do_not_apply(void **state)
{
	(void)state;
	options.session_pending_max = 2;
	reopen();
	adopt(apart);
	put(DIRECT, "1"), put(DIRECT, "2"), put(MAIN, "3"), put(MAIN, "4");
	adopt(to_main);
	assert_int_equal(move_all()->moved, 2);
	assert_queued(MAIN, "1 2 3 4");
	fails(enqueue(engine, MAIN, "5"), ERROR_QUEUE_FULL);
}

#define BATCH CALL_DRAFTS_MAX

/* Each is looked at once, wherever it comes to stand; so are the others of the queue. */
static void
the_work_of_a_move_is_bounded_by_its_events(void **state)
{
	struct draft drafts[BATCH];
	size_t put_events = 0;

	(void)state;
	call_back_at_once();
	options.session_pending_max = 2 * REKEY_EVENTS_MAX;
	reopen();
	adopt(apart);
	while (put_events < REKEY_EVENTS_MAX + BATCH) {
		for (size_t i = 0; i < BATCH; i++) {
			drafts[i] = draft(DIRECT, "x");
			drafts[i].allow_duplicate = true;
		}
		done(enqueue_drafts(engine, drafts, BATCH));
		put(MAIN, "between");
		done(drain(engine, MAIN, 0));
		put_events += BATCH;
	}
	adopt(to_main);
	uint64_t before = stats().walked;
	const struct rekey_op *told = move_all();
	assert_int_equal(told->moved, REKEY_EVENTS_MAX);
	assert_true(told->more);
	assert_in_range(stats().walked - before, REKEY_EVENTS_MAX, REKEY_EVENTS_MAX + 10);
	assert_int_equal(stats().stranded_events, put_events - REKEY_EVENTS_MAX);
	assert_int_equal(move_all()->moved, put_events - REKEY_EVENTS_MAX);
}

enum { LONG = 1100 * BATCH, SHIFTS_A_TURN = 65536, PARTS = 16 };

/* Puts so many events into the queue, which may be alike. */
static void
put_many(const char *key, size_t count)
{
	struct draft drafts[BATCH];

	for (size_t i = 0; i < BATCH; i++) {
		drafts[i] = draft(key, "x");
		drafts[i].allow_duplicate = true;
	}
	for (size_t n = 0; n < count; n += BATCH)
		done(enqueue_drafts(engine, drafts, BATCH));
}

/* Events from before those of a long queue: what is in the way is moved aside once, over turns. */
static void
a_move_into_a_long_queue_takes_turns_that_are_bounded(void **state)
{
	uint64_t all, before;

	(void)state;
	options.session_pending_max = options.pending_max = 2 * LONG;
	reopen();
	adopt(apart);
	put(MAIN, "first"), put_many(DIRECT, BATCH), put_many(MAIN, LONG);
	adopt(to_main);
	all = stats().walked;
	for (int i = 0; i < PARTS; i++) {
		struct call *call = rekey(engine, (struct rekey_op){ .limit = BATCH / PARTS });

		while (call->answered == 0) {
			before = stats().walked;
			turn();
			if (!store.defer) /* else these are several turns */
				assert_in_range(stats().walked - before, 0,
						SHIFTS_A_TURN + SHIFTS_A_TURN / 2);
		}
		assert_int_equal(call->rekey.moved, BATCH / PARTS);
	}
	assert_in_range(stats().walked - all, LONG, 2 * LONG);
	assert_held(DIRECT, "");
	assert_int_equal(session_of(MAIN)->depth, LONG + BATCH + 1);
	const struct peek_op *held = &done(peek(engine, MAIN))->peek;
	for (size_t i = 0; i < held->found.count; i++)
		assert_int_equal(held->found.events[i].id, i + 1);
}

/* More queues than one call looks at, of which nothing can be moved, hide no other. */
static void
queues_of_leased_events_hide_no_other(void **state)
{
	char key[80];

	(void)state;
	call_back_at_once();
	adopt("{ channels: { telegram: { allowFrom: [1, 2] } } }");
	for (int i = 0; i < 1100; i++) {
		snprintf(key, sizeof(key), "agent:main:telegram:a%04d:direct:1", i);
		put(key, "x");
		if (i < 1099)
			lease_events(key, 1, 1000);
	}
	adopt("{ channels: { telegram: { allowFrom: [1] } } }");
	const struct rekey_op *told = move_all();
	assert_int_equal(told->moved, 1);
	assert_str(told->queues[told->count - 1].from, key);
	assert_false(told->more);
	told = move_all();
	assert_int_equal(told->moved, 0);
	assert_false(told->more);
}

static void
a_move_that_is_not_stored_leaves_no_trace(void **state)
{
	(void)state;
	struct draft later = draft(DIRECT, "4");

	later.delay_ms = 5000;
	adopt(apart);
	put(DIRECT, "1"), put_keyed(DIRECT, "k", "2"), put_keyed(OTHER, "l", "3");
	done(enqueue_draft(engine, later));
	adopt(to_main);
	for (int i = 0; i < 2; i++) {
		size_t bytes = stats().catalog_bytes;

		store.commit_fails = i == 0 ? ERROR_STORAGE_FULL : ERROR_STORAGE_FAILED;
		fails(rekey(engine, (struct rekey_op){ .dry_run = false }), store.commit_fails);
		store.commit_fails = ERROR_NONE;
		assert_held(DIRECT, "1 2 4"), assert_held(OTHER, "3"), assert_held(MAIN, "");
		assert_int_equal(stats().stranded_events, 4);
		assert_int_equal(stats().stranded_sessions, 2);
		assert_int_equal(stats().sessions, 2);
		if (i > 0) /* at first tables grow */
			assert_int_equal(stats().catalog_bytes, bytes);
	}
	store.not_ready = ERROR_STORAGE_FULL;
	fails(rekey(engine, (struct rekey_op){ .dry_run = false }), ERROR_STORAGE_FULL);
	store.not_ready = ERROR_NONE;
	assert_int_equal(move_all()->moved, 4);
	assert_queued(MAIN, "1 2 3 4");
	assert_str(session_of(MAIN)->last_context_key, "l");
	pass(5000), turn();
	assert_deliverable(MAIN, "1 2 3 4");
}

/* Calls that know the event by its id alone, in the batch of the move and after it. */
static void
calls_by_id_find_the_moved_event(void **state)
{
	(void)state;
	adopt(apart);
	int64_t a = put(DIRECT, "1"), b = put(DIRECT, "2"), c = put(DIRECT, "3");
	adopt(to_main);
	struct call *moved = rekey(engine, (struct rekey_op){ .dry_run = false }),
		    *gone = withdraw(engine, a), *found = find_event(engine, b);
	turn();
	assert_int_equal(moved->rekey.moved, 3);
	assert_str(done(gone)->withdraw.event.session_key, MAIN);
	assert_str(done(found)->find.event.session_key, MAIN);
	assert_int_equal(found->find.timeline_count, 1);
	restart(to_main);
	assert_str(done(withdraw(engine, b))->withdraw.event.session_key, MAIN);
	assert_str(done(consume(engine, DIRECT, IDS(c)))->consume.taken.events[0].session_key,
		   MAIN);
	assert_queued(MAIN, "");
}

/* Where a pending event is the catalog knows, so nothing that the store holds of moves is read. */
static void
pending_events_are_not_followed_in_the_store(void **state)
{
	(void)state;
	adopt(apart);
	int64_t first = put(DIRECT, "1");
	put(DIRECT, "2"), put(DIRECT, "3");
	adopt(to_main);
	move_all();
	restart(to_main);
	size_t reads = store.reads;
	assert_str(done(peek(engine, MAIN))->peek.found.events[2].session_key, MAIN);
	assert_str(done(withdraw(engine, first))->withdraw.event.session_key, MAIN);
	assert_str(done(drain(engine, MAIN, 0))->drain.taken.events[1].session_key, MAIN);
	assert_true(store.reads >= reads + 3);
	assert_int_equal(store.followed, 0);
}

static void
a_repeated_answer_shows_the_present_session(void **state)
{
	(void)state;
	struct draft one = draft(DIRECT, "1");

	adopt(apart);
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
	assert_str(done(enqueue_draft(engine, one))->enqueue.results[0].event.session_key, DIRECT);
	adopt(to_main);
	move_all();
	for (int i = 0; i < 3; i++) {
		struct call *again = done(enqueue_draft(engine, one));

		assert_int_equal(again->enqueue.results[0].outcome, ENQUEUE_QUEUED);
		assert_str(again->enqueue.results[0].event.session_key, MAIN);
		if (i == 0)
			restart(to_main);
		if (i == 1)
			done(drain(engine, MAIN, 0));
	}
	assert_queued(MAIN, "");
}

/* The batch has moved the event, and its store does not know that yet. */
static void
a_repeated_answer_shows_what_its_batch_has_moved(void **state)
{
	(void)state;
	struct draft one = draft(DIRECT, "1");

	adopt(apart);
	one.idempotency = (struct idempotency){ .key = STR("k"), .request = 1 };
	done(enqueue_draft(engine, one));
	adopt(to_main);
	rekey(engine, (struct rekey_op){ .dry_run = false });
	drain(engine, MAIN, 0);
	struct call *again = enqueue_draft(engine, one);
	turn();
	assert_str(done(again)->enqueue.results[0].event.session_key, MAIN);
}

/* Turns and chores, as many as a small move needs. */
static void
run_chores(void)
{
	for (int i = 0; i < 20; i++) {
		engine_chores(engine);
		turn();
	}
}

/* A full disk stops no move for good, and the engine does not try all the time. */
static void
a_move_by_itself_waits_for_room(void **state)
{
	(void)state;
	options.rekey_on_reload = true;
	reopen();
	adopt(apart);
	put(DIRECT, "1"), put(MAIN, "2");
	store.commit_fails = ERROR_STORAGE_FULL;
	engine_set_policy(engine, parse_policy(to_main));
	run_chores();
	assert_held(DIRECT, "1");
	uint64_t failures = stats().commit_failures;
	assert_int_equal(failures, 1);
	run_chores();
	assert_int_equal(stats().commit_failures, failures);
	pass(1000);
	run_chores();
	assert_true(stats().commit_failures > failures);
	store.commit_fails = ERROR_NONE;
	run_chores();
	assert_held(DIRECT, "1");
	pass(1000);
	run_chores();
	assert_held(DIRECT, "");
	assert_held(MAIN, "1 2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stranded_events_are_moved_in_order),
		TEST(a_move_by_itself_waits_for_room),
		TEST(a_dry_run_moves_nothing),
		TEST(only_the_named_queue_is_moved),
		TEST(a_larger_queue_is_moved_in_parts_the_oldest_first),
		TEST(events_keep_what_they_are),
		TEST(leased_events_stay_with_their_holder),
		TEST(a_lapsed_lease_leaves_its_events_stranded),
		TEST(events_come_back_to_their_first_queue),
		TEST(the_timeline_tells_of_the_move),
		TEST(the_target_wakes),
		TEST(the_last_context_is_that_of_the_newest_event),
		TEST(limits_of_sessions_do_not_apply),
		TEST(the_work_of_a_move_is_bounded_by_its_events),
		TEST(a_move_into_a_long_queue_takes_turns_that_are_bounded),
		TEST(queues_of_leased_events_hide_no_other),
		TEST(a_move_that_is_not_stored_leaves_no_trace),
		TEST(calls_by_id_find_the_moved_event),
		TEST(a_repeated_answer_shows_the_present_session),
		TEST(pending_events_are_not_followed_in_the_store),
		TEST(a_repeated_answer_shows_what_its_batch_has_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
