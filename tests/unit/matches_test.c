/*
 * matches_test.c - an enqueue looks at a few of the queued events, however many there are and
 * whatever they have in common. Events are counted, not time.
 */
#include "queue/catalog/matches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

#define QUEUED 2048
#define DRAFTS CALL_DRAFTS_MAX
#define DELAY_MS 3600000

/* What all queued events, or all drafts, have in common. */
struct alike {
	bool keys, texts, leased, delayed;
};

static struct draft
nth_draft(struct alike alike, size_t n)
{
	static char keys[QUEUED][16], texts[QUEUED][16];
	struct draft next;

	snprintf(keys[n], sizeof(keys[n]), "key %zu", alike.keys ? 0 : n);
	snprintf(texts[n], sizeof(texts[n]), "text %zu", alike.texts ? 0 : n);
	next = draft(A, texts[n]);
	next.context_key = str_of(keys[n]);
	return next;
}

static void
fill(struct alike alike)
{
	struct draft drafts[DRAFTS];

	for (size_t n = 0; n < QUEUED; n += DRAFTS) {
		for (size_t i = 0; i < DRAFTS; i++) {
			drafts[i] = nth_draft(alike, n + i);
			drafts[i].allow_duplicate = true;
			drafts[i].delay_ms = alike.delayed ? DELAY_MS : 0;
		}
		done(enqueue_drafts(engine, drafts, DRAFTS));
	}
	if (alike.leased)
		done(take_lease(engine, A, QUEUED, DELAY_MS));
}

/*
 * Enqueues as many drafts as a call may have. Each is available sooner than the one before, and all
 * of them sooner than what is delayed: no delayed event serves as well as any of them.
 */
static void
enqueue_counted(struct alike alike, bool replace, const char *what)
{
	struct draft drafts[DRAFTS];
	uint64_t walked = stats().walked, replaced = stats().outcomes[OUTCOME_REPLACED];

	for (size_t i = 0; i < DRAFTS; i++) {
		drafts[i] = nth_draft(alike, QUEUED - 1 - i);
		drafts[i].replace = replace;
		drafts[i].delay_ms = (int64_t)(DRAFTS - i);
	}
	done(enqueue_drafts(engine, drafts, DRAFTS));
	walked = stats().walked - walked;
	replaced = stats().outcomes[OUTCOME_REPLACED] - replaced;
	/* what is replaced is counted first */
	if (walked > DRAFTS * MATCHES_TWINS_MAX + 2 * replaced)
		fail_msg("%s: %zu events were looked at", what, (size_t)walked);
}

static void
an_enqueue_looks_at_few_events(void **state)
{
	char what[64];

	for (int form = 0; form < 1 << 5; form++) {
		struct alike alike = { form & 1, form & 2, form & 4, form & 8 };

		if (alike.leased && alike.delayed)
			continue;
		snprintf(what, sizeof(what), "one key %d, one text %d, leased %d, delayed %d",
			 alike.keys, alike.texts, alike.leased, alike.delayed);
		fill(alike);
		if ((form & 16) != 0)
			reopen();
		enqueue_counted(alike, false, what);
		enqueue_counted(alike, true, what);
		fixture_end(state), fixture_begin(state);
	}
}

/* A queue leaves the index when it is short, and is found in it when it is long again. */
static void
a_queue_that_shrinks_and_grows_compares_the_same(void **state)
{
	struct alike apart = { 0 };

	(void)state;
	for (int round = 0; round < 3; round++) {
		fill(apart);
		for (size_t n = 0; n < QUEUED; n += QUEUED / 8)
			assert_int_equal(done(enqueue_draft(engine, nth_draft(apart, n)))
					     ->enqueue.results[0]
					     .outcome,
					 ENQUEUE_DUPLICATE);
		done(drain(engine, A, QUEUED - 4));
		assert_int_equal(done(enqueue_draft(engine, nth_draft(apart, QUEUED - 1)))
				     ->enqueue.results[0]
				     .outcome,
				 ENQUEUE_DUPLICATE);
		while (stats().pending > 0)
			done(drain(engine, A, 0));
	}
}

static void
assert_all_are_duplicates(void)
{
	struct draft drafts[DRAFTS];

	for (size_t n = 0; n < QUEUED; n += DRAFTS) {
		for (size_t i = 0; i < DRAFTS; i++)
			drafts[i] = nth_draft((struct alike){ 0 }, n + i);
		struct call *call = done(enqueue_drafts(engine, drafts, DRAFTS));
		for (size_t i = 0; i < DRAFTS; i++) {
			assert_int_equal(call->enqueue.results[i].outcome, ENQUEUE_DUPLICATE);
			assert_int_equal(call->enqueue.results[i].id, n + i + 1);
		}
	}
}

static struct call *
submit_nth(int n, int64_t lease)
{
	struct draft replacing = nth_draft((struct alike){ .texts = true }, 400);

	replacing.replace = true;
	switch (n) {
	case 0:
		return take_lease(engine, A, 50, DELAY_MS);
	case 1:
		return nack(engine, lease, (int64_t[]){ 10, 20 }, 2);
	case 2:
		return ack(engine, lease, NULL, 0);
	case 3:
		return consume(engine, A, (int64_t[]){ 200, 300 }, 2);
	case 4:
		return enqueue_draft(engine, replacing);
	default:
		return drain(engine, A, 0);
	}
}

/* Whatever a batch does to the events, its rollback leaves them to be found as before. */
static void
a_failed_batch_changes_nothing(void **state)
{
	(void)state;
	fill((struct alike){ 0 });
	for (int n = 0; n < 6; n++) {
		int64_t lease = done(take_lease(engine, A, 100, DELAY_MS))->lease_take.lease_id;

		store.commit_fails = ERROR_STORAGE_FAILED;
		fails(submit_nth(n, lease), ERROR_STORAGE_FAILED);
		store.commit_fails = ERROR_NONE;
		done(nack(engine, lease, NULL, 0));
		assert_all_are_duplicates();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_enqueue_looks_at_few_events),
		TEST(a_failed_batch_changes_nothing),
		TEST(a_queue_that_shrinks_and_grows_compares_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
