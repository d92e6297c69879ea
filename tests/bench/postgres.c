/*
 * postgres.c - INSERT to a PostgreSQL: prepared once a connection, then Bind, Execute and Sync, in
 * protocol 3.
 *
 * It must trust us. The table is event(session, text); what else it has is filled in by itself.
 */
#include <arpa/inet.h>
#include <string.h>

#include "connections.h"
#include "modes.h"

#define VERSION 196608 /* protocol version 3.0 */
#define STARTUP "user\0postgres\0database\0postgres\0"
/* an unnamed statement; parameters have the types of their columns */
#define PARSE "\0INSERT INTO event (session, text) VALUES ($1, $2)\0\0"

/* BindComplete, CommandComplete, ReadyForQuery outside of a transaction: the only right answer. */
#define ANSWER "2\0\0\0\4C\0\0\0\17INSERT 0 1\0Z\0\0\0\5I"

static void
add_int32(struct buf *out, size_t n)
{
	const uint32_t bytes = htonl((uint32_t)n);

	buf_add(out, &bytes, sizeof(bytes));
}

static void
add_int16(struct buf *out, size_t n)
{
	const uint16_t bytes = htons((uint16_t)n);

	buf_add(out, &bytes, sizeof(bytes));
}

/* A message's length includes itself but not the type. */
static void
add_message(struct buf *out, const char *type, const void *body, size_t len)
{
	buf_adds(out, type);
	add_int32(out, len + 4);
	buf_add(out, body, len);
}

static void
add_bind(struct form *form, const struct load *load)
{
	form_add(form, "B");
	add_int32(&form->bytes, 4 + 1 + 1 + 2 + 2 + 4 + key_bytes(load) + 4 + text_bytes(load) + 2);
	form_add_bytes(form, "\0", 2); /* unnamed portal and statement */
	add_int16(&form->bytes, 0);    /* all parameters in text format */
	add_int16(&form->bytes, 2);
	add_int32(&form->bytes, key_bytes(load));
	form_add_key(form, load, EVENT_SESSION);
	add_int32(&form->bytes, text_bytes(load));
	form_add_text(form, load);
	add_int16(&form->bytes, 0); /* all results in text format */
}

static void
make_insert(const struct load *load, struct form *form)
{
	add_bind(form, load);
	add_message(&form->bytes, "E", "\0\0\0\0", 5); /* the unnamed portal, all rows */
	add_message(&form->bytes, "S", "", 0);
}

static size_t
message_end(const struct connection *c, size_t at)
{
	uint32_t len;

	memcpy(&len, c->answer.data + at + 1, sizeof(len));
	return at + 1 + ntohl(len);
}

/*
 * Finds the end of ReadyForQuery, which ends every answer. After a refusal at startup it never
 * comes; the server closes the connection.
 */
static size_t
end(struct connection *c)
{
	size_t at = 0, from = 0;

	while (at + 5 <= c->answer.len) {
		from = at;
		at = message_end(c, at);
		if (at <= c->answer.len && c->answer.data[from] == 'Z')
			return at;
	}
	return 0;
}

static void
refuse_errors(const struct connection *c)
{
	size_t at;

	for (at = 0; at < c->end; at = message_end(c, at))
		if (c->answer.data[at] == 'E')
			connection_wrong(c, "an error");
}

static void
ask(struct load *load, struct connection *c)
{
	connection_ask(load, c);
	refuse_errors(c);
	c->request.len = 0;
}

static void
open_session(struct load *load, struct connection *c)
{
	c->request.len = 0;
	add_int32(&c->request, 8 + sizeof(STARTUP));
	add_int32(&c->request, VERSION);
	buf_add(&c->request, STARTUP, sizeof(STARTUP));
	ask(load, c);
	add_message(&c->request, "P", PARSE, sizeof(PARSE));
	add_message(&c->request, "S", "", 0);
	ask(load, c);
}

static void
check_insert(const struct load *load, const struct step *step, struct connection *c)
{
	(void)load;
	(void)step;
	if (c->end != sizeof(ANSWER) - 1 || memcmp(c->answer.data, ANSWER, c->end) != 0)
		connection_wrong(c, "not inserted");
}

static const struct protocol postgres = { .open = open_session, .end = end };

/* clang-format off */
const struct mode insert_mode = { "insert", connections_run, &postgres, connection_proceed, { { .make = make_insert, .check = check_insert } } };
/* clang-format on */
