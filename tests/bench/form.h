/*
 * form.h - a request that is built once, with holes for the parts that differ between requests.
 *
 * Every number but a lease's id has a fixed number of digits, so that the stated length of a
 * request stays right. Here: forms and the values of their holes. Not here: protocols.
 */
#ifndef BENCH_FORM_H
#define BENCH_FORM_H

#include <stdint.h>

#include "schema/mem.h"

struct load;
struct connection;

enum hole {
	EVENT_SESSION, /* the session of the next event: in turn, or any */
	ROUND_SESSION, /* the session of this round: in turn */
	OWN_SESSION,   /* the connection's */
	EVENT,         /* the number of the next event; counts up */
	LEASE,         /* the id of the connection's lease, with as many digits as it needs */
};

/* All zero is an empty form. */
struct form {
	struct buf bytes;
	struct {
		size_t at; /* before this byte */
		enum hole hole;
	} * holes;
	size_t count, cap;
};

void form_add(struct form *form, const char *s);
void form_addf(struct form *form, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void form_add_bytes(struct form *form, const void *bytes, size_t len);
void form_add_hole(struct form *form, enum hole hole);
void form_add_form(struct form *form, const struct form *other);

/* A session's key and its length. */
void form_add_key(struct form *form, const struct load *load, enum hole hole);
size_t key_bytes(const struct load *load);

/* The text of the next event, unique over all runs, and its length. */
void form_add_text(struct form *form, const struct load *load);
size_t text_bytes(const struct load *load);

/* The number of bytes that form_fill appends, without the lease's id. */
size_t form_bytes(const struct form *form);

void form_fill(const struct form *form, struct load *load, const struct connection *c,
	       struct buf *out);
void form_clear(struct form *form);

#endif
