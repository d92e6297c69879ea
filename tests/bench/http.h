/* http.h - requests and answers shared by the modes that load a sevqd. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include "load.h"

#define QUEUED "\"outcome\":\"queued\""
#define QUEUED_ONE "{" QUEUED ",\"event\":{\"id\":\""
#define TAKEN "\"originalSessionKey\":"

extern const struct protocol http;

/* Adds the head after the path; body NULL: the request has none. */
void http_add_head(struct form *form, const struct load *load, const struct form *body);

/* POST path, with this body. */
void http_add_request(struct form *form, const struct load *load, const char *path,
		      const struct form *body);

/* One event, as a body or among others. */
void http_add_event(struct form *form, const struct load *load, enum hole session);

/* POST /v1/events of one event. */
void http_make_post(const struct load *load, struct form *form);

void http_check(const struct load *load, const struct step *step, struct connection *c);

#endif
