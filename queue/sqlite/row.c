/* row.c - columns to structs, and structs to parameters. */
#include "queue/sqlite/row.h"

#include <stdlib.h>

#include "queue/sqlite/ids.h"
#include "schema/session_key.h"
#include "schema/text.h"

int64_t
row_time(sqlite3_stmt *statement, int column)
{
	int64_t ms = sqlite3_column_int64(statement, column);

	return bounds_hold_time(ms) ? ms : 0;
}

struct str
row_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return (struct str){ text,
			     text != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0 };
}

struct str
row_value_text(sqlite3_value *value)
{
	const char *text = (const char *)sqlite3_value_text(value);

	return (struct str){ text, text != NULL ? (size_t)sqlite3_value_bytes(value) : 0 };
}

void
row_bind_text(sqlite3_stmt *statement, int index, struct str text)
{
	if (text.s == NULL)
		sqlite3_bind_null(statement, index);
	else
		sqlite3_bind_text64(statement, index, text.s, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

int
row_read_delivery(struct str text, struct json *json, struct arena *arena, struct delivery *ret)
{
	*ret = (struct delivery){ 0 };
	if (text.s == NULL)
		return 0;
	if (json_scan(json, text.s, text.len, NULL) < 0)
		return -1;
	return delivery_read(json, 0, arena, ret, NULL);
}

void
row_note_damage(struct sqlite_store *store, int64_t event)
{
	struct store *base = &store->base;

	base->damaged_reads++;
	for (size_t i = 0; i < STORE_DAMAGED_NAMED && i < base->damaged_named; i++)
		if (base->damaged[i] == event)
			return;
	base->damaged[base->damaged_named++ % STORE_DAMAGED_NAMED] = event;
}

bool
row_is_text(struct str text)
{
	return text.s == NULL || text_is_utf8(text.s, text.len);
}

bool
row_is_queue_key(struct str key)
{
	struct arena arena = { 0 };
	struct session_key parsed;
	bool is_key = key.len > 0 && key.len <= SESSION_KEY_BYTES_MAX && row_is_text(key) &&
		      str_starts(key, STR("agent:")) && /* not "Agent:" either */
		      session_key_parse(&arena, key, &parsed) == KEY_AGENT;

	arena_clear(&arena);
	return is_key;
}

bool
row_is_newest(const struct store_newest *newest)
{
	return newest->event >= 0 && newest->event <= BOUNDS_ID_MAX && newest->outcome >= 0 &&
	       newest->outcome <= BOUNDS_ID_MAX && bounds_hold_time(newest->ts_ms) &&
	       bounds_hold_time(newest->steady_ms);
}

/* The event is filled in. */
static bool
is_damaged(sqlite3_stmt *row, const struct system_event *event)
{
	int rule = sqlite3_column_int(row, 3), wake = sqlite3_column_int(row, 4),
	    prompt = sqlite3_column_int(row, 13);

	return !bounds_hold_id(event->id) || !bounds_hold_time(event->ts_ms) ||
	       !bounds_hold_time(event->available_at_ms) ||
	       !bounds_hold_time(event->expires_at_ms) || rule < 0 || rule >= RULE_COUNT ||
	       prompt < 0 || prompt >= PROMPT_KIND_COUNT ||
	       (wake != WAKE_NEXT_HEARTBEAT && wake != WAKE_NOW) || event->text.len == 0 ||
	       text_hash(event->text) != (uint64_t)sqlite3_column_int64(row, 14) ||
	       !row_is_text(event->session_key) || !row_is_text(event->context_key) ||
	       !row_is_text(event->original_session_key) || !row_is_text(event->source) ||
	       !row_is_text(event->traceparent);
}

int
row_read_event(struct sqlite_store *store, sqlite3_stmt *row, struct arena *arena,
	       struct system_event *ret)
{
	*ret = (struct system_event){
		.id = sqlite3_column_int64(row, 0),
		.ts_ms = sqlite3_column_int64(row, 1),
		.session_key = row_text(row, 2),
		.rule = (enum rule)sqlite3_column_int(row, 3),
		.wake = (enum wake)sqlite3_column_int(row, 4),
		.context_key = row_text(row, 5),
		.original_session_key = row_text(row, 7),
		.source = row_text(row, 8),
		.traceparent = row_text(row, 9),
		.text = row_text(row, 10),
		.available_at_ms = sqlite3_column_int64(row, 11),
		.expires_at_ms = sqlite3_column_int64(row, 12),
		.prompt = (enum prompt_kind)sqlite3_column_int(row, 13),
	};
	if (!is_damaged(row, ret) && row_read_delivery(row_text(row, 6), &store->delivery_json,
						       arena, &ret->delivery) == 0) {
		if (ret->original_session_key.s == NULL)
			ret->original_session_key = ret->session_key;
		return 0;
	}
	row_note_damage(store, ret->id);
	return -1;
}

/* All columns but the lists. */
static int
read_outcome(sqlite3_stmt *row, struct store_outcome *ret)
{
	*ret = (struct store_outcome){
		.id = sqlite3_column_int64(row, 0),
		.ts_ms = sqlite3_column_int64(row, 1),
		.kind = (enum outcome_kind)sqlite3_column_int(row, 2),
		.lease = sqlite3_column_int64(row, 4),
		.until_ms = sqlite3_column_int64(row, 5),
		.detail = row_text(row, 6),
		.session_row = sqlite3_column_int64(row, 8),
		.target_row = sqlite3_column_int64(row, 9),
	};
	return ret->kind >= 1 && ret->kind < OUTCOME_COUNT && bounds_hold_id(ret->id) &&
		       bounds_hold_time(ret->ts_ms) && bounds_hold_time(ret->until_ms) &&
		       row_is_text(ret->detail) &&
		       (ret->kind == OUTCOME_MOVED) == (ret->target_row > 0)
		   ? 0
		   : -1;
}

/* Reads a number of the attempts column; out of range: 0. */
static uint32_t
read_count(const struct json *json, size_t token)
{
	int64_t number;

	return json_int64(json, token, &number) && number >= 0 && number <= UINT32_MAX
		   ? (uint32_t)number
		   : 0;
}

/* Reads the attempts column: a JSON array of numbers, one an event; NULL: all 0. */
static int
read_counts(struct str text, struct arena *arena, struct store_outcome *outcome)
{
	struct json json = { 0 };
	size_t count = 0;

	if (text.s == NULL)
		return 0;
	uint32_t *counts = arena_alloc(arena, (outcome->count + 1) * sizeof(*counts));
	if (json_scan(&json, text.s, text.len, NULL) == 0 && json.tokens[0].type == JSON_ARRAY)
		for (size_t t = json_first(&json, 0); t != 0 && count <= outcome->count;
		     t = json_next(&json, 0, t))
			counts[count++] = read_count(&json, t);
	json_clear(&json);
	outcome->counts = counts;
	return count == outcome->count ? 0 : -1;
}

int
row_read_outcome(sqlite3_stmt *row, struct arena *arena, struct store_outcome *ret)
{
	if (read_outcome(row, ret) < 0 ||
	    !ids_read(row_text(row, 3), OUTCOME_EVENTS_MAX, arena, &ret->ids, &ret->count))
		return -1;
	return read_counts(row_text(row, 7), arena, ret);
}

int
row_read_outcome_of(sqlite3_stmt *row, int64_t event, struct arena *arena,
		    struct store_outcome *ret)
{
	struct store_outcome all;
	size_t place;
	int named = ids_find(row_text(row, 3), event, &place);

	if (named <= 0)
		return named;
	if (row_read_outcome(row, arena, &all) < 0)
		return -1;
	*ret = all;
	ret->ids = all.ids + place;
	ret->counts = all.counts != NULL ? all.counts + place : NULL;
	ret->count = 1;
	return 1;
}
