/*
 * request.h - a call as it goes out: method, target, JSON body.
 *
 * Here: building, with one question about memory at the end (failed). No I/O.
 * Not here: sending (http.h), which calls there are (events.c and its neighbours).
 */
#ifndef SEVQ_CLIENT_REQUEST_H
#define SEVQ_CLIENT_REQUEST_H

#include <cjson/cJSON.h>

#include "client/buffer.h"
#include "client/sevq.h"

struct sevq_request {
	const char *method;
	struct sevq_buffer target;
	cJSON *body;               /* an object; NULL: no body */
	struct sevq_buffer header; /* one more header line; empty: none */
	bool repeatable;           /* carried out twice it does what it does once */
	bool failed;               /* memory ran out */
	int64_t wait_ms;           /* the server may take so much longer than for other calls */
	/*
	 * Where it is set, the answer is an endless one: what comes is handed on until take returns
	 * false.
	 */
	bool (*on_data)(void *arg, const char *data, size_t len);
	void *on_data_arg;
	int64_t silence_ms; /* of an endless answer: how long nothing may come */
};

/* Reads: repeatable, no body. Writes with method POST begin with an empty object. */
void sevq_request_init(struct sevq_request *request, const char *method, const char *path);
void sevq_request_clear(struct sevq_request *request);

/* Adds one path segment, escaped: ids are opaque. */
void sevq_request_segment(struct sevq_request *request, const char *text);

/*
 * An address as query parameters, or as members of the body; what is NULL is left out, and so is a
 * NULL address.
 */
void sevq_request_address_query(struct sevq_request *request, const struct sevq_address *address);
void sevq_request_address(struct sevq_request *request, const struct sevq_address *address);

/* Members of the body; a NULL text, a zero number are left out. */
void sevq_request_text(struct sevq_request *request, const char *name, const char *value);
void sevq_request_number(struct sevq_request *request, const char *name, int64_t value);
/* false is left out */
void sevq_request_true(struct sevq_request *request, const char *name, bool value);
void sevq_request_false(struct sevq_request *request, const char *name);
void sevq_request_texts(struct sevq_request *request, const char *name, const char *const *values,
			size_t count);

/*
 * The header Idempotency-Key with a key of printable ASCII (RFC 8941, a string), which makes the
 * request repeatable.
 */
void sevq_request_idempotency(struct sevq_request *request, const char *key);

/*
 * The body is this draft, or "events" of it gets one more. Repeatable while every draft has an
 * idempotency key.
 */
void sevq_request_draft(struct sevq_request *request, const struct sevq_draft *draft);
void sevq_request_batch_draft(struct sevq_request *request, const struct sevq_draft *draft);

#endif
