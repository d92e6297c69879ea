/*
 * change.h - what a stream of changes tells: of queues, and of the server.
 *
 * Here: how they are at the moment, as the data of server-sent events. Not here: who is told, and
 * when (stream.h).
 */
#ifndef SERVER_CALLS_CHANGE_H
#define SERVER_CALLS_CHANGE_H

#include "server/calls/calls.h"

/* What is told of the server. */
struct server_now {
	bool ready;
	char policy_hash[TEXT_SHA256_BYTES]; /* empty: there is no policy file */
	struct strands strands;
};

struct server_now server_now(const struct calls *calls);
bool server_now_same(const struct server_now *a, const struct server_now *b);

/* Both add JSON. own: for a token that is told of some agents only, what is no secret to it. */
void server_now_add(struct buf *out, const struct server_now *now, bool own);
void change_add(struct buf *out, const struct engine *engine, struct str queue_key);

#endif
