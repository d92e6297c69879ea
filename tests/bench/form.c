/*
 * form.c - requests that are built once.
 *
 * The generator shares the processors with the server that it measures, so sending a request must
 * cost no more than a few memcpy and a dozen digits.
 */
#include "form.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"

#define SESSION_DIGITS 8
#define EVENT_DIGITS 10
#define DIGITS_MAX 16

/* The parts of an event's JSON body around its key and its text. */
#define AROUND "{\"sessionKey\":\"\",\"text\":\"\"}"

void
form_add_bytes(struct form *form, const void *bytes, size_t len)
{
	buf_add(&form->bytes, bytes, len);
}

void
form_add(struct form *form, const char *s)
{
	buf_adds(&form->bytes, s);
}

void
form_addf(struct form *form, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	form_add(form, text);
}

void
form_add_hole(struct form *form, enum hole hole)
{
	form->holes = mem_grow(form->holes, &form->cap, form->count + 1, sizeof(form->holes[0]));
	form->holes[form->count].at = form->bytes.len;
	form->holes[form->count++].hole = hole;
}

void
form_add_form(struct form *form, const struct form *other)
{
	const size_t before = form->bytes.len;
	size_t i;

	form_add_bytes(form, other->bytes.data, other->bytes.len);
	for (i = 0; i < other->count; i++) {
		form_add_hole(form, other->holes[i].hole);
		form->holes[form->count - 1].at = before + other->holes[i].at;
	}
}

static size_t
digits_of(enum hole hole)
{
	static const size_t digits[] = { [EVENT_SESSION] = SESSION_DIGITS,
					 [ROUND_SESSION] = SESSION_DIGITS,
					 [OWN_SESSION] = SESSION_DIGITS,
					 [EVENT] = EVENT_DIGITS,
					 [LEASE] = 0 };

	return digits[hole];
}

size_t
form_bytes(const struct form *form)
{
	size_t i, bytes = form->bytes.len;

	for (i = 0; i < form->count; i++)
		bytes += digits_of(form->holes[i].hole);
	return bytes;
}

/* --- events --- */

size_t
key_bytes(const struct load *load)
{
	return strlen(load->prefix) + SESSION_DIGITS;
}

void
form_add_key(struct form *form, const struct load *load, enum hole hole)
{
	form_add(form, load->prefix);
	form_add_hole(form, hole);
}

size_t
text_bytes(const struct load *load)
{
	const size_t around = strlen(AROUND) + key_bytes(load);

	if (load->body_bytes < around + 80)
		errx(2, "--body-bytes must be %zu at the least", around + 80);
	return load->body_bytes - around;
}

void
form_add_text(struct form *form, const struct load *load)
{
	struct form text = { 0 };
	const size_t wanted = text_bytes(load);

	form_add(&text, "Exec completed (build ");
	form_add_hole(&text, EVENT);
	form_addf(&text, " of %llu, code 0) ", (unsigned long long)load->from_us);
	while (form_bytes(&text) < wanted)
		form_add_bytes(&text, "event ", wanted - form_bytes(&text) >= 6 ? 6 : 1);
	form_add_form(form, &text);
	form_clear(&text);
}

/* --- filling in --- */

/* xorshift64: every session is equally likely, and every run of a load makes the same choices. */
static uint64_t
roll(struct load *load)
{
	load->dice ^= load->dice << 13;
	load->dice ^= load->dice >> 7;
	load->dice ^= load->dice << 17;
	return load->dice;
}

static uint64_t
value_of(enum hole hole, struct load *load, const struct connection *c)
{
	switch (hole) {
	case EVENT_SESSION:
		return (load->random ? roll(load) : load->events_sent) % load->sessions;
	case ROUND_SESSION:
		return load->rounds_begun % load->sessions;
	case OWN_SESSION:
		return c->session;
	case EVENT:
		return load->events_sent++;
	case LEASE:
		break;
	}
	return 0;
}

static void
add_digits(struct buf *out, size_t width, uint64_t n)
{
	char digits[DIGITS_MAX];
	size_t i;

	for (i = width; i-- > 0; n /= 10)
		digits[i] = (char)('0' + n % 10);
	buf_add(out, digits, width);
}

static void
fill_hole(enum hole hole, struct load *load, const struct connection *c, struct buf *out)
{
	if (hole == LEASE)
		buf_adds(out, c->lease);
	else
		add_digits(out, digits_of(hole), value_of(hole, load, c));
}

void
form_fill(const struct form *form, struct load *load, const struct connection *c, struct buf *out)
{
	size_t i, at = 0;

	for (i = 0; i < form->count; i++) {
		buf_add(out, form->bytes.data + at, form->holes[i].at - at);
		at = form->holes[i].at;
		fill_hole(form->holes[i].hole, load, c, out);
	}
	buf_add(out, form->bytes.data + at, form->bytes.len - at);
}

void
form_clear(struct form *form)
{
	buf_clear(&form->bytes);
	free(form->holes);
	*form = (struct form){ 0 };
}
