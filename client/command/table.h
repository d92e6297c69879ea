/*
 * table.h - tables and texts for people.
 *
 * Here: aligned columns, cut to the width of a terminal; ages; text made harmless.
 * Not here: JSON for programs; that is the server's own.
 */
#ifndef SEVQ_COMMAND_TABLE_H
#define SEVQ_COMMAND_TABLE_H

#include <stdint.h>

#include "client/buffer.h"

#define SEVQ_COLUMNS_MAX 8

struct sevq_column {
	const char *title;
	bool right; /* numbers */
};

/*
 * Made by init, freed by clear. Out of memory ends the process with a message: nothing here is
 * worth going on for.
 */
struct sevq_table {
	const struct sevq_column *columns;
	size_t column_count;
	char **cells;
	size_t cell_count, cell_cap;
};

void sevq_table_init(struct sevq_table *table, const struct sevq_column *columns,
		     size_t column_count);
void sevq_table_clear(struct sevq_table *table);

/* The next cell, row by row. NULL is an empty one. */
void sevq_table_add(struct sevq_table *table, const char *text);
void sevq_table_add_number(struct sevq_table *table, uint64_t number);

/* A time as text, "2026-11-22T17:04:05Z"; returns its second argument. */
#define SEVQ_TIME_BYTES 32
const char *sevq_time_text(int64_t time_ms, char out[SEVQ_TIME_BYTES]);

/*
 * How long ago on a terminal ("5m"), else the time itself ("2026-11-22T17:04:05Z"). 0 is an empty
 * cell.
 */
void sevq_table_add_time(struct sevq_table *table, int64_t time_ms);

/*
 * Prints on standard output. Columns without a title are what they are; a column that is empty in
 * every row is left out; with no titles at all there is no head. On a terminal the last column is
 * cut to the width.
 */
void sevq_table_print(const struct sevq_table *table);

/*
 * Text in one line and harmless to a terminal: control characters, line and direction marks and
 * bytes that are not UTF-8 are written as \n, \t, \r, \u{1b}, \x{ff}. The caller frees it.
 */
char *sevq_escaped(const char *text);

/* The process ends if p is NULL. */
void *sevq_need(void *p);

#endif
