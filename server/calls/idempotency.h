/*
 * idempotency.h - the Idempotency-Key of a request.
 *
 * Here: reading the header, and what the queue is told of it. Not here: keeping answers (queue/).
 */
#ifndef SERVER_CALLS_IDEMPOTENCY_H
#define SERVER_CALLS_IDEMPOTENCY_H

#include "schema/event.h"
#include "server/http/reply.h"

/* For the queue: the key among those of one kind of call, and the request that it stands for. */
struct idempotency idempotency_key_of(struct request *request, char kind, struct str key,
				      struct str sent);

/*
 * The same for the request's op, of its header and body. -1 after answering that the header is no
 * key.
 */
int idempotency_key_set(struct request *request, char kind);

/* A quoted string of RFC 8941 section 3.3.3, decoded. False: it is none, or more than one. */
bool idempotency_unquote(struct arena *arena, struct str text, struct str *ret);

/* Adds Idempotency-Replayed where the answer of the request's op is an earlier one. */
void idempotency_note_replay(const struct request *request, struct reply *reply);

#endif
