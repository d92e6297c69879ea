/*
 * table.h - tables for people.
 *
 * Here: aligned columns, cut to the width of the terminal; ages.
 * Not here: escaping (say), JSON for programs, which is printed as the server wrote it.
 */
#ifndef SEVQ_COMMAND_TABLE_H
#define SEVQ_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEVQ_COLUMNS_MAX 12

struct sevq_column {
	const char *title;
	bool right; /* aligned to the right, as numbers are */
};

/*
 * Filled by init, emptied by clear. If memory runs out, the functions below end the process with a
 * message: the command has nothing else to do.
 */
struct sevq_table {
	const struct sevq_column *columns;
	size_t column_count;
	char **cells;
	size_t cell_count, cell_cap;
	size_t alarm; /* set after init: what stands in this column, from 1, is bad news; 0: none */
	bool wraps; /* set after init: the last column goes on in further lines instead of being cut
		     */
};

void sevq_table_init(struct sevq_table *table, const struct sevq_column *columns,
		     size_t column_count);
void sevq_table_clear(struct sevq_table *table);

/* Add the next cell, row by row. NULL is an empty cell. */
void sevq_table_add(struct sevq_table *table, const char *text);
void sevq_table_add_number(struct sevq_table *table, uint64_t number);

/* Writes a time as "2026-11-22T17:04:05Z" into out, and returns out. */
#define SEVQ_TIME_BYTES 32
const char *sevq_time_text(int64_t time_ms, char out[SEVQ_TIME_BYTES]);

/*
 * Adds a cell with a time: on a terminal its age ("5m"), else "2026-11-22T17:04:05Z". 0 is an empty
 * cell.
 */
void sevq_table_add_time(struct sevq_table *table, int64_t time_ms);

/*
 * Prints the table on standard output. A column whose cells are all empty is left out. If no column
 * has a title, there is no line of titles. On a terminal the columns of texts are cut until the
 * table is as wide as that, the widest first, or the last one is wrapped; titles are bold and bad
 * news are red, unless NO_COLOR is set or the terminal is dumb.
 */
void sevq_table_print(const struct sevq_table *table);

#endif
