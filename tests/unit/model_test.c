/*
 * model_test.c - random calls in random turns, checked against a model that applies them to one
 * array.
 *
 * Each step submits a few calls, lets time pass or makes clocks jump, makes the store slow, full or
 * failing, adopts another policy, or restarts the engine. The model predicts every answer and the
 * pending events. All it knows of batches is that a failed one leaves no trace. It checks promises
 * C2 to C6 and C10, and that no waiter stays parked where an event is deliverable.
 *
 * With a number as its argument the program runs that seed alone and prints each step.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/catalog/matches.h"
#include "tests/unit/fixture.h"

#define SEEDS 150
#define STEPS 100
#define EVENTS 1500
#define LEASES 600
#define OPS 5
#define WAITERS 8
#define IDS_MAX 16
#define KEYS 3
#define RESULT 3 /* outcome, id, and what settled it within its batch */
#define QUEUES 3
#define DIRECT "agent:main:telegram:default:direct:123"

/* The last key leads to the first queue while the policy has one owner. */
static const char *const queue_keys[QUEUES] = { A, B, DIRECT };
static const char *const policies[] = {
	"{ session: { mainKey: 'a' }, channels: { telegram: { allowFrom: [123, 456] } } }",
	"{ session: { mainKey: 'a' }, channels: { telegram: { allowFrom: [123] } } }",
};
static const char *const contexts[] = { NULL, "k:1", "k:2", "l" };
static const char *const texts[] = { "a", "b", "c", "Exec completed (build, code 0)" };
#define EXEC 3

struct ids {
	int64_t id[IDS_MAX];
	size_t count;
};

struct model_event {
	int queue, context, text, attempts;
	enum outcome_kind settled; /* 0: pending */
	bool never;                /* its batch failed, so the event was never stored */
	bool requeued;
	/*
	 * lease 0: not leased; lease_end on the boot clock, lease_until on the wall clock, which
	 * was so far ahead of the queue's clock then
	 */
	int64_t lease, lease_end, lease_until, lease_ahead;
	int64_t delay_end, available_at, delay_ahead; /* delay_end 0: not delayed */
	int64_t life_end, expires_at, life_ahead;
	bool sent_now, now; /* now: it was, or since the last start a duplicate of it was */
};

struct model_lease {
	int64_t id;
	int queue;
	bool exclusive, ended_by_ack;
	struct ids ids;
	enum outcome_kind left_by[IDS_MAX]; /* what took each out of the lease; 0: nothing yet */
};

struct model_key {
	bool there;
	uint64_t request;
	int queue; /* of the request, which leads to another one when it is repeated */
	/* enqueue: RESULT numbers for each event; drain: ids; lease: id, until, then ids */
	struct ids answer;
};

/* The queue's clock, and how the wall clock and the boot clock stand to it. */
struct model_clock {
	int64_t steady, ahead, boot_ahead;
};

/* The newest row of a log. */
struct model_row {
	int64_t stamp, steady;
};

struct model {
	int64_t now_ms, opened;
	struct model_clock clock, stored; /* stored: as a start finds it; its steady 0: never */
	struct model_row event, outcome;
	int64_t next_event, next_outcome, written_outcome;
	/* counters; of the batch under way: records (events and outcomes) and kept (keys) */
	size_t lease_count, records, outcomes, appended, kept;
	int last[QUEUES];
	struct model_key keys[3][KEYS]; /* by kind of call: enqueues, drains, leases */
	struct model_event events[EVENTS];
	struct model_lease leases[LEASES];
};

enum what {
	ENQUEUE,
	DRAIN,
	CONSUME,
	WITHDRAW,
	PURGE,
	PEEK,
	FIND,
	LEASE,
	ACK,
	NACK,
	EXTEND,
	REQUEUE,
	REKEY,
	WAIT,
	WHATS
};
static const char *const names[WHATS] = { "enqueue", "drain",   "consume", "withdraw", "purge",
					  "peek",    "find",    "lease",   "ack",      "nack",
					  "extend",  "requeue", "rekey",   "wait" };

struct model_op {
	enum what what;
	int asked;               /* the queue whose key is asked for; queue: where it leads */
	int queue, context, key; /* context: a prefix or filter, 0 for all; key -1: none */
	uint64_t request;
	size_t limit, drafts;
	bool exclusive, prompt, all, counts, dry_run, wake_now;
	int64_t lease, lease_ms, delay_ms;
	struct ids ids;
	struct {
		int queue, context, text, key; /* text -1: blank */
		uint64_t request;
		bool replace, allow_duplicate, now, fresh;
		int into; /* fresh: the queue of its event in the answer */
		int64_t delay_ms, ttl_ms;
	} draft[3];
	struct call *call;
	/* What the model expects of the answer. */
	enum error_code code;
	bool again, replayed;
	int want_queue;  /* of a drain, lease or peek */
	struct ids want; /* ids of events; for an enqueue RESULT numbers each */
	size_t remaining, changed, dead;
	int64_t want_lease, want_until;
	enum outcome_kind settled;
	int attempts;
};

static struct model m, at_start;
static struct model_op ops[OPS];
static size_t op_count;
static struct call *waiters[WAITERS];
static bool cancelled[WAITERS];
static int64_t failed_boot_ms;
static unsigned only_seed, seed;
static bool talk, one_owner; /* one_owner: the policy in force */

static size_t
below(size_t n)
{
	return (size_t)random() % n;
}

static bool
one_in(size_t n)
{
	return below(n) == 0;
}

/* --- the model --- */

/* The queue that this one's key leads to. */
static int
routed(int queue)
{
	return one_owner && queue == 2 ? 0 : queue;
}

static struct model_event *
event(int64_t id)
{
	return id > 0 && id < m.next_event ? &m.events[id] : NULL;
}

static bool
pending(int64_t id)
{
	return event(id) != NULL && event(id)->settled == 0 && !event(id)->never;
}

static struct model_lease *
lease_of(int64_t id)
{
	for (size_t i = 0; i < m.lease_count; i++)
		if (m.leases[i].id == id)
			return &m.leases[i];
	return NULL;
}

/* Counts the events of a queue (-1: all), or of a lease if one is given. */
static size_t
count_events(int queue, int64_t lease, bool leased_only)
{
	size_t count = 0;

	for (int64_t id = 1; id < m.next_event; id++)
		count += pending(id) && (queue < 0 || m.events[id].queue == queue) &&
			 (lease == 0 || m.events[id].lease == lease) &&
			 (!leased_only || m.events[id].lease != 0);
	return count;
}

static size_t
depth(int queue)
{
	return count_events(queue, 0, false);
}

static size_t
live(int64_t lease)
{
	return lease != 0 ? count_events(-1, lease, false) : 0;
}

static bool
deliverable(int64_t id, int queue)
{
	return pending(id) && m.events[id].queue == queue && m.events[id].lease == 0 &&
	       m.events[id].delay_end == 0;
}

static bool
held_exclusively(int queue)
{
	for (size_t i = 0; i < m.lease_count; i++)
		if (m.leases[i].queue == queue && m.leases[i].exclusive && live(m.leases[i].id) > 0)
			return true;
	return false;
}

static size_t
count_deliverable(int queue)
{
	size_t count = 0;

	for (int64_t id = 1; id < m.next_event; id++)
		count += deliverable(id, queue);
	return held_exclusively(queue) ? 0 : count;
}

static void
add_id(struct ids *ids, int64_t id)
{
	assert_true(ids->count < IDS_MAX);
	ids->id[ids->count++] = id;
}

static bool
is_in(const struct ids *ids, int64_t id, size_t *at)
{
	for (size_t i = 0; i < ids->count; i++) {
		if (ids->id[i] == id) {
			*at = i;
			return true;
		}
	}
	return false;
}

static struct ids
choose(const struct model_op *op)
{
	struct ids chosen = { .count = 0 };
	const char *prefix = op->context == 0   ? ""
			     : op->context == 1 ? "k:"
						: contexts[op->context];

	for (int64_t id = 1; id < m.next_event && !held_exclusively(op->queue); id++) {
		const struct model_event *e = &m.events[id];
		const char *context = contexts[e->context] != NULL ? contexts[e->context] : "";

		if (deliverable(id, op->queue) && (op->limit == 0 || chosen.count < op->limit) &&
		    !(op->prompt && e->text == EXEC) && !(op->wake_now && !e->now) &&
		    !(e->life_end > 0 && e->life_end <= now.boot_ms) &&
		    strncmp(context, prefix, strlen(prefix)) == 0)
			add_id(&chosen, id);
	}
	return chosen;
}

static void
refresh_last(int queue)
{
	m.last[queue] = 0;
	for (int64_t id = 1; id < m.next_event; id++)
		if (pending(id) && m.events[id].queue == queue && m.events[id].context > 0)
			m.last[queue] = m.events[id].context;
}

static int64_t
record(void)
{
	m.records++;
	m.outcomes++;
	return m.next_outcome++;
}

/* Takes the event out of its lease, if it is in one. */
static void
leave_lease(int64_t id, enum outcome_kind kind)
{
	struct model_lease *lease = lease_of(m.events[id].lease);
	size_t at;

	m.events[id].lease = 0;
	if (lease == NULL)
		return;
	lease->ended_by_ack = kind == OUTCOME_ACKED;
	if (is_in(&lease->ids, id, &at))
		lease->left_by[at] = kind;
}

static void
settle(struct ids ids, enum outcome_kind kind, bool refresh)
{
	if (ids.count == 0)
		return;
	for (size_t i = 0; i < ids.count; i++) {
		m.events[ids.id[i]].settled = kind;
		leave_lease(ids.id[i], kind);
	}
	record();
	if (refresh)
		refresh_last(m.events[ids.id[0]].queue);
}

/* Ends an event's place in its lease: queued again, dead letter or expired; one record each. */
static size_t
return_events(struct ids ids, bool counts, int64_t delay_ms)
{
	struct ids back = { .count = 0 }, dead = back, expired = back;

	for (size_t i = 0; i < ids.count; i++) {
		struct model_event *e = &m.events[ids.id[i]];

		e->delay_end = delay_ms > 0 ? now.boot_ms + delay_ms : 0;
		e->available_at = delay_ms > 0 ? m.now_ms + delay_ms : 0;
		e->delay_ahead = m.clock.ahead;
		if (e->life_end > 0 && e->life_end <= now.boot_ms) {
			add_id(&expired, ids.id[i]);
			continue;
		}
		e->attempts += counts;
		add_id(counts && e->attempts >= options.attempts_max ? &dead : &back, ids.id[i]);
	}
	for (size_t i = 0; i < back.count; i++)
		leave_lease(back.id[i], OUTCOME_RETURNED);
	if (back.count > 0)
		record();
	settle(dead, OUTCOME_DEAD, true);
	settle(expired, OUTCOME_EXPIRED, true);
	return dead.count;
}

static void
tick(void)
{
	for (size_t i = 0; i < m.lease_count; i++) {
		struct ids due = { .count = 0 };
		int64_t first = INT64_MAX;

		for (int64_t id = 1; live(m.leases[i].id) > 0 && id < m.next_event; id++) {
			const struct model_event *e = &m.events[id];

			if (!pending(id) || e->lease != m.leases[i].id ||
			    e->lease_end > now.boot_ms)
				continue;
			first = e->lease_end < first ? e->lease_end : first;
			add_id(&due, id);
		}
		if (due.count > 0)
			return_events(due, first > m.opened, 0);
	}
	for (int64_t id = 1; id < m.next_event; id++) {
		struct model_event *e = &m.events[id];

		if (e->delay_end <= now.boot_ms)
			e->delay_end = 0;
		if (pending(id) && e->lease == 0 && e->life_end > 0 && e->life_end <= now.boot_ms)
			settle((struct ids){ { id }, 1 }, OUTCOME_EXPIRED, true);
	}
}

static bool
is_anything_due(void)
{
	for (int64_t id = 1; id < m.next_event; id++) {
		const struct model_event *e = &m.events[id];

		if (pending(id) &&
		    ((e->lease != 0 && e->lease_end <= now.boot_ms) ||
		     (e->delay_end > 0 && e->delay_end <= now.boot_ms) ||
		     (e->lease == 0 && e->life_end > 0 && e->life_end <= now.boot_ms)))
			return true;
	}
	return false;
}

/* Reads the clocks before a batch; a difference of up to 200 ms is no jump. */
static void
read_clocks(void)
{
	struct model_clock *c = &m.clock;

	if (now.boot_ms - c->boot_ahead > c->steady)
		c->steady = now.boot_ms - c->boot_ahead;
	if (now.wall_ms >= m.now_ms || now.wall_ms < m.now_ms - 60000)
		m.now_ms = now.wall_ms;
	if (llabs(m.now_ms - (c->steady + c->ahead)) > 200)
		c->ahead = m.now_ms - c->steady;
}

/* Stores the time as a clean end does. */
static void
store_time(void)
{
	read_clocks();
	if (m.stored.steady > 0)
		m.stored = m.clock;
}

/* Stores the time as a commit does. */
static void
commit_time(void)
{
	struct model_row row = { m.now_ms, m.now_ms - m.clock.ahead };

	m.event = m.appended > 0 ? row : m.event;
	m.outcome = m.outcomes > 0 ? row : m.outcome;
	if (m.records > 0 || m.stored.steady > 0) {
		m.stored.ahead = m.clock.ahead;
		m.stored.boot_ahead = m.clock.boot_ahead;
	}
	if (m.event.steady > m.stored.steady)
		m.stored.steady = m.event.steady;
	if (m.outcome.steady > m.stored.steady)
		m.stored.steady = m.outcome.steady;
}

/*
 * The boot clock tells how long the engine was down, or the wall clock after a start of the
 * machine, which is noticed by a boot clock that is behind.
 */
static void
continue_time(void)
{
	m.clock = m.stored;
	if (m.stored.steady == 0) {
		m.now_ms = m.clock.steady = now.wall_ms;
		m.clock.boot_ahead = now.boot_ms - now.wall_ms;
		return;
	}
	m.now_ms = m.outcome.steady >= m.event.steady ? m.outcome.stamp : m.event.stamp;
	if (now.boot_ms - m.clock.boot_ahead < m.clock.steady - 400) {
		int64_t passed = now.wall_ms - (m.clock.steady + m.clock.ahead);

		m.clock.steady += passed > 0 ? passed : 0;
		m.clock.boot_ahead = now.boot_ms - m.clock.steady;
	}
	read_clocks();
}

/* Takes a time of the queue's clock to the boot clock. */
static int64_t
on_boot_clock(int64_t steady)
{
	int64_t boot = now.boot_ms + steady - m.clock.steady;

	return boot > 0 ? boot : 1;
}

/* After a restart everything lasts as long as was left of it. */
static void
restart(void)
{
	continue_time();
	m.opened = now.boot_ms;
	m.next_outcome = m.written_outcome + 1;
	while (m.next_event > 1 && m.events[m.next_event - 1].never)
		m.next_event--;
	for (int64_t id = 1; id < m.next_event; id++) {
		struct model_event *e = &m.events[id];
		int64_t available = e->available_at - e->delay_ahead;

		e->delay_end = e->lease == 0 && e->available_at > 0 && available > m.clock.steady
				   ? on_boot_clock(available)
				   : 0;
		if (e->expires_at > 0)
			e->life_end = on_boot_clock(e->expires_at - e->life_ahead);
		if (e->lease != 0)
			e->lease_end = on_boot_clock(e->lease_until - e->lease_ahead);
		e->now = e->sent_now;
	}
}

/* --- what the model makes of a call --- */

/* Answers a call whose key was used before: true, with the kept answer or a mismatch. */
static bool
recall(struct model_op *op, int space, int key, uint64_t request, struct ids *answer)
{
	if (key < 0 || !m.keys[space][key].there)
		return false;
	if (m.keys[space][key].request != request)
		op->code = ERROR_IDEMPOTENCY_MISMATCH;
	*answer = m.keys[space][key].answer;
	return true;
}

static void
remember(int space, int key, uint64_t request, int queue, const struct ids *answer)
{
	if (key < 0)
		return;
	m.kept++;
	m.keys[space][key] = (struct model_key){ true, request, queue, *answer };
}

static bool
make_room(int queue, bool evicts)
{
	if (depth(-1) >= options.pending_max)
		return false;
	if (depth(queue) < options.session_pending_max)
		return true;
	for (int delayed = 0; evicts && delayed < 2; delayed++) {
		for (int64_t id = 1; id < m.next_event; id++) {
			if (pending(id) && m.events[id].queue == queue && m.events[id].lease == 0 &&
			    (m.events[id].delay_end > 0) == delayed) {
				settle((struct ids){ { id }, 1 }, OUTCOME_EVICTED, false);
				return true;
			}
		}
	}
	return false;
}

static int64_t
append(struct model_event e, int64_t delay_ms, int64_t ttl_ms)
{
	e.delay_end = delay_ms > 0 ? now.boot_ms + delay_ms : 0;
	e.available_at = delay_ms > 0 ? m.now_ms + delay_ms : 0;
	e.life_end = ttl_ms > 0 ? now.boot_ms + ttl_ms : 0;
	e.expires_at = ttl_ms > 0 ? m.now_ms + ttl_ms : 0;
	e.delay_ahead = e.life_ahead = m.clock.ahead;
	assert_true(m.next_event < EVENTS);
	m.events[m.next_event] = e;
	m.records++;
	m.appended++;
	if (e.context > 0)
		m.last[e.queue] = e.context;
	return m.next_event++;
}

/* Whether the pending event is as good as the draft: free, as soon, and for as long. */
static bool
serves(int64_t id, int64_t delay_ms, int64_t ttl_ms)
{
	const struct model_event *e = &m.events[id];

	return e->lease == 0 && (e->delay_end == 0 || e->delay_end <= now.boot_ms + delay_ms) &&
	       (e->life_end == 0 || (ttl_ms > 0 && e->life_end >= now.boot_ms + ttl_ms));
}

static void
enqueue_one(struct model_op *op, size_t i, struct ids *answer)
{
	int queue = routed(op->draft[i].queue), context = op->draft[i].context,
	    text = op->draft[i].text;
	struct ids matching = { .count = 0 }, kept;
	int64_t twin = 0;

	if (text < 0) {
		op->code = ERROR_INVALID_FIELD;
		return;
	}
	if (recall(op, 0, op->draft[i].key, op->draft[i].request, &kept)) {
		if (op->code == ERROR_NONE && kept.count != RESULT)
			op->code = ERROR_IDEMPOTENCY_MISMATCH;
		for (int n = 0; n < RESULT; n++)
			add_id(answer, kept.id[n]);
		return;
	}
	for (int64_t id = 1; id < m.next_event; id++) {
		if (!pending(id) || m.events[id].queue != queue)
			continue;
		bool match = m.events[id].context == context,
		     same = match && m.events[id].text == text && op->draft[i].key < 0 &&
			    serves(id, op->draft[i].delay_ms, op->draft[i].ttl_ms);
		if (context == 0)
			twin = same ? id : 0; /* without a key only the newest counts */
		else if (same && twin == 0)
			twin = id;
		if (match && m.events[id].lease == 0)
			add_id(&matching, id);
	}
	if (op->draft[i].replace)
		twin = matching.count == 1 ? twin : 0;
	else if (op->draft[i].allow_duplicate)
		twin = 0;
	enum enqueue_outcome outcome = ENQUEUE_DUPLICATE;
	if (twin == 0) {
		if (op->draft[i].replace)
			settle(matching, OUTCOME_REPLACED, false);
		outcome =
		    op->draft[i].replace && matching.count > 0 ? ENQUEUE_REPLACED : ENQUEUE_QUEUED;
		if (!make_room(queue, options.overflow == OVERFLOW_DROP_OLDEST)) {
			op->code = ERROR_QUEUE_FULL;
			return;
		}
		twin = append((struct model_event){ .queue = queue,
						    .context = context,
						    .text = text,
						    .sent_now = op->draft[i].now },
			      op->draft[i].delay_ms, op->draft[i].ttl_ms);
	}
	m.events[twin].now = m.events[twin].now || op->draft[i].now;
	add_id(answer, outcome), add_id(answer, twin), add_id(answer, 0);
	remember(0, op->draft[i].key, op->draft[i].request, queue,
		 &(struct ids){ { outcome, twin, 0 }, RESULT });
	op->draft[i].fresh = true;
	op->draft[i].into = queue;
}

/* Lets the answer, and what the drafts' keys keep of it, tell what became of the new events. */
static void
tell_settled(struct model_op *op)
{
	for (size_t i = 0; i < op->drafts; i++) {
		enum outcome_kind kind = m.events[op->want.id[RESULT * i + 1]].settled;

		if (!op->draft[i].fresh)
			continue;
		op->want.id[RESULT * i + 2] = kind;
		if (op->draft[i].key >= 0)
			m.keys[0][op->draft[i].key].answer.id[2] = kind;
	}
}

static void
model_enqueue(struct model_op *op)
{
	if ((op->replayed = recall(op, 0, op->key, op->request, &op->want))) {
		if (op->want.count != RESULT * op->drafts)
			op->code = ERROR_IDEMPOTENCY_MISMATCH;
		return;
	}
	for (size_t i = 0; op->code == ERROR_NONE && i < op->drafts; i++) {
		op->draft[i].fresh = false;
		enqueue_one(op, i, &op->want);
	}
	if (op->code == ERROR_NONE)
		tell_settled(op);
	if (op->code != ERROR_NONE || op->key < 0)
		return;
	if (!m.keys[0][op->key].there)
		remember(0, op->key, op->request, op->queue, &op->want);
	/* its key is also that of one of its events */
	else if (m.keys[0][op->key].request != op->request)
		op->code = ERROR_IDEMPOTENCY_MISMATCH;
}

static void
model_drain(struct model_op *op)
{
	if (!(op->replayed = recall(op, 1, op->key, op->request, &op->want))) {
		op->want = choose(op);
		settle(op->want, OUTCOME_DRAINED, true);
		if (op->want.count > 0)
			remember(1, op->key, op->request, op->queue, &op->want);
	}
	op->want_queue = op->replayed ? m.keys[1][op->key].queue : op->queue;
	op->remaining = depth(op->want_queue);
}

static void
model_consume(struct model_op *op)
{
	size_t at;

	for (size_t i = 0; i < op->ids.count; i++)
		if (pending(op->ids.id[i]) && event(op->ids.id[i])->queue == op->queue &&
		    !is_in(&op->want, op->ids.id[i], &at))
			add_id(&op->want, op->ids.id[i]);
	settle(op->want, OUTCOME_CONSUMED, true);
	op->remaining = depth(op->queue);
}

/* An event that was enqueued in the same batch cannot be withdrawn by its id. */
static void
model_withdraw(struct model_op *op)
{
	if (op->ids.id[0] >= at_start.next_event || !pending(op->ids.id[0]))
		op->code = ERROR_NOT_FOUND;
	else
		settle(op->ids, OUTCOME_WITHDRAWN, true);
}

static void
model_purge(struct model_op *op)
{
	struct ids all = { .count = 0 };

	if (op->queue != op->asked) {
		op->code = ERROR_REROUTED;
		return;
	}
	for (int64_t id = 1; id < m.next_event; id++)
		if (pending(id) && m.events[id].queue == op->queue &&
		    (op->context == 0 || m.events[id].context == op->context))
			add_id(&all, id);
	settle(all, OUTCOME_PURGED, true);
	op->changed = all.count;
	op->remaining = depth(op->queue);
}

static void
model_peek(struct model_op *op)
{
	for (int64_t id = 1; id < m.next_event; id++)
		if (pending(id) && m.events[id].queue == op->queue)
			add_id(&op->want, id);
}

static void
model_find(struct model_op *op)
{
	int64_t id = op->ids.id[0];

	if (id <= 0 || id >= at_start.next_event || m.events[id].never) {
		op->code = ERROR_NOT_FOUND;
		return;
	}
	op->again = (m.events[id].settled != 0 && at_start.events[id].settled == 0) ||
		    (m.events[id].settled == 0 && m.events[id].queue != at_start.events[id].queue);
	op->settled = m.events[id].settled;
	op->attempts = m.events[id].attempts;
}

static void
model_take_lease(struct model_op *op)
{
	op->replayed = recall(op, 2, op->key, op->request, &op->want);
	op->want_queue = op->replayed ? m.keys[2][op->key].queue : op->queue;
	op->remaining = depth(op->want_queue);
	if (op->replayed) {
		op->want_lease = op->want.id[0];
		op->want_until = op->want.id[1];
		memmove(op->want.id, op->want.id + 2,
			(op->want.count -= 2) * sizeof(op->want.id[0]));
		op->remaining -= live(op->want_lease);
		return;
	}
	if (op->exclusive && count_events(op->queue, 0, true) > 0)
		return;
	op->want = choose(op);
	op->remaining -= op->want.count;
	if (op->want.count == 0)
		return;
	struct model_lease *lease = &m.leases[m.lease_count++];
	assert_true(m.lease_count < LEASES);
	op->want_until = m.now_ms + op->lease_ms;
	op->want_lease = record();
	*lease = (struct model_lease){ .id = op->want_lease,
				       .queue = op->queue,
				       .exclusive = op->exclusive,
				       .ids = op->want };
	struct ids answer = { { op->want_lease, op->want_until }, 2 };
	for (size_t i = 0; i < op->want.count; i++) {
		struct model_event *e = &m.events[op->want.id[i]];

		e->lease = lease->id;
		e->lease_end = now.boot_ms + op->lease_ms;
		e->lease_until = op->want_until;
		e->lease_ahead = m.clock.ahead;
		add_id(&answer, op->want.id[i]);
	}
	remember(2, op->key, op->request, op->queue, &answer);
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Finds the named events, each once; *held are those that the lease holds. False when some are not.
 */
static bool
find_named(const struct model_op *op, struct ids *named, struct ids *held)
{
	size_t at;

	*named = *held = (struct ids){ .count = 0 };
	for (int64_t id = 1; op->all && id < m.next_event; id++)
		if (pending(id) && m.events[id].lease == op->lease)
			add_id(named, id);
	for (size_t i = 0; !op->all && i < op->ids.count; i++)
		if (!is_in(named, op->ids.id[i], &at))
			add_id(named, op->ids.id[i]);
	qsort(named->id, named->count, sizeof(named->id[0]), by_value);
	for (size_t i = 0; i < named->count; i++)
		if (pending(named->id[i]) && event(named->id[i])->lease == op->lease)
			add_id(held, named->id[i]);
	return held->count == named->count && live(op->lease) > 0;
}

/* Judges a call that names events which its lease does not hold; lists those that are gone. */
static enum error_code
judge(struct model_op *op, const struct model_lease *lease, const struct ids *named,
      const struct ids *held)
{
	bool pass_acked = op->what == ACK || op->all;
	size_t at = 0;

	if (lease == NULL)
		return ERROR_NOT_FOUND;
	if (op->all && op->what == ACK && lease->ended_by_ack)
		return ERROR_NONE;
	for (size_t i = 0; i < named->count; i++)
		if (!is_in(&lease->ids, named->id[i], &at))
			return ERROR_INVALID_FIELD;
	named = op->all ? &lease->ids : named;
	for (size_t i = 0; i < named->count; i++) {
		if (is_in(held, named->id[i], &at))
			continue;
		assert_true(is_in(&lease->ids, named->id[i], &at));
		enum outcome_kind kind = lease->left_by[at];
		if (kind == OUTCOME_ACKED ? !pass_acked : kind > OUTCOME_LAST_SETTLING)
			return ERROR_CONFLICT;
		if (kind != OUTCOME_ACKED)
			add_id(&op->want, named->id[i]);
	}
	return op->all && op->want.count == 0 ? ERROR_CONFLICT : ERROR_NONE;
}

static void
model_lease_op(struct model_op *op, bool second)
{
	struct ids named, held;
	bool all_held = find_named(op, &named, &held);

	if (!all_held && !second) {
		op->again = true;
		return;
	}
	if (!all_held && (op->code = judge(op, lease_of(op->lease), &named, &held)) != ERROR_NONE)
		return;
	op->changed = held.count;
	op->remaining = live(op->lease);
	if (held.count == 0)
		return;
	op->want_until = m.now_ms + op->lease_ms;
	if (op->what == ACK) {
		settle(held, OUTCOME_ACKED, true);
	} else if (op->what == NACK) {
		op->dead = return_events(held, op->counts, op->delay_ms);
	} else {
		record();
		for (size_t i = 0; i < held.count; i++) {
			m.events[held.id[i]].lease_end = now.boot_ms + op->lease_ms;
			m.events[held.id[i]].lease_until = op->want_until;
			m.events[held.id[i]].lease_ahead = m.clock.ahead;
		}
	}
	op->remaining = live(op->lease);
}

static void
model_requeue(struct model_op *op)
{
	for (size_t i = 0; i < op->ids.count; i++) {
		int64_t id = op->ids.id[i];
		size_t at;
		struct ids before = op->ids;

		before.count = i;
		if (id <= 0 || id >= at_start.next_event || at_start.events[id].requeued ||
		    m.events[id].requeued || is_in(&before, id, &at) ||
		    (at_start.events[id].settled != OUTCOME_DEAD &&
		     at_start.events[id].settled != OUTCOME_EVICTED))
			continue;
		if (!op->dry_run && !make_room(routed(m.events[id].queue), false)) {
			op->code = ERROR_QUEUE_FULL;
			return;
		}
		if (!op->dry_run) {
			append((struct model_event){ .queue = routed(m.events[id].queue),
						     .context = m.events[id].context,
						     .text = m.events[id].text,
						     .sent_now = m.events[id].sent_now,
						     .now = m.events[id].sent_now },
			       (int64_t)op->changed * op->delay_ms, 0);
			record();
			m.events[id].requeued = true;
		}
		op->changed++;
	}
	op->remaining = op->ids.count - op->changed;
}

/* Moves the oldest events that are not leased from the last queue to the first. */
static void
model_rekey(struct model_op *op)
{
	bool named = op->all || op->asked == 2, keyed = false;

	for (int64_t id = 1; one_owner && named && id < m.next_event; id++) {
		if (!pending(id) || m.events[id].queue != 2)
			continue;
		op->remaining += m.events[id].lease != 0;
		if (m.events[id].lease != 0 || op->changed >= op->limit)
			continue;
		op->changed++;
		if (op->dry_run)
			continue;
		m.events[id].queue = 0;
		keyed = keyed || m.events[id].context > 0;
	}
	if (op->changed == 0 || op->dry_run)
		return;
	record();
	refresh_last(2);
	if (keyed)
		refresh_last(0);
}

/* Applies one call; undoes it when it is refused or must be planned again. */
static void
model_op(struct model_op *op, bool second)
{
	static struct model before;

	before = m;
	op->code = ERROR_NONE;
	op->again = op->replayed = false;
	op->queue = routed(op->asked);
	op->want_queue = op->queue;
	op->want = (struct ids){ .count = 0 };
	op->remaining = op->changed = op->dead = 0;
	op->want_lease = op->want_until = 0;
	if (op->what == ENQUEUE)
		model_enqueue(op);
	else if (op->what == DRAIN)
		model_drain(op);
	else if (op->what == CONSUME)
		model_consume(op);
	else if (op->what == WITHDRAW)
		model_withdraw(op);
	else if (op->what == PURGE)
		model_purge(op);
	else if (op->what == PEEK)
		model_peek(op);
	else if (op->what == FIND)
		model_find(op);
	else if (op->what == LEASE)
		model_take_lease(op);
	else if (op->what == REQUEUE)
		model_requeue(op);
	else if (op->what == REKEY)
		model_rekey(op);
	else if (op->what != WAIT)
		model_lease_op(op, second);
	if (op->code != ERROR_NONE || op->again)
		m = before;
}

/* --- a batch --- */

enum trouble { NONE, FAILED, FULL, FULL_FOR_EVENTS, UNKNOWN, TROUBLES };

static bool
appends(const struct model_op *op)
{
	return op->what == ENQUEUE || op->what == REQUEUE || op->what == REKEY;
}

static void
model_try(bool ticks, bool second, bool refuse_appends)
{
	read_clocks();
	m.records = m.outcomes = m.appended = m.kept = 0;
	at_start = m;
	if (ticks)
		tick();
	for (size_t i = 0; i < op_count; i++) {
		struct model_op *op = &ops[i];

		if (second && !op->again)
			continue;
		if (refuse_appends && appends(op))
			op->code = op->code == ERROR_NONE ? ERROR_STORAGE_FULL : op->code;
		else
			model_op(op, second);
	}
}

/* Every call that was not refused for a reason of its own fails with this code. */
static void
fail_all(bool second, enum error_code code)
{
	for (size_t i = 0; i < op_count; i++) {
		bool concerned = !second || ops[i].again;

		if (concerned && ops[i].code == ERROR_NONE)
			ops[i].code = code;
		ops[i].again = ops[i].again && !concerned;
	}
}

/* The batch failed: everything is as before it, except that its ids are not used again. */
static void
undo_batch(const struct model *before)
{
	int64_t now_ms = m.now_ms, next_event = m.next_event, next_outcome = m.next_outcome;
	struct model_clock clock = m.clock;

	m = *before;
	m.now_ms = now_ms;
	m.clock = clock;
	m.next_outcome = next_outcome;
	for (; m.next_event < next_event; m.next_event++)
		m.events[m.next_event] = (struct model_event){ .never = true };
}

/* Applies a batch; answers whether any call must be planned again. */
static bool
model_batch(bool ticks, bool second, enum trouble trouble)
{
	static struct model before;
	bool around[OPS];

	before = m;
	for (size_t i = 0; i < op_count; i++)
		around[i] = ops[i].again;
	model_try(ticks, second, false);
	bool full = (trouble == FULL && m.records + m.kept > 0) ||
		    (trouble == FULL_FOR_EVENTS && m.appended > 0);
	if (full) {
		undo_batch(&before);
		for (size_t i = 0; second && i < op_count; i++)
			ops[i].again = around[i];
		model_try(ticks, second, true);
	}
	if ((trouble == FULL || trouble == FAILED || trouble == UNKNOWN) &&
	    m.records + m.kept > 0) {
		undo_batch(&before);
		for (size_t i = 0; second && i < op_count; i++)
			ops[i].again = around[i];
		fail_all(second, trouble == FULL ? ERROR_STORAGE_FULL : ERROR_STORAGE_FAILED);
		failed_boot_ms = now.boot_ms;
		return false;
	}
	if (full)
		failed_boot_ms = now.boot_ms;
	if (m.records + m.kept > 0)
		commit_time();
	if (m.outcomes > 0)
		m.written_outcome = m.next_outcome - 1;
	for (int queue = 0; queue < QUEUES; queue++)
		if (depth(queue) == 0)
			m.last[queue] = 0;
	bool again = false;
	for (size_t i = 0; i < op_count; i++) {
		ops[i].again = ops[i].again && !second;
		again = again || ops[i].again;
	}
	return again;
}

/* --- making calls --- */

/* An id: mostly of a recent event, sometimes of no event. */
static int64_t
some_id(void)
{
	int64_t newest = m.next_event - 1;

	if (newest == 0 || one_in(20))
		return newest + 1 + (int64_t)below(3);
	return newest - (int64_t)below(newest < 15 ? (size_t)newest : 15);
}

static int64_t
some_lease(void)
{
	if (m.lease_count == 0 || one_in(20))
		return 1 + (int64_t)below((size_t)m.next_outcome + 2);
	return m.leases[m.lease_count - 1 - below(m.lease_count < 5 ? m.lease_count : 5)].id;
}

static void
make_drafts(struct model_op *op)
{
	op->drafts = 1 + below(3) * below(2);
	for (size_t i = 0; i < op->drafts; i++) {
		op->draft[i].queue = (int)below(QUEUES);
		op->draft[i].context = one_in(2) ? 0 : (int)below(4);
		op->draft[i].text = one_in(30) ? -1 : (int)below(4);
		op->draft[i].key = one_in(8) ? (int)below(KEYS) : -1;
		op->draft[i].request = 1 + (uint64_t)one_in(8);
		op->draft[i].replace = op->draft[i].context > 0 && one_in(3);
		op->draft[i].allow_duplicate = one_in(2);
		op->draft[i].now = one_in(3);
		op->draft[i].delay_ms = one_in(4) ? 1 + (int64_t)below(3000) : 0;
		op->draft[i].ttl_ms = one_in(4) ? 1 + (int64_t)below(5000) : 0;
	}
}

static struct model_op
make_op(void)
{
	struct model_op op = { .what = (enum what)(one_in(3)   ? ENQUEUE
						   : one_in(3) ? LEASE
							       : below(WAIT)),
			       .asked = (int)below(QUEUES) };

	op.context = one_in(4) ? (int)below(4) : 0;
	op.key = one_in(6) ? (int)below(KEYS) : -1;
	op.request = 1 + (uint64_t)one_in(8);
	op.limit = below(4) + (op.what == REKEY);
	op.exclusive = one_in(8);
	op.prompt = one_in(5);
	op.all = one_in(2);
	op.counts = !one_in(4);
	op.dry_run = one_in(4);
	op.lease = some_lease();
	op.lease_ms = 1 + (int64_t)below(4000);
	op.delay_ms = one_in(3) ? (int64_t)below(3000) : 0;
	const struct model_lease *lease = lease_of(op.lease);
	for (size_t n = 1 + below(4); n > 0; n--)
		add_id(&op.ids, lease != NULL && !one_in(10) && op.what >= ACK && op.what <= EXTEND
				    ? lease->ids.id[below(lease->ids.count)]
				    : some_id());
	if (op.what == WITHDRAW || op.what == FIND)
		op.ids.count = 1;
	make_drafts(&op);
	return op;
}

static struct idempotency
key_of(int space, int key, uint64_t request)
{
	static const char *const key_names[3][KEYS] = { { "e0", "e1", "e2" },
							{ "d0", "d1", "d2" },
							{ "l0", "l1", "l2" } };

	return (struct idempotency){ .key = str_of(key < 0 ? NULL : key_names[space][key]),
				     .request = request };
}

static struct call *
submit_enqueue(const struct model_op *op)
{
	struct draft drafts[3];

	for (size_t i = 0; i < op->drafts; i++) {
		drafts[i] = draft(queue_keys[op->draft[i].queue],
				  op->draft[i].text < 0 ? " " : texts[op->draft[i].text]);
		drafts[i].context_key = str_of(contexts[op->draft[i].context]);
		drafts[i].replace = op->draft[i].replace;
		drafts[i].allow_duplicate = op->draft[i].allow_duplicate;
		drafts[i].wake = op->draft[i].now ? WAKE_NOW : WAKE_NEXT_HEARTBEAT;
		drafts[i].delay_ms = op->draft[i].delay_ms;
		drafts[i].ttl_ms = op->draft[i].ttl_ms;
		drafts[i].idempotency = key_of(0, op->draft[i].key, op->draft[i].request);
	}
	struct call *call = enqueue_drafts(engine, drafts, op->drafts);
	call->op.idempotency = key_of(0, op->key, op->request);
	return call;
}

static struct call *
submit_lease_op(const struct model_op *op)
{
	struct lease_change_op input;

	lease_change_op_init(&input, op->what == ACK    ? LEASE_ACK
				     : op->what == NACK ? LEASE_NACK
							: LEASE_EXTEND);
	input.delay_ms = op->delay_ms;
	input.count_attempt = op->counts;
	input.lease_ms = op->lease_ms;
	return change_lease(engine, input, op->lease, op->all ? NULL : op->ids.id,
			    op->all ? 0 : op->ids.count);
}

static struct call *
submit_op(const struct model_op *op)
{
	const char *queue = queue_keys[op->asked],
		   *prefix = op->context == 1 ? "k:" : contexts[op->context];
	struct call *call;

	switch (op->what) {
	case ENQUEUE:
		return submit_enqueue(op);
	case DRAIN:
		call = drain(engine, queue, op->limit);
		call->drain.context_key_prefix = str_of(prefix);
		call->drain.prompt = op->prompt;
		call->op.idempotency = key_of(1, op->key, op->request);
		return call;
	case CONSUME:
		return consume(engine, queue, op->ids.id, op->ids.count);
	case WITHDRAW:
		return withdraw(engine, op->ids.id[0]);
	case PURGE:
		return purge(engine, queue, contexts[op->context]);
	case PEEK:
		return peek(engine, queue);
	case FIND:
		return find_event(engine, op->ids.id[0]);
	case LEASE:
		return take_lease_as(engine, (struct lease_take_op){
						 .op.idempotency = key_of(2, op->key, op->request),
						 .address.session_key = str_of(queue),
						 .limit = op->limit,
						 .lease_ms = op->lease_ms,
						 .context_key_prefix = str_of(prefix),
						 .exclusive = op->exclusive,
						 .prompt = op->prompt });
	case REKEY:
		return rekey(engine,
			     (struct rekey_op){ .queue_key = op->all ? STR_NULL : str_of(queue),
						.dry_run = op->dry_run,
						.limit = op->limit });
	case REQUEUE:
		return requeue(engine, op->ids.id, op->ids.count, op->delay_ms, op->dry_run);
	default:
		return submit_lease_op(op);
	}
}

/* --- comparing --- */

/* queue: that of the events in the answer; -1: each stands in its own. */
static void
assert_events(const struct system_event_list *have, const struct ids *want, int queue)
{
	assert_int_equal(have->count, want->count);
	for (size_t i = 0; i < want->count; i++) {
		const struct model_event *e = &m.events[want->id[i]];

		assert_int_equal(have->events[i].id, want->id[i]);
		assert_str(have->events[i].text, texts[e->text]);
		assert_str(have->events[i].context_key, contexts[e->context]);
		assert_str(have->events[i].session_key, queue_keys[queue < 0 ? e->queue : queue]);
	}
}

static void
assert_answered(const struct model_op *op)
{
	const struct call *call = op->call;

	assert_int_equal(call->answered, 1);
	assert_string_equal(error_code_name(call->op.error.code), error_code_name(op->code));
	if (op->code != ERROR_NONE)
		return;
	if (op->what != ENQUEUE && op->what != FIND)
		assert_int_equal(call->op.idempotency.replayed, op->replayed);
	switch (op->what) {
	case ENQUEUE:
		for (size_t i = 0; i < op->drafts; i++) {
			const struct enqueue_result *result = &call->enqueue.results[i];
			const int64_t *want = &op->want.id[RESULT * i];

			assert_int_equal(result->outcome, want[0]);
			assert_int_equal(result->id, want[1]);
			assert_int_equal(result->event.id, want[1]);
			assert_int_equal(result->event.outcome, want[2]);
			assert_int_equal(result->event.state == EVENT_STATE_SETTLED, want[2] != 0);
			assert_str(
			    result->event.session_key,
			    queue_keys[op->replayed || !op->draft[i].fresh ? m.events[want[1]].queue
									   : op->draft[i].into]);
		}
		break;
	case DRAIN:
		assert_str(call->drain.session_key, queue_keys[op->want_queue]);
		assert_events(&call->drain.taken, &op->want, op->replayed ? -1 : op->queue);
		assert_int_equal(call->drain.remaining, op->remaining);
		break;
	case CONSUME:
		assert_events(&call->consume.taken, &op->want, op->queue);
		assert_int_equal(call->consume.remaining, op->remaining);
		break;
	case WITHDRAW:
		assert_int_equal(call->withdraw.event.id, op->ids.id[0]);
		break;
	case PURGE:
		assert_int_equal(call->purge.purged, op->changed);
		assert_int_equal(call->purge.remaining, op->remaining);
		break;
	case PEEK:
		assert_events(&call->peek.found, &op->want, op->queue);
		break;
	case FIND:
		assert_int_equal(call->find.event.outcome, op->settled);
		assert_int_equal(call->find.event.attempts, op->attempts);
		break;
	case LEASE:
		assert_str(call->lease_take.session_key, queue_keys[op->want_queue]);
		assert_events(&call->lease_take.taken, &op->want, op->replayed ? -1 : op->queue);
		assert_int_equal(call->lease_take.lease_id, op->want_lease);
		assert_int_equal(call->lease_take.until_ms, op->want_until);
		assert_int_equal(call->lease_take.remaining, op->remaining);
		break;
	case REKEY:
		assert_int_equal(call->rekey.moved, op->changed);
		assert_int_equal(call->rekey.leased, op->remaining);
		break;
	case REQUEUE:
		assert_int_equal(call->requeue.requeued, op->changed);
		assert_int_equal(call->requeue.passed_over, op->remaining);
		break;
	default:
		assert_int_equal(call->lease.changed, op->changed);
		assert_int_equal(call->lease.left, op->remaining);
		assert_int_equal(call->lease.dead, op->dead);
		assert_int_equal(call->lease.gone_count, op->want.count);
		for (size_t i = 0; i < op->want.count; i++)
			assert_int_equal(call->lease.gone[i], op->want.id[i]);
	}
}

static void
assert_same_queue(int queue)
{
	struct ids want = { .count = 0 };
	struct call *call = peek(engine, queue_keys[queue]);
	call->peek.address = (struct address){ .queue_key = str_of(queue_keys[queue]) };
	const struct system_event_list *have = &done(call)->peek.found;

	for (int64_t id = 1; id < m.next_event; id++)
		if (pending(id) && m.events[id].queue == queue)
			add_id(&want, id);
	assert_events(have, &want, queue);
	for (size_t i = 0; i < want.count; i++) {
		const struct model_event *e = &m.events[want.id[i]];

		assert_int_equal(have->events[i].attempts, e->attempts);
		assert_int_equal(have->events[i].state, e->lease != 0      ? EVENT_STATE_LEASED
							: e->delay_end > 0 ? EVENT_STATE_DELAYED
									   : EVENT_STATE_QUEUED);
		if (e->lease == 0 && e->delay_end > 0)
			assert_int_equal(have->events[i].available_at_ms, e->available_at);
		assert_int_equal(have->events[i].expires_at_ms, e->expires_at);
	}
	assert_int_equal(engine_deliverable(engine, str_of(queue_keys[queue])),
			 count_deliverable(queue));
	struct sessions_op one = { .address.queue_key = str_of(queue_keys[queue]) };
	struct call *list = done(list_sessions(engine, one));
	assert_int_equal(list->sessions.count, want.count > 0);
	if (want.count > 0)
		assert_str(list->sessions.sessions[0].last_context_key, contexts[m.last[queue]]);
}

/* No waiter is parked where a lease would give an event, and none was woken without one. */
static void
check_waiters(void)
{
	for (size_t i = 0; i < WAITERS; i++) {
		const struct call *call = waiters[i];

		if (call == NULL)
			continue;
		int queue = 0;
		while (!str_eq(call->wait.address.session_key, str_of(queue_keys[queue])))
			queue++;
		queue = routed(queue);
		if (call->answered == 0) {
			assert_false(cancelled[i]);
			if (call->wait.exclusive && count_events(queue, 0, true) > 0)
				continue;
			assert_int_equal(
			    choose(&(struct model_op){ .queue = queue,
						       .wake_now = call->wait.wake_now })
				.count,
			    0);
			continue;
		}
		assert_true(call->op.error.code != ERROR_NONE || call->wait.deliverable > 0 ||
			    cancelled[i]);
		waiters[i] = NULL;
	}
}

/* --- steps --- */

static void
wait_or_cancel(void)
{
	size_t i = below(WAITERS);

	if (waiters[i] == NULL) {
		waiters[i] = wait_for(engine, queue_keys[below(QUEUES)]);
		waiters[i]->wait.wake_now = one_in(2);
		waiters[i]->wait.exclusive = one_in(2);
		cancelled[i] = false;
	} else if (engine_cancel_wait(engine, &waiters[i]->op)) {
		waiters[i] = NULL;
	} else {
		cancelled[i] = true; /* not parked yet: its op is handed back after its turn */
	}
}

/* Puts the other policy in force, or after a start the same, and has all queues judged. */
static void
adopt(bool another)
{
	one_owner ^= another;
	engine_set_policy(engine, parse_policy(policies[one_owner]));
	while (stats().unjudged > 0)
		engine_chores(engine);
	read_clocks();
}

static void
restart_engine(bool stopped)
{
	if (!stopped)
		store_time();
	engine_close(engine);
	engine = NULL;
	memset(waiters, 0, sizeof(waiters));
	if (one_in(2))
		pass((int64_t)below(5000));
	if (one_in(4))
		now.boot_ms = (int64_t)below(2000); /* the machine reboots too */
	if (one_in(4))
		now.wall_ms += (int64_t)below(20000) - 10000;
	reopen();
	restart();
	adopt(false);
	failed_boot_ms = INT64_MIN / 2;
}

static void
let_time_pass(void)
{
	if (!one_in(3))
		pass((int64_t)below(one_in(4) ? 5000 : 500));
	if (one_in(20))
		now.wall_ms += (int64_t)below(10000000) - 5000000;
}

static int
run_turns(bool defer)
{
	int rc;

	store.defer = defer;
	store.defer_durable = one_in(2);
	do
		rc = engine_turn(engine, &error);
	while (rc == 0 && (memory_store_release(&store) || !engine_idle(engine)));
	store.defer = false;
	return rc;
}

static void
step(void)
{
	static const enum error_code codes[TROUBLES] = { [FAILED] = ERROR_STORAGE_FAILED,
							 [FULL] = ERROR_STORAGE_FULL,
							 [UNKNOWN] = ERROR_STORAGE_UNKNOWN };
	enum trouble trouble = one_in(6) ? (enum trouble)below(TROUBLES) : NONE;

	let_time_pass();
	if (one_in(6))
		adopt(true);
	int64_t due_ms = engine_due_ms(engine);
	assert_true(due_ms == 0 || !is_anything_due() || now.boot_ms < failed_boot_ms + 1000);
	op_count = below(OPS + 1);
	for (size_t i = 0; i < op_count; i++) {
		ops[i] = make_op();
		if (talk)
			printf("  %s queue %d lease %" PRId64 "\n", names[ops[i].what],
			       ops[i].asked, ops[i].lease);
		ops[i].call = submit_op(&ops[i]);
		if (one_in(5))
			wait_or_cancel();
	}
	if (model_batch(due_ms == 0, false, trouble))
		model_batch(false, true, trouble);
	store.commit_fails = codes[trouble];
	store.full_for_events = trouble == FULL_FOR_EVENTS;
	int rc = run_turns(one_in(3));
	if (talk)
		printf("  trouble %d; next outcome %" PRId64 ", event %" PRId64 "\n", (int)trouble,
		       m.next_outcome, m.next_event);
	store.commit_fails = ERROR_NONE;
	store.full_for_events = false;
	if (rc < 0) {
		assert_int_equal(trouble, UNKNOWN);
		/* nothing of the last batch was stored, and its unanswered calls stay unanswered */
		restart_engine(true);
	} else {
		for (size_t i = 0; i < op_count; i++)
			assert_answered(&ops[i]);
	}
	check_waiters();
	if (one_in(8))
		restart_engine(false);
	op_count = 0;
	if (engine_due_ms(engine) == 0)
		model_batch(true, false, NONE);
}

static void
run(void)
{
	srandom(seed);
	options.attempts_max = 1 + (int)below(4);
	options.session_pending_max = 4 + below(5);
	options.pending_max = 8 + below(9);
	options.overflow = one_in(2) ? OVERFLOW_REJECT : OVERFLOW_DROP_OLDEST;
	options.walk_max = one_in(2) ? MATCHES_WALK_MAX : below(4);
	options.recent_bytes = one_in(3) ? 0 : 512 * (1 + below(16));
	store.chores_fail = ERROR_STORAGE_FAILED; /* so that they do not store the time */
	one_owner = false;
	reopen();
	memset(&m, 0, sizeof(m));
	memset(waiters, 0, sizeof(waiters));
	m.next_event = m.next_outcome = 1;
	m.opened = now.boot_ms;
	continue_time();
	adopt(false);
	failed_boot_ms = INT64_MIN / 2;
	for (int i = 0; i < STEPS; i++) {
		if (talk)
			printf("step %d\n", i);
		op_count = 0;
		step();
		for (int queue = 0; queue < QUEUES; queue++)
			assert_same_queue(queue);
		check_waiters();
		assert_int_equal(stats().pending, depth(-1));
	}
}

static void
random_turns_agree_with_a_model(void **state)
{
	for (seed = only_seed != 0 ? only_seed : 1; seed <= (only_seed != 0 ? only_seed : SEEDS);
	     seed++) {
		run();
		assert_int_equal(fixture_end(state), 0);
		engine = NULL;
		assert_int_equal(fixture_begin(state), 0);
	}
	seed = 0;
}

static int
end(void **state)
{
	if (seed != 0)
		print_error("with seed %u; call this test with it to see its steps\n", seed);
	return fixture_end(state);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, end)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { TEST(random_turns_agree_with_a_model) };

	only_seed = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	talk = only_seed != 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
