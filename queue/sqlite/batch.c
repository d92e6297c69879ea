/*
 * batch.c - the records of the commit under way, as tables that SQLite reads from.
 *
 * A statement for each record is bound, started and ended each time: a quarter of what its row
 * costs. So SQLite is shown the batch as two virtual tables, and one INSERT ... SELECT a commit
 * takes each. They are empty but while a commit runs.
 */
#include "queue/sqlite/batch.h"

#include <stdlib.h>

#include "queue/sqlite/ids.h"

/* What stands in a column. A time of 0 and a text of NULL are null. */
enum type { INT64, INT, BOOL, TIME, TEXT, DELIVERY, ORIGINAL_KEY, IDS, ATTEMPTS };

struct column {
	const char *name;
	enum type type;
	/*
	 * of a member of the record, or of the record's own struct where that takes more than a
	 * member
	 */
	size_t offset;
};

#define EVENT(member) offsetof(struct store_event, member)
#define OUTCOME(member) offsetof(struct store_outcome, member)

/* In the order of schema/sql. */
static const struct column event_columns[] = {
	{ "id", INT64, EVENT(event.id) },
	{ "session", INT64, EVENT(session_row) },
	{ "ts", INT64, EVENT(event.ts_ms) },
	{ "text_hash", INT64, EVENT(text_hash) },
	{ "text_bytes", INT64, EVENT(event.text.len) },
	{ "rule", INT, EVENT(event.rule) },
	{ "wake", INT, EVENT(event.wake) },
	{ "exec", BOOL, EVENT(event.exec_completion) },
	{ "available_at", TIME, EVENT(event.available_at_ms) },
	{ "expires_at", TIME, EVENT(event.expires_at_ms) },
	{ "context_key", TEXT, EVENT(event.context_key) },
	{ "delivery", DELIVERY, EVENT(event.delivery) },
	{ "original_key", ORIGINAL_KEY, EVENT(event) },
	{ "source", TEXT, EVENT(event.source) },
	{ "traceparent", TEXT, EVENT(event.traceparent) },
	{ "text", TEXT, EVENT(event.text) },
};

static const struct column outcome_columns[] = {
	{ "id", INT64, OUTCOME(id) },
	{ "ts", INT64, OUTCOME(ts_ms) },
	{ "kind", INT, OUTCOME(kind) },
	{ "session", INT64, OUTCOME(session_row) },
	{ "events", IDS, 0 },
	{ "lease", TIME, OUTCOME(lease) },
	{ "until", TIME, OUTCOME(until_ms) },
	{ "detail", TEXT, OUTCOME(detail) },
	{ "attempts", ATTEMPTS, 0 },
};

_Static_assert(sizeof(size_t) == sizeof(int64_t) && sizeof(enum rule) == sizeof(int),
	       "numbers are read by their width");

/* One list of the batch. */
struct list {
	const char *name;
	const struct column *columns;
	size_t column_count, record_bytes;
	size_t records, count; /* offsets of the list's members in the batch */
};

#define LIST(singular, plural)                                                                     \
	{                                                                                          \
		"batch_" #singular, singular##_columns,                                            \
		    sizeof(singular##_columns) / sizeof(struct column),                            \
		    sizeof(struct store_##singular), offsetof(struct store_batch, plural),         \
		    offsetof(struct store_batch, singular##_count)                                 \
	}

static const struct list lists[] = { LIST(event, events), LIST(outcome, outcomes) };

#define LISTS (sizeof(lists) / sizeof(*lists))

struct view {
	sqlite3_vtab base;
	struct sqlite_store *store;
	const struct list *list;
};

struct cursor {
	sqlite3_vtab_cursor base;
	const char *records;
	size_t row, count;
};

/* --- values --- */

/* It is there until the statement has ended or, in the scratch, until the next row. */
static void
say_text(sqlite3_context *into, struct str text)
{
	if (text.s != NULL)
		sqlite3_result_text64(into, text.s, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void
say_written(sqlite3_context *into, const struct buf *scratch)
{
	say_text(into, (struct str){ scratch->data, scratch->len });
}

static void
say_delivery(sqlite3_context *into, const struct delivery *delivery, struct buf *scratch)
{
	if (delivery_none(delivery))
		return;
	scratch->len = 0;
	delivery_write(scratch, delivery);
	say_written(into, scratch);
}

static void
say_ids(sqlite3_context *into, const struct store_outcome *outcome, struct buf *scratch)
{
	scratch->len = 0;
	ids_write(scratch, outcome->ids, outcome->count);
	say_written(into, scratch);
}

/*
 * Seldom there, and not in the scratch, where the ids are. Apart from the other columns, which
 * would all pay for its buffer.
 */
static void __attribute__((noinline))
say_attempts(sqlite3_context *into, const struct store_outcome *outcome)
{
	struct buf text = { 0 };

	if (outcome->attempts == NULL)
		return;
	for (size_t i = 0; i < outcome->count; i++) {
		buf_adds(&text, i == 0 ? "[" : ",");
		buf_add_int(&text, outcome->attempts[i]);
	}
	buf_adds(&text, "]");
	sqlite3_result_text64(into, text.data, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	buf_clear(&text);
}

/* Null where it is the queue key itself. */
static void
say_original_key(sqlite3_context *into, const struct system_event *event)
{
	if (!str_eq(event->original_session_key, event->session_key))
		say_text(into, event->original_session_key);
}

static void
say(sqlite3_context *into, enum type type, const void *value, struct buf *scratch)
{
	switch (type) {
	case INT64:
		sqlite3_result_int64(into, *(const int64_t *)value);
		break;
	case INT:
		sqlite3_result_int(into, *(const int *)value);
		break;
	case BOOL:
		sqlite3_result_int(into, *(const bool *)value);
		break;
	case TIME:
		if (*(const int64_t *)value != 0)
			sqlite3_result_int64(into, *(const int64_t *)value);
		break;
	case TEXT:
		say_text(into, *(const struct str *)value);
		break;
	case DELIVERY:
		say_delivery(into, value, scratch);
		break;
	case ORIGINAL_KEY:
		say_original_key(into, value);
		break;
	case IDS:
		say_ids(into, value, scratch);
		break;
	case ATTEMPTS:
		say_attempts(into, value);
		break;
	}
}

/* --- what SQLite asks of a virtual table --- */

static int
declare(sqlite3 *db, const struct list *list)
{
	struct buf sql = { 0 };

	for (size_t i = 0; i < list->column_count; i++)
		buf_addf(&sql, "%s%s", i == 0 ? "CREATE TABLE x(" : ",", list->columns[i].name);
	buf_add(&sql, ")", sizeof(")"));
	int rc = sqlite3_declare_vtab(db, sql.data);
	buf_clear(&sql);
	return rc;
}

static int
view_connect(sqlite3 *db, void *store, int argc, const char *const *argv, sqlite3_vtab **ret,
	     char **err)
{
	struct view *view = mem_alloc(sizeof(*view));

	(void)argc, (void)err;
	view->store = store;
	view->list = lists;
	while (strcmp(view->list->name, argv[0]) != 0)
		view->list++;
	*ret = &view->base;
	return declare(db, view->list);
}

static int
view_disconnect(sqlite3_vtab *view)
{
	free(view);
	return SQLITE_OK;
}

/* There is one way to read it: all of it, in order. */
static int
view_best_index(sqlite3_vtab *view, sqlite3_index_info *info)
{
	(void)view, (void)info;
	return SQLITE_OK;
}

static int
view_open(sqlite3_vtab *view, sqlite3_vtab_cursor **ret)
{
	struct cursor *cursor = mem_alloc(sizeof(*cursor));

	(void)view;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int
view_close(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int
view_begin(sqlite3_vtab_cursor *base, int number, const char *name, int argc, sqlite3_value **argv)
{
	struct cursor *cursor = (struct cursor *)base;
	const struct view *view = (const struct view *)base->pVtab;
	const char *batch = (const char *)view->store->batch;

	(void)number, (void)name, (void)argc, (void)argv;
	cursor->row = cursor->count = 0;
	if (batch == NULL)
		return SQLITE_OK;
	cursor->records = *(const char *const *)(batch + view->list->records);
	cursor->count = *(const size_t *)(batch + view->list->count);
	return SQLITE_OK;
}

static int
view_next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *)cursor)->row++;
	return SQLITE_OK;
}

static int
view_at_end(sqlite3_vtab_cursor *cursor)
{
	return ((struct cursor *)cursor)->row == ((struct cursor *)cursor)->count;
}

static int
view_column(sqlite3_vtab_cursor *base, sqlite3_context *into, int number)
{
	const struct cursor *cursor = (const struct cursor *)base;
	const struct view *view = (const struct view *)base->pVtab;
	const struct column *column = &view->list->columns[number];

	say(into, column->type,
	    cursor->records + cursor->row * view->list->record_bytes + column->offset,
	    &view->store->scratch);
	return SQLITE_OK;
}

static int
view_row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct cursor *)cursor)->row;
	return SQLITE_OK;
}

int
sqlite_show_batches(struct sqlite_store *store)
{
	static const sqlite3_module module = {
		.xConnect = view_connect, /* and no xCreate: the table is there by its name */
		.xBestIndex = view_best_index,
		.xDisconnect = view_disconnect,
		.xOpen = view_open,
		.xClose = view_close,
		.xFilter = view_begin,
		.xNext = view_next,
		.xEof = view_at_end,
		.xColumn = view_column,
		.xRowid = view_row_id,
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < LISTS; i++)
		rc = sqlite3_create_module(store->db, lists[i].name, &module, store);
	return rc;
}
