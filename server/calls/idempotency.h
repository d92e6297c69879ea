/*
 * idempotency.h - the Idempotency-Key of a request.
 *
 * Here: reading the header, and what the queue is told of it. Not here: keeping answers (queue/).
 */
#ifndef SEVQ_SERVER_CALLS_IDEMPOTENCY_H
#define SEVQ_SERVER_CALLS_IDEMPOTENCY_H

#include "server/http/request.h"

/* For the queue: the key among those of one kind of call, and the request that it stands for. */
struct sevq_idempotency sevq_idempotency_of(struct sevq_request *request, char kind, struct sevq_str key, struct sevq_str sent);

/* The same for the request's op, of its header and body. -1 after answering that the header is no key. */
int sevq_idempotency_set(struct sevq_request *request, char kind);

#endif
