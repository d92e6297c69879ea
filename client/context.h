/*
 * context.h - the context, and how a call goes through it.
 *
 * Here: what every public call is made of: begin, refuse or import its options, build a request,
 * run it.
 * Not here: the calls themselves (events.c, lease.c, history.c, sessions.c, stream.c).
 */
#ifndef SEVQ_CLIENT_CONTEXT_H
#define SEVQ_CLIENT_CONTEXT_H

#include "client/answer.h"
#include "client/http.h"

struct sevq_client {
	struct sevq_error error; /* of the last call; code SEVQ_OK if it succeeded */
	struct sevq_endpoint endpoint;
	struct sevq_http *http; /* NULL: sevq_connect failed, and error says why */
	struct sevq_http_answer answer;
	bool streaming; /* sevq_stream is running: other calls are refused */
};

/*
 * Begins a call: forgets the error and the answer of the last one. false: the context cannot make
 * the call, and sevq_error_code says why.
 */
bool sevq_context_begin(struct sevq_client *client);

/* Refuses the call with SEVQ_INVALID_ARGUMENT and this message. */
enum sevq_code sevq_context_refuse(struct sevq_client *client, const char *why);

/*
 * Copies a caller's struct that begins with its size into ours. If the caller's is longer, the
 * members that ours lacks must be zero; if it is shorter, the rest of ours is zero. NULL counts as
 * all zero.
 */
enum sevq_code sevq_context_import(void *ours, size_t our_size, const void *theirs,
				   struct sevq_error *error);

/*
 * Adds the caller's idempotency key to the request, which makes it repeatable. key NULL: none.
 * Refuses the call if the key is not valid.
 */
void sevq_context_idempotency(struct sevq_client *client, struct sevq_request *request,
			      const char *key);

/*
 * Adds ids to the body as "ids". ids NULL leaves the member out, which is not the same as an empty
 * list. Refuses the call if an id is NULL.
 */
void sevq_context_ids(struct sevq_client *client, struct sevq_request *request,
		      const char *const *ids, size_t id_count);

/*
 * Sends the request, unless the call was refused before, and clears it. ret is NULL or the address
 * of a pointer to the struct that shape describes. shape NULL: the answer is a stream, which the
 * request's on_data gets.
 */
enum sevq_code sevq_context_run(struct sevq_client *client, struct sevq_request *request,
				const struct sevq_shape *shape, void *ret);

#endif
