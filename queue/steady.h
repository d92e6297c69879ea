/*
 * steady.h - the queue's own clock, and the time that rows are stamped with.
 *
 * Three times are kept: the stamp, which follows the wall clock; steady time, which decides when a
 * delay, a lease or a time to live is over and how old an event is; and proven time, which decides
 * what is forgotten (clock_marks.h). The stamp does not decrease while the wall clock is at most
 * STAMP_BEHIND_MS behind it. A wall clock that is further behind was put right after it had run
 * ahead: the stamp follows it back.
 *
 * Here: reading the kernel's clocks into these three, over jumps and restarts. Not here: the
 * kernel's clocks (clock.h), timers (catalog/timers.h). Private to queue/.
 */
#ifndef QUEUE_STEADY_H
#define QUEUE_STEADY_H

#include "queue/clock.h"
#include "queue/clock_marks.h"

#define STAMP_BEHIND_MS 60000

struct steady {
	struct clock_marks marks; /* of stored rows, and the newest for those to come */
	bool unstored;            /* the newest mark is in no commit yet */
	int64_t stamp_ms;         /* the newest stamp */
	int64_t steady_ms;
	int64_t boot_ms; /* the boot clock at the same moment */
	/* how often the wall clock was found put back, or ahead, by more than STAMP_BEHIND_MS */
	uint64_t jumps;
	int64_t last_jump_ms; /* by how much, below 0: back */
};

/* Begins without rows. */
void steady_begin(struct steady *steady, const struct clock *now);
void steady_clear(struct steady *steady);

/* The times that a store has kept. */
struct steady_stored {
	const struct clock_marks *marks; /* of its rows; copied */
	int64_t stamp_ms;                /* of the newest row */
	int64_t steady_ms;               /* the latest that it knows of */
	int64_t event, outcome;          /* the lowest ids of rows to come */
};

/* Continues from what is stored, and takes a reading of the clocks. */
void steady_continue(struct steady *steady, const struct steady_stored *stored,
		     const struct clock *now);

/* Takes a reading of the clocks, before rows with these ids or higher are written. */
void steady_read(struct steady *steady, const struct clock *now, int64_t event, int64_t outcome);

/* Steady time when the boot clock shows this, at the last reading or later. */
int64_t steady_now_ms(const struct steady *steady, int64_t boot_ms);

/* Proven time at the last reading. */
int64_t steady_proven_ms(const struct steady *steady);

/* Steady time when the row with this id was stamped so. */
int64_t steady_of_event(const struct steady *steady, int64_t event, int64_t stamp_ms);
int64_t steady_of_outcome(const struct steady *steady, int64_t outcome, int64_t stamp_ms);

#endif
