/*
 * budget.h - how much work one turn may do.
 *
 * Here: the estimates of work, in microseconds of processor time as they were measured on the
 * machines of tests/bench/RESULTS.md, and which ops a turn still has room for.
 * Not here: what an op does, how a batch is carried out (batch). Private to queue/.
 *
 * A turn takes many small ops and a few large ones, each from its own share. Large ops that find no
 * room wait for later turns, in order; small ones pass them, because they would otherwise wait for
 * all of them. The order between the ops of different clients means nothing, and a client has one
 * op under way on a connection. At least one large op is carried out in every turn.
 */
#ifndef QUEUE_BUDGET_H
#define QUEUE_BUDGET_H

#include "queue/op.h"

#define WORK_SMALL_MAX 75      /* an op with more is large */
#define TURN_SMALL_WORK 3000   /* of all small ops of a turn */
#define TURN_PLANNED_WORK 6000 /* of small ops as planned; above it no more are planned */
#define TURN_LARGE_WORK 5000   /* of all large ops, unless the first has more alone */
#define TURN_IN_VAIN_WORK 1500 /* of plans in vain; above it none of unknown work is planned */
#define TURN_HEAVY_WORK 1500   /* with a large op; chores wait for the next turn above it */
#define TURN_PAGE_TEXT_BYTES (512 << 10) /* read for pages of history; the last may exceed it */
#define WORK_OP 5                        /* any op: reading its request, planning, answering */
#define WORK_EVENT 2                     /* an event that is stored, or answered with */
#define WORK_RECORD 3       /* an outcome or a key that is stored, or a row that is answered with */
#define WORK_IDS 2          /* events of outcomes for a microsecond: acked, drained, extended */
#define WORK_DUPLICATE 3    /* a draft that is queued already: finding that out */
#define WORK_TEXT_BYTES 512 /* bytes of text for a microsecond: hashed, stored, copied */
#define WORK_CHANGES 8      /* changes of the catalog for a microsecond */
#define WORK_ENTRIES 64     /* entries of queues that are walked over for a microsecond */
#define WORK_DROPS 2        /* entries of timelines that are dropped for a microsecond */
#define WORK_SESSION 7      /* a session that has no row yet: in its index it may be anywhere */
#define WORK_SESSION_ROW 3  /* a session that is described, and its line in the answer */
#define WORK_LOOKUP 6       /* one lookup in the store */
#define WORK_ROW 1          /* an outcome that a walk looks at, which may be on any page */

/* The work done in the present turn. All zero begins a turn. */
struct budget {
	size_t small;           /* with what was planned in vain, for want of room */
	size_t large;           /* admitted, by what is known of it */
	size_t kept;            /* large ops, as they were planned */
	size_t page_text_bytes; /* read for pages of history, whether it is in them or not */
	size_t in_vain;         /* plans that found no room, without the reading of texts */
};

/* Whether one more page of history may be read: little text was read for those so far. */
static inline bool
budget_has_pages(const struct budget *budget)
{
	return budget->page_text_bytes <= TURN_PAGE_TEXT_BYTES;
}

/*
 * Whether there is room for the op, by op->work, or as a small one where that is 0; if so it is
 * counted.
 */
bool budget_admit(struct budget *budget, const struct op *op);

/*
 * Whether the plans of the ops before have shown so much work that this one, which was admitted by
 * what was known then, waits for the next turn unplanned.
 */
bool budget_is_used_up(const struct budget *budget, const struct op *op);

/* Whether the turn has carried out a large op and so much in all that chores should wait. */
bool budget_is_heavy(const struct budget *budget);

/*
 * The op was admitted and planned, and its plan is as much work as that. False: the turn has no
 * room for it. op->work is then set, so that the next turn knows.
 */
bool budget_keep(struct budget *budget, struct op *op, size_t work);

#endif
