/*
 * ids.c - ascending lists of event ids as JSON text, as an outcome's row stores them.
 *
 * Ranges keep the text short; SQLite's json_each reads it.
 */
#include "queue/sqlite/ids.h"

#include "queue/sqlite/bounds.h"
#include "schema/number.h"

static size_t
run_length(const int64_t *ids, size_t count)
{
	size_t n = 1;

	while (n < count && ids[n] == ids[n - 1] + 1)
		n++;
	return n;
}

void
ids_write(struct buf *out, const int64_t *ids, size_t count)
{
	for (size_t i = 0, run; i < count; i += run) {
		run = run_length(ids + i, count - i);
		buf_adds(out, i == 0 ? "[" : ",");
		if (run > 1)
			buf_adds(out, "[");
		buf_add_int(out, ids[i]);
		if (run > 1) {
			buf_adds(out, ",");
			buf_add_int(out, ids[i + run - 1]);
			buf_adds(out, "]");
		}
	}
	buf_adds(out, "]");
}

void
counts_write(struct buf *out, const uint32_t *counts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, i == 0 ? "[" : ",");
		buf_add_int(out, counts[i]);
	}
	buf_adds(out, "]");
}

static bool
read_id(const char **at, const char *end, int64_t *ret)
{
	const char *p = *at;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if (number_parse((struct str){ *at, (size_t)(p - *at) }, 1, BOUNDS_ID_MAX, ret) !=
	    NUMBER_PARSED)
		return false;
	*at = p;
	return true;
}

static bool
skip(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	++*at;
	return true;
}

bool
ids_next(const char **at, const char *end, struct id_range *range)
{
	const char *p = *at;
	struct id_range next = { 0 };

	if (range->last > 0 && skip(&p, end, ']') && p == end)
		return false;
	p = *at;
	bool fine = skip(&p, end, range->last > 0 ? ',' : '[');
	if (fine && skip(&p, end, '['))
		fine = read_id(&p, end, &next.first) && skip(&p, end, ',') &&
		       read_id(&p, end, &next.last) && skip(&p, end, ']');
	else if (fine && (fine = read_id(&p, end, &next.first)))
		next.last = next.first;
	if (!fine || next.first <= range->last || next.last < next.first) {
		*at = NULL;
		return false;
	}
	*at = p;
	*range = next;
	return true;
}

bool
ids_ends(struct str text, struct id_range *ret)
{
	const char *at = text.s, *end = text.s + text.len;
	struct id_range range = { 0 };

	if (!ids_next(&at, end, &range))
		return false;
	while (end > text.s && end[-1] == ']')
		end--;
	for (at = end; at > text.s && at[-1] >= '0' && at[-1] <= '9'; at--)
		continue;
	ret->first = range.first;
	return read_id(&at, end, &ret->last) && ret->first <= ret->last;
}

int
ids_find(struct str text, int64_t id, size_t *place)
{
	const char *at = text.s, *end = text.s + text.len;
	struct id_range range = { 0 };
	int64_t before = 0;

	while (range.last < id && ids_next(&at, end, &range)) {
		if (range.first <= id && id <= range.last) {
			*place = (size_t)(before + id - range.first);
			return 1;
		}
		before += range.last - range.first + 1;
	}
	return at != NULL ? 0 : -1;
}

bool
ids_read(struct str text, size_t most, struct arena *arena, int64_t **ids, size_t *count)
{
	const char *at = text.s, *end = text.s + text.len;
	struct id_range range = { 0 };
	size_t total = 0;

	while (ids_next(&at, end, &range)) {
		if (range.last - range.first >= (int64_t)(most - total))
			return false;
		total += (size_t)(range.last - range.first) + 1;
	}
	if (at == NULL)
		return false;
	*ids = arena_alloc(arena, (total + 1) * sizeof(**ids));
	*count = 0;
	range = (struct id_range){ 0 };
	for (at = text.s; ids_next(&at, end, &range);)
		for (int64_t id = range.first; id <= range.last; id++)
			(*ids)[(*count)++] = id;
	return true;
}
