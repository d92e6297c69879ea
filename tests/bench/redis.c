/*
 * redis.c - XADD, RPUSH and LPOP to a Redis, in RESP2. Each session has a stream or list under its
 * key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "modes.h"

/* --- requests --- */

static void
add_word(struct form *form, const char *word)
{
	form_addf(form, "$%zu\r\n%s\r\n", strlen(word), word);
}

static void
add_key(struct form *form, const struct load *load, enum hole hole)
{
	form_addf(form, "$%zu\r\n", key_bytes(load));
	form_add_key(form, load, hole);
	form_add(form, "\r\n");
}

static void
add_text(struct form *form, const struct load *load)
{
	form_addf(form, "$%zu\r\n", text_bytes(load));
	form_add_text(form, load);
	form_add(form, "\r\n");
}

static void
make_xadd(const struct load *load, struct form *form)
{
	form_add(form, "*5\r\n");
	add_word(form, "XADD");
	add_key(form, load, EVENT_SESSION);
	add_word(form, "*");
	add_word(form, "t");
	add_text(form, load);
}

static void
make_rpush(const struct load *load, struct form *form)
{
	uint64_t i;

	form_addf(form, "*%llu\r\n", (unsigned long long)load->size + 2);
	add_word(form, "RPUSH");
	add_key(form, load, ROUND_SESSION);
	for (i = 0; i < load->size; i++)
		add_text(form, load);
}

static void
make_lpop(const struct load *load, struct form *form)
{
	char size[24];

	snprintf(size, sizeof(size), "%llu", (unsigned long long)load->size);
	form_add(form, "*3\r\n");
	add_word(form, "LPOP");
	add_key(form, load, ROUND_SESSION);
	add_word(form, size);
}

/* --- answers --- */

/* The offset behind the line that begins at `from`; 0 when the line is incomplete. */
static size_t
end_of_line(const struct connection *c, size_t from)
{
	const char *lf =
	    from < c->answer.len ? memchr(c->answer.data + from, '\n', c->answer.len - from) : NULL;

	return lf != NULL ? (size_t)(lf - c->answer.data) + 1 : 0;
}

/* The number in the line that begins at `from`, after its type byte. */
static long long
number_at(const struct connection *c, size_t from)
{
	return strtoll(c->answer.data + from + 1, NULL, 10);
}

/* The offset behind the value at `from`, which is no array; 0 when it is incomplete. */
static size_t
end_of_value(const struct connection *c, size_t from)
{
	const size_t line = end_of_line(c, from);

	if (line == 0 || c->answer.data[from] != '$' || number_at(c, from) < 0)
		return line;
	return line + (size_t)number_at(c, from) + 2;
}

static size_t
end(struct connection *c)
{
	long long items = 0;
	size_t at;

	if (c->answer.data[0] != '*')
		return end_of_value(c, 0);
	at = end_of_line(c, 0);
	if (at > 0)
		items = number_at(c, 0);
	for (; at > 0 && items > 0; items--)
		at = end_of_value(c, at);
	return at;
}

/* The id of the new entry: milliseconds, a dash, a number. */
static void
check_xadd(const struct load *load, const struct step *step, struct connection *c)
{
	const size_t line = end_of_line(c, 0);

	(void)load;
	(void)step;
	if (c->answer.data[0] != '$' || number_at(c, 0) < 3 ||
	    memchr(c->answer.data + line, '-', c->end - line) == NULL)
		connection_wrong(c, "not the id of an entry");
}

/* The answer is the new length of the list. */
static void
check_rpush(const struct load *load, const struct step *step, struct connection *c)
{
	(void)step;
	if (c->answer.data[0] != ':' || number_at(c, 0) < (long long)load->size)
		connection_wrong(c, "not the length of a list");
}

/* The answer has as many texts as were asked for, each of the right length. */
static void
check_lpop(const struct load *load, const struct step *step, struct connection *c)
{
	const long long text = (long long)text_bytes(load);
	size_t at = end_of_line(c, 0);

	(void)step;
	if (c->answer.data[0] != '*' || number_at(c, 0) != (long long)load->size)
		connection_wrong(c, "not as many texts as it must be");
	for (; at < c->end; at = end_of_value(c, at))
		if (c->answer.data[at] != '$' || number_at(c, at) != text)
			connection_wrong(c, "not a text");
}

/* --- modes --- */

static const struct protocol resp = { .end = end };

/* clang-format off */
const struct mode xadd_mode = { "xadd", connections_run, &resp, connection_proceed, { { .make = make_xadd, .check = check_xadd } } };
const struct mode rpush_mode = { "rpush", connections_run, &resp, connection_proceed, { { .make = make_rpush, .check = check_rpush } } };
const struct mode lpop_mode = { "lpop", connections_run, &resp, connection_proceed, { { .make = make_lpop, .check = check_lpop } } };
/* clang-format on */
