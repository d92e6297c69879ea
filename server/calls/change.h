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
struct server_state {
	bool ready;
	char policy_hash[TEXT_SHA256_BYTES]; /* empty: there is no policy file */
	struct strands strands;
};

struct server_state server_state(const struct calls *calls);
/*
 * restricted: for a token for some agents, which is told only what is no secret to it. Whether both
 * read the same.
 */
bool server_state_same(const struct server_state *a, const struct server_state *b, bool restricted);

/* Both add JSON. */
void server_state_add(struct buf *out, const struct server_state *state, bool restricted);
void change_add(struct buf *out, const struct engine *engine, struct str queue_key);

#endif
