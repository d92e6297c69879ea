/* timers.c - a binary heap, the earliest timer at its top; of equal ones that of the oldest id. */
#include "queue/catalog/timers.h"

#include <stdlib.h>

#include "schema/mem.h"

#define COMPACT_MIN 1024

static void
swap(struct due_timer *a, struct due_timer *b)
{
	struct due_timer c = *a;

	*a = *b;
	*b = c;
}

static bool
is_before(const struct due_timer *a, const struct due_timer *b)
{
	return a->at_boot_ms != b->at_boot_ms ? a->at_boot_ms < b->at_boot_ms : a->id < b->id;
}

static void
sift_up(struct timers *timers, size_t i)
{
	for (; i > 0 && is_before(&timers->heap[i], &timers->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&timers->heap[i], &timers->heap[(i - 1) / 2]);
}

static void
sift_down(struct timers *timers, size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < timers->count; child++)
			if (is_before(&timers->heap[child], &timers->heap[least]))
				least = child;
		if (least == i)
			return;
		swap(&timers->heap[i], &timers->heap[least]);
		i = least;
	}
}

void
timers_add(struct timers *timers, struct due_timer timer)
{
	timers->heap =
	    mem_grow(timers->heap, &timers->cap, timers->count + 1, sizeof(*timers->heap));
	timers->heap[timers->count++] = timer;
	sift_up(timers, timers->count - 1);
}

const struct due_timer *
timers_first(const struct timers *timers)
{
	return timers->count > 0 ? &timers->heap[0] : NULL;
}

void
timers_pop(struct timers *timers)
{
	timers->heap[0] = timers->heap[--timers->count];
	sift_down(timers, 0);
}

bool
timers_mostly_stale(const struct timers *timers, size_t needed)
{
	return timers->count > 2 * needed + COMPACT_MIN && timers->count >= timers->compact_at;
}

/*
 * A pass that dropped less than half is not repeated before there are twice as many timers, so that
 * its cost stays in proportion to timers_add.
 */
void
timers_compact(struct timers *timers, bool (*needed)(const struct due_timer *timer, void *arg),
	       void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < timers->count; i++)
		if (needed(&timers->heap[i], arg))
			timers->heap[kept++] = timers->heap[i];
	timers->compact_at = kept > timers->count / 2 ? 2 * kept : 0;
	timers->count = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sift_down(timers, i);
}

void
timers_clear(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}
