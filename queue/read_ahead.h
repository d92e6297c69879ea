/*
 * read_ahead.h - texts of a long answer that are read before its op is planned for good.
 *
 * Reading 8 MiB of texts takes longer than a turn should, even out of memory, and a batch is
 * answered as a whole. So an op whose answer needs more than READ_AHEAD_BYTES is undone, and in
 * this turn and the next ones some of those events are copied or looked up, until little enough is
 * left. Then it is planned again, from the start: if its events have changed meanwhile, what was
 * read in vain is forgotten with the op.
 * Here: which events to read ahead, and those that are read. Not here: whose turn it is (batch).
 * Private to queue/.
 */
#ifndef QUEUE_READ_AHEAD_H
#define QUEUE_READ_AHEAD_H

#include "queue/plan.h"

#define READ_AHEAD_BYTES (512 << 10) /* of text, in a turn */

/*
 * Whether too much is to be read for the op, whose wants are the plan's from the first on. False
 * after a few rounds, whatever is left. Nothing is then looked up for it, until read_ahead_go_on.
 */
bool read_ahead_is_needed(const struct plan *plan, struct op *op, size_t first_want);

/* Copies some of those events that are in memory; op->ahead names others to look up next. */
void read_ahead_go_on(const struct plan *plan, struct op *op, size_t first_want);

/* Keeps an event that was looked up. */
void read_ahead_add(struct op *op, const struct system_event *event);

/* The event, in the op's arena; NULL: it is not read. */
const struct system_event *read_ahead_find(const struct op *op, int64_t id);

#endif
