/* clock_marks.c - a sorted array; rows are found in it by binary search, and mostly in the last. */
#include "queue/clock_marks.h"

#include <stdlib.h>
#include <string.h>

#include "schema/mem.h"

void
clock_marks_clear(struct clock_marks *marks)
{
	free(marks->items);
	*marks = (struct clock_marks){ 0 };
}

void
clock_marks_add(struct clock_marks *marks, const struct clock_mark *mark)
{
	marks->items = mem_grow(marks->items, &marks->cap, marks->count + 1, sizeof(*marks->items));
	marks->items[marks->count++] = *mark;
}

static int64_t
first_id(const struct clock_mark *mark, bool of_events)
{
	return of_events ? mark->event : mark->outcome;
}

/* How many marks begin at or before the id. */
static size_t
find(const struct clock_marks *marks, int64_t id, bool of_events)
{
	size_t low = 0, high = marks->count;

	if (high > 0 && first_id(&marks->items[high - 1], of_events) <= id)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (first_id(&marks->items[mid], of_events) <= id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct clock_mark
mark_before(const struct clock_marks *marks, size_t index)
{
	return index > 0 ? marks->items[index - 1] : (struct clock_mark){ 0 };
}

struct clock_mark
clock_marks_of_event(const struct clock_marks *marks, int64_t event)
{
	return mark_before(marks, find(marks, event, true));
}

struct clock_mark
clock_marks_of_outcome(const struct clock_marks *marks, int64_t outcome)
{
	return mark_before(marks, find(marks, outcome, false));
}

struct clock_mark
clock_marks_newest(const struct clock_marks *marks)
{
	return mark_before(marks, marks->count);
}

size_t
clock_marks_index_of_event(const struct clock_marks *marks, int64_t event)
{
	return find(marks, event, true);
}

size_t
clock_marks_index_of_outcome(const struct clock_marks *marks, int64_t outcome)
{
	return find(marks, outcome, false);
}

size_t
clock_marks_unneeded(const struct clock_marks *marks, int64_t event, int64_t outcome)
{
	size_t of_events = find(marks, event, true), of_outcomes = find(marks, outcome, false);
	size_t needed = of_events < of_outcomes ? of_events : of_outcomes;

	return needed > 1 ? needed - 1 : 0;
}

void
clock_marks_drop(struct clock_marks *marks, size_t count)
{
	if (count == 0)
		return;
	marks->count -= count;
	memmove(marks->items, marks->items + count, marks->count * sizeof(*marks->items));
}
