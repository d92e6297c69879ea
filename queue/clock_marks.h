/*
 * clock_marks.h - which time it was when a row was written, whatever the wall clock said.
 *
 * Rows are stamped with the wall clock, which people read, and which may jump either way. The queue
 * counts time on a clock of its own, the steady clock, which never jumps. A mark says how far the
 * wall clock was ahead of the steady clock for all rows from an id on, up to the next mark. There
 * is one mark for each start of the machine and for each jump of its clock. Rows before the first
 * mark have a wall clock that is level with the steady one.
 *
 * Steady time goes on while no server runs. After a restart on a machine that kept running, the
 * kernel's boot clock says how long that was. After a start of the machine only the wall clock can
 * say, and it may be wrong. Delays, leases and times to live must trust it. What removes history
 * need not: it counts proven time, which is the steady time without what only the wall clock said.
 *
 * Here: the list of marks and what follows from it for a row. Not here: when a mark is made
 * (steady.c), where marks are stored (queue/sqlite/).
 */
#ifndef QUEUE_CLOCK_MARKS_H
#define QUEUE_CLOCK_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock_mark {
	int64_t event, outcome; /* the lowest ids of rows that it is about */
	int64_t ahead_ms;       /* the wall clock less the steady clock */
	int64_t unproven_ms;    /* the steady clock less proven time */
	uint64_t boot_id;       /* of the kernel's run (clock.h); 0: unknown */
	int64_t boot_ahead_ms;  /* the boot clock of that run less the steady clock */
};

/*
 * In ascending order of both ids. All zero is an empty list. Invariant: within one mark the times
 * of rows never decrease.
 */
struct clock_marks {
	struct clock_mark *items;
	size_t count, cap;
};

void clock_marks_clear(struct clock_marks *marks);
void clock_marks_add(struct clock_marks *marks, const struct clock_mark *mark);

/* The mark of an event, an outcome, or the newest; all zero before the first. */
struct clock_mark clock_marks_of_event(const struct clock_marks *marks, int64_t event);
struct clock_mark clock_marks_of_outcome(const struct clock_marks *marks, int64_t outcome);
struct clock_mark clock_marks_newest(const struct clock_marks *marks);

/*
 * How many of the marks begin at or before the row: it belongs to the mark before that index, and
 * the rows of that mark end before those of the next one begin.
 */
size_t clock_marks_index_of_event(const struct clock_marks *marks, int64_t event);
size_t clock_marks_index_of_outcome(const struct clock_marks *marks, int64_t outcome);

/* How many of the first marks are about no row from these ids on; and drops so many. */
size_t clock_marks_unneeded(const struct clock_marks *marks, int64_t event, int64_t outcome);
void clock_marks_drop(struct clock_marks *marks, size_t count);

#endif
