/*
 * idempotency.h - the Idempotency-Key of a request.
 *
 * Here: reading the header, and what the queue is told of it. Not here: keeping answers (queue/).
 */
#ifndef SEVQ_SERVER_IDEMPOTENCY_H
#define SEVQ_SERVER_IDEMPOTENCY_H

#include "server/request.h"

/*
 * The key as the client means it, *ret; NULL: the header was not sent. It is a string of RFC 8941 ("abc", with \" and \\),
 * or bare text without quotes. -1 after answering that it is neither, or empty, or too long.
 */
int sevq_idempotency_read(struct sevq_request *request, struct sevq_str *ret);

/* For the queue: the key among those of one kind of call, and the request that it stands for. */
struct sevq_idempotency sevq_idempotency_of(struct sevq_request *request, char kind, struct sevq_str key, struct sevq_str sent);

/* Both, for the request's op and its body. */
int sevq_idempotency_set(struct sevq_request *request, char kind);

#endif
