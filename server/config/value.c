/*
 * value.c - trees of values: read, merged, written.
 *
 * A merge uses its inputs up: every load of a file makes a tree of its own, so nothing is shared.
 */
#include "server/config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/json_text.h"

/* JavaScript's own names: OpenClaw drops the first from every object, all three from a merge. */
static bool
is_blocked(struct str name)
{
	return str_eq(name, STR("__proto__")) || str_eq(name, STR("prototype")) ||
	       str_eq(name, STR("constructor"));
}

void
config_value_append(struct config_value *container, struct config_value *value)
{
	value->next = NULL;
	if (container->last != NULL)
		container->last->next = value;
	else
		container->first = value;
	container->last = value;
}

struct config_value *
config_value_member(const struct config_value *object, const char *name)
{
	struct config_value *member;

	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (member = object->first; member != NULL; member = member->next)
		if (str_eq(member->name, str_of(name)))
			return member;
	return NULL;
}

/* --- reading --- */

static struct config_value *
read_token(const struct config_file *file, size_t token, struct arena *arena)
{
	const struct json *doc = &file->doc;
	struct config_value *value = arena_alloc(arena, sizeof(*value)), *item;

	value->type = (enum json_type)doc->tokens[token].type;
	value->file = file;
	value->offset = file->places.offsets[token];
	if (value->type == JSON_STRING)
		value->text = json_string(doc, token, arena);
	else if (value->type == JSON_NUMBER)
		value->text = json_raw(doc, token);
	if (value->type != JSON_OBJECT && value->type != JSON_ARRAY)
		return value;
	for (size_t t = json_first(doc, token); t != 0; t = json_next(doc, token, t)) {
		item = read_token(file, value->type == JSON_OBJECT ? t + 1 : t, arena);
		if (value->type == JSON_OBJECT)
			item->name = json_string(doc, t, arena);
		if (!str_eq(item->name, STR("__proto__")))
			config_value_append(value, item);
	}
	return value;
}

struct config_value *
config_value_read(const struct config_file *file, struct arena *arena)
{
	return read_token(file, 0, arena);
}

/* --- merging --- */

static int
by_name(const void *a, const void *b)
{
	const struct config_value *const *x = a, *const *y = b;

	return str_cmp((*x)->name, (*y)->name);
}

/* Drops blocked names from an object, and from the objects in it; arrays keep theirs. */
static void
sanitize(struct config_value *object)
{
	struct config_value *member = object->first, *next;

	object->first = object->last = NULL;
	for (; member != NULL; member = next) {
		next = member->next;
		if (is_blocked(member->name))
			continue;
		if (member->type == JSON_OBJECT)
			sanitize(member);
		config_value_append(object, member);
	}
}

static void
concatenate(struct config_value *base, struct config_value *over)
{
	if (over->first == NULL)
		return;
	if (base->last != NULL)
		base->last->next = over->first;
	else
		base->first = over->first;
	base->last = over->last;
}

/* The members of an object in a table; the caller frees it. */
static struct config_value **
list_members(const struct config_value *object, size_t *count)
{
	struct config_value **list, *member;

	*count = 0;
	for (member = object->first; member != NULL; member = member->next)
		(*count)++;
	list = mem_alloc((*count + 1) * sizeof(struct config_value *));
	*count = 0;
	for (member = object->first; member != NULL; member = member->next)
		list[(*count)++] = member;
	return list;
}

/* The one of that name in a table by name; NULL where there is none. */
static struct config_value *
find_member(struct config_value *named, struct config_value **table, size_t count)
{
	struct config_value **found =
	    bsearch(&named, table, count, sizeof(struct config_value *), by_name);

	return found != NULL ? *found : NULL;
}

/* Members keep base's order; what only over has comes behind them, in over's. */
static void
merge_objects(struct config_value *base, struct config_value *over)
{
	struct config_value *member, *next, *other, **in_order, **table;
	size_t count;

	sanitize(base);
	sanitize(over);
	in_order = list_members(over, &count);
	table = list_members(over, &count);
	qsort(table, count, sizeof(struct config_value *), by_name);
	member = base->first;
	base->first = base->last = NULL;
	for (; member != NULL; member = next) {
		next = member->next;
		other = find_member(member, table, count);
		if (other != NULL) {
			other->merged = true;
			member = config_value_merge(member, other);
		}
		config_value_append(base, member);
	}
	for (size_t i = 0; i < count; i++)
		if (!in_order[i]->merged)
			config_value_append(base, in_order[i]);
	free(in_order);
	free(table);
}

struct config_value *
config_value_merge(struct config_value *base, struct config_value *over)
{
	if (base->type == JSON_ARRAY && over->type == JSON_ARRAY) {
		concatenate(base, over);
		return base;
	}
	if (base->type != JSON_OBJECT || over->type != JSON_OBJECT)
		return over;
	merge_objects(base, over);
	return base;
}

/* --- writing --- */

static int write_value(const struct config_value *value, int depth, struct buf *out,
		       struct error *err);

static int
write_items(const struct config_value *value, int depth, struct buf *out, struct error *err)
{
	const bool object = value->type == JSON_OBJECT;
	const struct config_value *item;

	if (depth == JSON_DEPTH)
		return config_value_fail(err, value, "nested too deeply");
	buf_adds(out, object ? "{" : "[");
	for (item = value->first; item != NULL; item = item->next) {
		if (item != value->first)
			buf_adds(out, ",");
		if (object) {
			json_quote(out, item->name);
			buf_adds(out, ":");
		}
		if (write_value(item, depth + 1, out, err) != 0)
			return -1;
	}
	buf_adds(out, object ? "}" : "]");
	return 0;
}

static int
write_value(const struct config_value *value, int depth, struct buf *out, struct error *err)
{
	static const char *const words[] = {
		[JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true"
	};

	switch (value->type) {
	case JSON_STRING:
		json_quote(out, value->text);
		return 0;
	case JSON_NUMBER:
		buf_add(out, value->text.s, value->text.len);
		return 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return write_items(value, depth, out, err);
	default:
		buf_adds(out, words[value->type]);
		return 0;
	}
}

int
config_value_write(const struct config_value *value, struct buf *out, struct error *err)
{
	return write_value(value, 0, out, err);
}

/* --- failing --- */

int
config_value_fail(struct error *err, const struct config_value *value, const char *fmt, ...)
{
	char why[ERROR_DETAIL_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	error_set(err, ERROR_CONFIG, "policy %s: %s", value->file->path, why);
	if (err != NULL)
		json_locate(value->file->text.data, value->offset, &err->line, &err->column);
	return -1;
}
