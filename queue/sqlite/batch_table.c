/*
 * batch_table.c - the records of the commit under way, as virtual tables that SQLite reads from.
 *
 * An INSERT for each record would bind, start and end a statement each time, which is a quarter of
 * what the row costs. Instead SQLite sees the batch as two virtual tables, batch_event and
 * batch_outcome, and one INSERT ... SELECT a commit copies each. They are empty except while a
 * commit runs.
 */
#include "queue/sqlite/batch_table.h"

#include <stdlib.h>

#include "queue/sqlite/ids.h"

/* The type of a column. A TIME of 0 and a TEXT of NULL become SQL's NULL. */
enum type { INT64, INT, TIME, TEXT, DELIVERY, ORIGINAL_KEY, IDS, COUNTS };

struct column {
	const char *name;
	enum type type;
	/* in the record: of the member, or of the struct that the value is made from */
	size_t offset;
};

#define EVENT(member) offsetof(struct store_event, member)
#define OUTCOME(member) offsetof(struct store_outcome, member)

/* The columns of both tables stand in the order of schema/sql. */
static const struct column event_columns[] = {
	{ "id", INT64, EVENT(event.id) },
	{ "session", INT64, EVENT(session_row) },
	{ "ts", INT64, EVENT(event.ts_ms) },
	{ "text_hash", INT64, EVENT(text_hash) },
	{ "text_bytes", INT64, EVENT(event.text.len) },
	{ "rule", INT, EVENT(event.rule) },
	{ "wake", INT, EVENT(event.wake) },
	{ "exec", INT, EVENT(event.prompt) },
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
	{ "attempts", COUNTS, 0 },
	{ "target", TIME, OUTCOME(target_row) },
};

_Static_assert(sizeof(size_t) == sizeof(int64_t) && sizeof(enum rule) == sizeof(int),
	       "numbers are read by their width");

/* One list of records in a batch. */
struct record_list {
	const char *name;
	const struct column *columns;
	size_t column_count, record_bytes;
	size_t records, count; /* offsets in struct store_batch: of the array, and of its length */
};

#define RECORD_LIST(singular, plural)                                                              \
	{                                                                                          \
		"batch_" #singular, singular##_columns,                                            \
		    sizeof(singular##_columns) / sizeof(struct column),                            \
		    sizeof(struct store_##singular), offsetof(struct store_batch, plural),         \
		    offsetof(struct store_batch, singular##_count)                                 \
	}

static const struct record_list record_lists[] = { RECORD_LIST(event, events),
						   RECORD_LIST(outcome, outcomes) };

#define RECORD_LISTS (sizeof(record_lists) / sizeof(*record_lists))

struct batch_table {
	sqlite3_vtab base;
	struct sqlite_store *store;
	const struct record_list *list;
};

struct cursor {
	sqlite3_vtab_cursor base;
	const char *records;
	size_t row, count;
};

/* --- values --- */

/* The text stays until the statement has ended; in the scratch, until the next row. */
static void
result_text(sqlite3_context *into, struct str text)
{
	if (text.s != NULL)
		sqlite3_result_text64(into, text.s, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void
result_scratch(sqlite3_context *into, const struct buf *scratch)
{
	result_text(into, (struct str){ scratch->data, scratch->len });
}

static void
result_delivery(sqlite3_context *into, const struct delivery *delivery, struct buf *scratch)
{
	if (delivery_none(delivery))
		return;
	scratch->len = 0;
	delivery_write(scratch, delivery);
	result_scratch(into, scratch);
}

static void
result_ids(sqlite3_context *into, const struct store_outcome *outcome, struct buf *scratch)
{
	scratch->len = 0;
	ids_write(scratch, outcome->ids, outcome->count);
	result_scratch(into, scratch);
}

/*
 * Counts are rare. They have a buffer of their own, because the row's ids are still in the
 * scratch; and a function of its own that is not inlined, so that no other column pays for the
 * buffer.
 */
static void __attribute__((noinline))
result_counts(sqlite3_context *into, const struct store_outcome *outcome)
{
	struct buf text = { 0 };

	if (outcome->counts == NULL)
		return;
	counts_write(&text, outcome->counts, outcome->count);
	sqlite3_result_text64(into, text.data, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	buf_clear(&text);
}

/* NULL where the original key is the queue key itself. */
static void
result_original_key(sqlite3_context *into, const struct system_event *event)
{
	if (!str_eq(event->original_session_key, event->session_key))
		result_text(into, event->original_session_key);
}

static void
result_column(sqlite3_context *into, enum type type, const void *value, struct buf *scratch)
{
	switch (type) {
	case INT64:
		sqlite3_result_int64(into, *(const int64_t *)value);
		break;
	case INT:
		sqlite3_result_int(into, *(const int *)value);
		break;
	case TIME:
		if (*(const int64_t *)value != 0)
			sqlite3_result_int64(into, *(const int64_t *)value);
		break;
	case TEXT:
		result_text(into, *(const struct str *)value);
		break;
	case DELIVERY:
		result_delivery(into, value, scratch);
		break;
	case ORIGINAL_KEY:
		result_original_key(into, value);
		break;
	case IDS:
		result_ids(into, value, scratch);
		break;
	case COUNTS:
		result_counts(into, value);
		break;
	}
}

/* --- the methods of the virtual tables --- */

static int
declare_table(sqlite3 *db, const struct record_list *list)
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
vtab_connect(sqlite3 *db, void *store, int argc, const char *const *argv, sqlite3_vtab **ret,
	     char **err)
{
	struct batch_table *table = mem_alloc(sizeof(*table));

	(void)argc, (void)err;
	table->store = store;
	table->list = record_lists;
	while (strcmp(table->list->name, argv[0]) != 0)
		table->list++;
	*ret = &table->base;
	return declare_table(db, table->list);
}

static int
vtab_disconnect(sqlite3_vtab *table)
{
	free(table);
	return SQLITE_OK;
}

/* There is one plan: read all rows, in order. */
static int
vtab_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table, (void)info;
	return SQLITE_OK;
}

static int
vtab_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret)
{
	struct cursor *cursor = mem_alloc(sizeof(*cursor));

	(void)table;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int
vtab_close(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int
vtab_filter(sqlite3_vtab_cursor *base, int number, const char *name, int argc, sqlite3_value **argv)
{
	struct cursor *cursor = (struct cursor *)base;
	const struct batch_table *table = (const struct batch_table *)base->pVtab;
	const char *batch = (const char *)table->store->batch;

	(void)number, (void)name, (void)argc, (void)argv;
	cursor->row = cursor->count = 0;
	if (batch == NULL)
		return SQLITE_OK;
	cursor->records = *(const char *const *)(batch + table->list->records);
	cursor->count = *(const size_t *)(batch + table->list->count);
	return SQLITE_OK;
}

static int
vtab_next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *)cursor)->row++;
	return SQLITE_OK;
}

static int
vtab_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct cursor *)cursor)->row == ((struct cursor *)cursor)->count;
}

static int
vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *into, int number)
{
	const struct cursor *cursor = (const struct cursor *)base;
	const struct batch_table *table = (const struct batch_table *)base->pVtab;
	const struct column *column = &table->list->columns[number];

	result_column(into, column->type,
		      cursor->records + cursor->row * table->list->record_bytes + column->offset,
		      &table->store->scratch);
	return SQLITE_OK;
}

static int
vtab_row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct cursor *)cursor)->row;
	return SQLITE_OK;
}

int
batch_table_create(struct sqlite_store *store)
{
	static const sqlite3_module module = {
		.xConnect = vtab_connect, /* no xCreate: the table exists by its name alone */
		.xBestIndex = vtab_best_index,
		.xDisconnect = vtab_disconnect,
		.xOpen = vtab_open,
		.xClose = vtab_close,
		.xFilter = vtab_filter,
		.xNext = vtab_next,
		.xEof = vtab_eof,
		.xColumn = vtab_column,
		.xRowid = vtab_row_id,
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < RECORD_LISTS; i++)
		rc = sqlite3_create_module(store->db, record_lists[i].name, &module, store);
	return rc;
}
