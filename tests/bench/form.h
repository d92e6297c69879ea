/*
 * form.h - a request made once, with holes for what differs from one to the next.
 *
 * Every number but a lease's id is written with the same number of digits, so that what a request
 * says of its length stays true. Here: forms, and what goes into their holes. Not here: what a
 * protocol puts around it.
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
	EVENT,         /* the number of the next event, which is the next no longer */
	LEASE,         /* the id of the connection's lease: as many digits as it has */
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

/* A session's key, and how long it is. */
void form_add_key(struct form *form, const struct load *load, enum hole hole);
size_t key_bytes(const struct load *load);

/* The text of the next event, which no other has, nor an earlier run's; and how long it is. */
void form_add_text(struct form *form, const struct load *load);
size_t text_bytes(const struct load *load);

/* The length of what form_fill appends; a lease's id counts as nothing. */
size_t form_bytes(const struct form *form);

void form_fill(const struct form *form, struct load *load, const struct connection *c,
	       struct buf *out);
void form_clear(struct form *form);

#endif
