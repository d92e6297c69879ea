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
	struct sevq_error error; /* how the last call ended */
	struct sevq_endpoint endpoint;
	struct sevq_http *http; /* NULL: sevq_connect has failed, and error says why */
	struct sevq_http_answer answer;
	bool streaming; /* a stream, and can do nothing else meanwhile */
};

/* A call starts: true if the context can make it, else its code says why not. */
bool sevq_context_begin(struct sevq_client *client);

/* The call makes no sense: SEVQ_INVALID_ARGUMENT. */
enum sevq_code sevq_context_refuse(struct sevq_client *client, const char *why);

/*
 * Copies a caller's struct that begins with its size into ours, which may be older (its new fields
 * must be unused) or newer (ours that it lacks are zero). NULL is all zero.
 */
enum sevq_code sevq_context_import(void *ours, size_t our_size, const void *theirs,
				   struct sevq_error *error);

/*
 * Puts the caller's key on the request, which then may be repeated; NULL: none. Refuses what is no
 * key.
 */
void sevq_context_idempotency(struct sevq_client *client, struct sevq_request *request,
			      const char *key);

/* Puts ids into the body as "ids"; NULL: none, which is not an empty list. Refuses missing ones. */
void sevq_context_ids(struct sevq_client *client, struct sevq_request *request,
		      const char *const *ids, size_t id_count);

/*
 * Carries a request out, unless it was refused while it was built, and releases it. ret, where
 * given, is the address of a pointer to what shape describes. shape NULL: the answer is an endless
 * one.
 */
enum sevq_code sevq_context_run(struct sevq_client *client, struct sevq_request *request,
				const struct sevq_shape *shape, void *ret);

#endif
