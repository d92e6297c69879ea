/*
 * Prints tables. Anybody who can post an event chooses texts in them, so every cell is escaped
 * before it is measured.
 */
#include "client/command/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <wchar.h>

#include <unistd.h>

#include "client/clock.h"
#include "client/command/memory.h"
#include "client/command/number.h"
#include "client/command/say.h"

#define WIDTH_DEFAULT 80
#define TEXT_WIDTH_MIN 8 /* of a column that is cut */
#define GAP 2

#define BOLD "\033[1m"
#define RED "\033[31m"
#define UNPAINTED "\033[0m"

/* Returns how many columns of the screen a character takes. */
static size_t
width_of(long c)
{
	int width = wcwidth((wchar_t)c);

	return width < 0 ? 1 : (size_t)width;
}

static size_t
text_width(const char *s)
{
	size_t width = 0, len;

	for (; *s != '\0'; s += len)
		width += width_of(sevq_decode(s, &len));
	return width;
}

/* Returns how many bytes of s fit into the width, and takes theirs from it. */
static size_t
bytes_that_fit(const char *s, size_t *width)
{
	const char *start = s;
	size_t len;

	for (; *s != '\0'; s += len) {
		size_t w = width_of(sevq_decode(s, &len));

		if (w > *width)
			break;
		*width -= w;
	}
	return (size_t)(s - start);
}

void
sevq_table_init(struct sevq_table *table, const struct sevq_column *columns, size_t column_count)
{
	assert(column_count <= SEVQ_COLUMNS_MAX);
	memset(table, 0, sizeof(*table));
	table->columns = columns;
	table->column_count = column_count;
}

void
sevq_table_clear(struct sevq_table *table)
{
	size_t i;

	for (i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}

void
sevq_table_add(struct sevq_table *table, const char *text)
{
	if (table->cell_count == table->cell_cap) {
		table->cell_cap = table->cell_cap + table->cell_cap / 2 + 64;
		table->cells = sevq_allocated(
		    reallocarray(table->cells, table->cell_cap, sizeof(*table->cells)));
	}
	table->cells[table->cell_count++] = sevq_escaped(text != NULL ? text : "");
}

void
sevq_table_add_number(struct sevq_table *table, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	sevq_table_add(table, digits);
}

/* Writes an age in its largest unit, rounded down. A time in the future has the age 0. */
static void
format_age(int64_t seconds, char *out, size_t size)
{
	if (seconds < 60)
		snprintf(out, size, "%" PRId64 "s", seconds > 0 ? seconds : 0);
	else if (seconds < 3600)
		snprintf(out, size, "%" PRId64 "m", seconds / 60);
	else if (seconds < 86400)
		snprintf(out, size, "%" PRId64 "h", seconds / 3600);
	else
		snprintf(out, size, "%" PRId64 "d", seconds / 86400);
}

const char *
sevq_time_text(int64_t time_ms, char out[SEVQ_TIME_BYTES])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(out, SEVQ_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

void
sevq_table_add_time(struct sevq_table *table, int64_t time_ms)
{
	char text[SEVQ_TIME_BYTES] = "";

	if (time_ms != 0 && isatty(STDOUT_FILENO))
		format_age(sevq_clock_wall_ms() / 1000 - time_ms / 1000, text, sizeof(text));
	else if (time_ms != 0)
		sevq_time_text(time_ms, text);
	sevq_table_add(table, text);
}

/* Returns the width of the terminal; 0: standard output is not a terminal. */
static size_t
screen_width(void)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	int64_t width;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return columns != NULL && sevq_number_read(columns, &width) ? (size_t)width : WIDTH_DEFAULT;
}

static void
print_spaces(size_t count)
{
	while (count-- > 0)
		putchar(' ');
}

/* Prints a text in lines of the width, each but the first behind so many spaces. */
static void
print_wrapped(const char *text, size_t width, size_t before)
{
	size_t left = width, some = bytes_that_fit(text, &left);

	printf("%.*s", (int)some, text);
	while (text[some] != '\0' && some > 0) {
		text += some;
		left = width;
		some = bytes_that_fit(text, &left);
		putchar('\n');
		print_spaces(before);
		printf("%.*s", (int)some, text);
	}
}

/*
 * Prints what fits of a text that takes more than the width: of one word, such as a key, both ends;
 * of others the beginning.
 */
static void
print_cut(const char *text, size_t taken, size_t width, bool last)
{
	bool word = strchr(text, ' ') == NULL;
	size_t head = word ? width / 2 : width - 1, tail = width - 1 - head, len;

	printf("%.*s>", (int)bytes_that_fit(text, &head), text);
	for (; word && taken > tail; text += len)
		taken -= width_of(sevq_decode(text, &len));
	if (word)
		fputs(text, stdout);
	print_spaces(last ? 0 : head + tail - (word ? taken : 0));
}

/* Prints one cell, cut to the width, or padded to it unless it is the last of its line. */
static void
print_cell(const char *text, size_t width, bool right, bool last)
{
	size_t taken = text_width(text);

	if (taken > width) {
		print_cut(text, taken, width, last);
		return;
	}
	if (right)
		print_spaces(width - taken);
	fputs(text, stdout);
	if (!right && !last)
		print_spaces(width - taken);
}

/*
 * Measures the columns: the width of each, 0 if all its cells are empty. Returns the last column
 * that is not empty, and in *head whether any has a title.
 */
static size_t
measure(const struct sevq_table *table, size_t widths[SEVQ_COLUMNS_MAX], bool *head)
{
	size_t i, width, last = 0;

	memset(widths, 0, SEVQ_COLUMNS_MAX * sizeof(*widths));
	*head = false;
	for (i = 0; i < table->cell_count; i++) {
		width = text_width(table->cells[i]);
		if (width > widths[i % table->column_count])
			widths[i % table->column_count] = width;
	}
	for (i = 0; i < table->column_count; i++) {
		if (widths[i] == 0)
			continue;
		last = i;
		*head |= table->columns[i].title[0] != '\0';
		if (text_width(table->columns[i].title) > widths[i])
			widths[i] = text_width(table->columns[i].title);
	}
	return last;
}

/*
 * Takes from the widest column of texts, again and again, until the table fits the screen. Of one
 * that wraps only the last column gives.
 */
static void
fit_to_screen(const struct sevq_table *table, size_t widths[SEVQ_COLUMNS_MAX], size_t last)
{
	size_t screen = screen_width(), total = 0, widest, i;

	for (i = 0; i <= last; i++)
		total += widths[i] > 0 ? widths[i] + (i < last ? GAP : 0) : 0;
	for (; screen > 0 && total > screen; total--) {
		widest = last;
		for (i = 0; i < last && !table->wraps; i++)
			if (!table->columns[i].right && widths[i] > widths[widest])
				widest = i;
		if (widths[widest] <= TEXT_WIDTH_MIN)
			return;
		widths[widest]--;
	}
}

/* https://no-color.org */
static bool
may_paint(void)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
	       terminal != NULL && strcmp(terminal, "") != 0 && strcmp(terminal, "dumb") != 0;
}

static void
print_painted(const char *text, size_t width, bool right, bool last, const char *paint)
{
	if (paint != NULL)
		fputs(paint, stdout);
	print_cell(text, width, right, last);
	if (paint != NULL)
		fputs(UNPAINTED, stdout);
}

/* Prints a row without spaces at its end. row NULL: the titles. */
static void
print_row(const struct sevq_table *table, char *const *row, const size_t widths[SEVQ_COLUMNS_MAX],
	  size_t last, bool paints)
{
	size_t i, before = 0;

	while (row != NULL && last > 0 && row[last][0] == '\0')
		last--;
	for (i = 0; i <= last; i++) {
		if (widths[i] == 0)
			continue;
		if (table->wraps && row != NULL && i + 1 == table->column_count)
			print_wrapped(row[i], widths[i], before);
		else
			print_painted(row != NULL ? row[i] : table->columns[i].title, widths[i],
				      table->columns[i].right, i == last,
				      !paints                                      ? NULL
				      : row == NULL                                ? BOLD
				      : i + 1 == table->alarm && row[i][0] != '\0' ? RED
										   : NULL);
		if (i < last)
			print_spaces(GAP);
		before += widths[i] + GAP;
	}
	putchar('\n');
}

void
sevq_table_print(const struct sevq_table *table)
{
	size_t widths[SEVQ_COLUMNS_MAX], last, i;
	bool head, paints = may_paint();

	if (table->cell_count == 0)
		return;
	last = measure(table, widths, &head);
	fit_to_screen(table, widths, last);
	if (head)
		print_row(table, NULL, widths, last, paints);
	for (i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
		print_row(table, table->cells + i, widths, last, paints);
}
