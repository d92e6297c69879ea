/*
 * http.c - posts, batches, drains, and leases with their acks, to a sevqd.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "modes.h"

/* --- requests --- */

void
http_add_head(struct form *form, const struct load *load, const struct form *body)
{
	form_addf(form, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer ",
		  (int)load->port);
	form_add(form, load->token);
	form_add(form, "\r\n");
	if (body != NULL)
		form_addf(form, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			  form_bytes(body));
	form_add(form, "\r\n");
}

void
http_add_request(struct form *form, const struct load *load, const char *path,
		 const struct form *body)
{
	form_add(form, "POST ");
	form_add(form, path);
	http_add_head(form, load, body);
	form_add_form(form, body);
}

void
http_add_event(struct form *form, const struct load *load, enum hole session)
{
	form_add(form, "{\"sessionKey\":\"");
	form_add_key(form, load, session);
	form_add(form, "\",\"text\":\"");
	form_add_text(form, load);
	form_add(form, "\"}");
}

void
http_make_post(const struct load *load, struct form *form)
{
	struct form body = { 0 };

	http_add_event(&body, load, EVENT_SESSION);
	http_add_request(form, load, "/v1/events", &body);
	form_clear(&body);
}

static void
make_batch(const struct load *load, struct form *form)
{
	struct form body = { 0 };
	uint64_t i;

	form_add(&body, "{\"events\":[");
	for (i = 0; i < load->size; i++) {
		form_add(&body, i > 0 ? "," : "");
		http_add_event(&body, load, EVENT_SESSION);
	}
	form_add(&body, "]}");
	http_add_request(form, load, "/v1/events", &body);
	form_clear(&body);
}

static void
make_take(const struct load *load, struct form *form, const char *path)
{
	struct form body = { 0 };

	form_add(&body, "{\"sessionKey\":\"");
	form_add_key(&body, load, ROUND_SESSION);
	form_addf(&body, "\",\"limit\":%llu}", (unsigned long long)load->size);
	http_add_request(form, load, path, &body);
	form_clear(&body);
}

static void
make_drain(const struct load *load, struct form *form)
{
	make_take(load, form, "/v1/drain");
}

static void
make_lease(const struct load *load, struct form *form)
{
	make_take(load, form, "/v1/leases");
}

static void
make_ack(const struct load *load, struct form *form)
{
	struct form body = { 0 };

	form_add(&body, "{}");
	form_add(form, "POST /v1/leases/");
	form_add_hole(form, LEASE);
	form_add(form, "/ack");
	http_add_head(form, load, &body);
	form_add_form(form, &body);
	form_clear(&body);
}

/* --- answers --- */

/* The text after `word`, if it begins there, or NULL. */
static const char *
after(const char *at, const char *word)
{
	return strncmp(at, word, strlen(word)) == 0 ? at + strlen(word) : NULL;
}

/* Parses the head line by line. */
static size_t
end(struct connection *c)
{
	const char *line = c->answer.data, *length = NULL, *lf;

	for (; (lf = memchr(line, '\n', (size_t)(c->answer.data + c->answer.len - line))) != NULL;
	     line = lf + 1) {
		if (*line == '\r')
			break;
		if (length == NULL)
			length = after(line, "Content-Length: ");
		c->closes |= after(line, "Connection: close") != NULL;
	}
	if (lf == NULL)
		return 0;
	if (length == NULL)
		connection_wrong(c, "an answer without a length");
	c->body = (size_t)(lf + 1 - c->answer.data);
	return c->body + strtoul(length, NULL, 10);
}

/* The text after the next occurrence of the mark, or NULL. */
static const char *
behind(const struct connection *c, size_t from, const char *mark)
{
	const char *at = memmem(c->answer.data + from, c->end - from, mark, strlen(mark));

	return at != NULL ? at + strlen(mark) : NULL;
}

static uint64_t
occurrences(const struct connection *c, const char *mark)
{
	size_t at = c->body;
	const char *next;
	uint64_t n = 0;

	while ((next = behind(c, at, mark)) != NULL) {
		at = (size_t)(next - c->answer.data);
		n++;
	}
	return n;
}

static uint64_t
number_behind(const struct connection *c, const char *mark)
{
	const char *number = behind(c, c->body, mark);

	return number != NULL ? strtoull(number, NULL, 10) : 0;
}

static uint64_t
events_of(const struct step *step, const struct connection *c)
{
	if (step->begins != NULL)
		return c->end - c->body > strlen(step->begins) &&
		       after(c->answer.data + c->body, step->begins) != NULL;
	return step->marks != NULL ? occurrences(c, step->marks) : number_behind(c, step->count);
}

void
http_check(const struct load *load, const struct step *step, struct connection *c)
{
	if (c->body < 16 || memcmp(c->answer.data, "HTTP/1.1 ", 9) != 0 ||
	    atoi(c->answer.data + 9) != step->status)
		connection_wrong(c, "not the status it must be");
	if (events_of(step, c) != load->size)
		connection_wrong(c, "not as many events as it must be");
}

/* --- modes --- */

/* A lease and its ack are one round; the lease's id is kept in between. */
static void
proceed_lease(struct load *load, struct connection *c)
{
	const char *id = behind(c, c->body, "\"leaseId\":\"");
	size_t digits;

	if (c->at == 1) {
		connection_proceed(load, c);
		return;
	}
	digits = id != NULL ? strspn(id, "0123456789") : 0;
	if (digits == 0 || digits >= sizeof(c->lease))
		connection_wrong(c, "a lease without an id");
	memcpy(c->lease, id, digits);
	c->lease[digits] = '\0';
	connection_send(load, c, 1);
}

const struct protocol http = { .end = end };

#define STEP(...)                                                                                  \
	{                                                                                          \
		.check = http_check, __VA_ARGS__                                                   \
	}

/* clang-format off */
const struct mode post_mode = { "post", connections_run, &http, connection_proceed, {
	STEP(.make = http_make_post, .status = 201, .begins = QUEUED_ONE) } };

const struct mode batch_mode = { "batch", connections_run, &http, connection_proceed, {
	STEP(.make = make_batch, .status = 200, .marks = QUEUED) } };

const struct mode drain_mode = { "drain", connections_run, &http, connection_proceed, {
	STEP(.make = make_drain, .status = 200, .marks = TAKEN) } };

const struct mode lease_mode = { "lease", connections_run, &http, proceed_lease, {
	STEP(.make = make_lease, .status = 200, .marks = TAKEN),
	STEP(.make = make_ack, .status = 200, .count = "\"acked\":") } };
/* clang-format on */
