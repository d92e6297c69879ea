/*
 * plan.h - what one batch is going to change, before any of it is durable.
 *
 * Here: the records to commit, the events to read for answers, the queues to wake, and the
 * catalog's changes, which plans make in the state at once and a rollback undoes. An op's plan
 * function (struct op_kind) changes all of these only through the functions below and of journal.h;
 * the batch undoes everything that a failed plan did. Not here: committing and answering (batch.c),
 * the rules of each call (ops/). Private to queue/.
 */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H

#include "queue/answer.h"
#include "queue/catalog/journal.h"
#include "queue/op_kind.h"
#include "queue/policy/route.h"
#include "queue/state.h"

struct plan {
	struct queue_state *state;  /* catalog, policy, options, ids, clocks */
	struct store_batch records; /* to be committed */
	struct arena arena;         /* memory of records that is not borrowed from ops */
	struct table keys; /* struct store_key by key: those of this batch, in ops' arenas */
	struct want {
		int64_t id;
		size_t text_bytes; /* at most */
		struct system_event
		    *into; /* where the answer has the event; NULL once it is there */
		struct op *op;
		struct queue *queue; /* NULL where optional */
		/* of the event as the answer tells it, where the stored row says otherwise: */
		int attempts;
		int64_t available_at_ms;      /* 0: as the row says */
		int64_t first_taken_since_ms; /* when it came, if it is taken for the first time */
		enum event_state state;
		enum outcome_kind outcome;
		bool optional; /* the op does not fail without the event; into->id stays 0 then */
		bool old;      /* the event may have been deleted: only the store knows */
	} * wants;             /* events to read for answers, in the order asked for */
	size_t want_count, want_cap;
	size_t answer_room; /* what the answer planned next may need (answer_bytes) */
	struct woken_queue {
		struct queue *queue;
		/* that became deliverable; NULL: events came back from a lease */
		const struct system_event *event;
		/* Before plan_gather_woken only set to force wake "now"; afterwards final: */
		bool now;          /* one of the queue's events has wake "now" */
		bool waiters_only; /* nothing became deliverable: streams need not know */
		struct str source; /* of the newest event that has one; NULL: none has */
	} * woken;                 /* queues with newly deliverable events */
	size_t woken_count, woken_cap;
	/* timers that the tick has taken from the heap; put back if the batch fails */
	struct due_timer *popped;
	size_t popped_count, popped_cap;
	/* timers that ops have set; added to the heap when the batch is written */
	struct due_timer *set;
	size_t set_count, set_cap;
	/* entries of timelines that give way */
	struct dropped_entry {
		int64_t outcome, event;
	} * drops;
	size_t drop_count, drop_cap;
	size_t duplicates;   /* drafts of this batch that were already queued */
	size_t new_sessions; /* that got an event and have no row yet */
	size_t walked;       /* entries of queues that ops have looked at one by one */
	size_t described;    /* sessions, in answers */
};

/* The lengths of all lists of the plan when an op began, so that the op can be undone. */
struct plan_mark {
	size_t journal, events, outcomes, keys, wants, woken, set, drops, duplicates, walked,
	    new_sessions, described;
	int64_t next_event, next_outcome;
};
struct plan_mark plan_mark(const struct plan *plan);
void plan_undo(struct plan *plan, struct plan_mark mark);
/* Returns the work of carrying out and answering what was planned since then (budget.h). */
size_t plan_work(const struct plan *plan, const struct op *op, struct plan_mark since);
/* Empties the plan. The batch has committed the catalog's journal or rolled it back. */
void plan_reset(struct plan *plan);
void plan_clear(struct plan *plan);

/*
 * Routes an address under the policy in force, as route_decide, or takes its queue key; failures
 * are in op->error; so is that the op's caller may not touch the queue. The queue key lives in the
 * op's arena, or as long as the address.
 */
int plan_route(struct plan *plan, struct op *op, const struct address *address,
	       struct cached_route *ret);
/* The name of the op's caller, for the history; NULL: it has none. */
struct str plan_caller_name(const struct op *op);
/*
 * Fails the op with ERROR_REROUTED, which names both keys: the call is only for the queue of the
 * key as sent, and the route leads to another.
 */
int plan_refuse_rerouted(struct op *op, const struct address *address,
			 const struct cached_route *route);
/* The same as plan_route, and finds the queue; NULL: nothing is pending there. */
int plan_queue(struct plan *plan, struct op *op, const struct address *address, struct str *key,
	       struct queue **queue);

/*
 * The same for an earlier request whose queue is known, whatever the policy in force says. kept
 * NULL: it is not known.
 */
int plan_kept_queue(struct plan *plan, struct op *op, const struct address *address,
		    struct str kept, struct str *key, struct queue **queue);

/*
 * Appends the event to the queue and to the records; sets its id, its state and, from delay_ms and
 * ttl_ms (0: none), its times. Takes over the caller's reference to tag. The event and its text are
 * borrowed until the batch is done.
 */
void plan_append(struct plan *plan, struct queue *queue, struct system_event *event,
		 uint64_t text_hash, uint32_t tag, int64_t delay_ms, int64_t ttl_ms);

/* Finds an idempotency key that an op of this batch has added; NULL: none has. */
const struct store_key *plan_find_key(const struct plan *plan, struct str key);
/* Records an idempotency key with its answer. key must live in its op's arena. */
void plan_add_key(struct plan *plan, struct store_key *key);
/* Replaces the answer of the index-th key of the records. */
void plan_set_key_answer(struct plan *plan, size_t index, struct str answer);

/* Records an outcome and returns its id. Its ids: ascending, borrowed until the batch is done. */
int64_t plan_record(struct plan *plan, struct queue *queue, struct store_outcome outcome);

/*
 * Removes pending events from their queue and records the outcome. Its ids: ascending, borrowed
 * until the batch is done.
 */
void plan_settle(struct plan *plan, struct queue *queue, struct store_outcome outcome);

/* Call after removals: makes the newest remaining context key the last context, or none. */
void plan_refresh_last(struct plan *plan, struct queue *queue);

/*
 * Drops an entry of a pending event's timeline: the outcome, which names so many events at most,
 * names this one no longer. outcome 0: there is none.
 */
void plan_drop_entry(struct plan *plan, int64_t outcome, int64_t event, size_t events);

/*
 * Has a pending event of the queue read into *into before the op is answered, with the state and
 * outcome given; its text will be in the op's arena. The caller has counted it in op->answer.
 */
void plan_want(struct plan *plan, struct op *op, struct queue *queue, const struct entry *entry,
	       enum event_state state, enum outcome_kind outcome, struct system_event *into);
/* The state of a pending event; the time when it becomes deliverable, 0 unless it is delayed. */
enum event_state entry_state(const struct entry *entry);
int64_t entry_available_at(const struct plan *plan, const struct entry *entry);
/*
 * Has an event of an earlier answer read into *into, which has its attempts, state and outcome as
 * they were then already, and its available_at_ms if that is not what the row says. The event may
 * have been deleted since. The caller counts it in op->answer.
 */
void plan_want_repeated(struct plan *plan, struct op *op, int64_t id, struct system_event *into);
/*
 * Counts one event more in op->answer. False, and not counted: the answer would be larger than any
 * may be, or than there is room for; not for its first event, which the batch may refuse.
 */
bool plan_answer_entry(const struct plan *plan, struct op *op, const struct queue *queue,
		       const struct entry *entry);
/*
 * Has a pending event read for a wake. It is part of no answer, and no op fails if it cannot be
 * read.
 */
void plan_want_for_wake(struct plan *plan, struct op *op, int64_t id, struct system_event *into);

/* The want, as the store reads it. Only of an earlier answer's events is the queue not known here.
 */
static inline struct wanted_event
plan_wanted(const struct want *want)
{
	return (struct wanted_event){ want->id, !want->old };
}

/* Sets a timer, which takes effect when the batch is written. */
void plan_set_timer(struct plan *plan, struct due_timer timer);

/* How many ops wait at a queue. */
static inline size_t
plan_waiters(const struct plan *plan, struct str queue_key)
{
	return waiting_count(&plan->state->waiting, queue_key);
}

/*
 * Notes that the queue is to be woken: by an event that became deliverable, or (NULL) by events
 * that came back from a lease. The event is borrowed until the batch is written; it may be one of
 * plan_want_for_wake that is not read yet.
 */
void plan_wake(struct plan *plan, struct queue *queue, const struct system_event *event);
/* The same, with wake "now" whatever event->wake is. */
void plan_wake_now(struct plan *plan, struct queue *queue, const struct system_event *event);
/*
 * Before the commit: records the last contexts that changed and that the store keeps apart from
 * events (struct store_context).
 */
void plan_gather_contexts(struct plan *plan);
/* Before the commit: records the dropped entries by their outcomes. */
void plan_gather_drops(struct plan *plan);
/*
 * After the write: adds the queues whose exclusive lease has ended, those whose last lease has
 * ended where somebody waits, maybe for an exclusive one, and merges the entries of each woken
 * queue into one.
 */
void plan_gather_woken(struct plan *plan);

#endif
