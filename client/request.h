/*
 * request.h - the request of a call: method, target, JSON body.
 *
 * Here: building it. If memory runs out it is marked as failed; the builder checks once, at the
 * end. Not here: sending (http.h), which calls there are (events.c and its neighbours).
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
	bool repeatable;           /* carried out twice, it has the effect of once */
	bool failed;               /* memory ran out */
	int64_t wait_ms;           /* added to the timeout, because the server waits on purpose */
	bool interruptible;        /* sevq_http_interrupt ends it */
	/* not NULL: the answer is a stream, whose data goes here until it returns false */
	bool (*on_data)(void *arg, const char *data, size_t len);
	void *on_data_arg;
	int64_t silence_ms; /* of a stream: how long it may be without data */
};

/* Begins a request. GET is repeatable and has no body; POST has an empty object as its body. */
void sevq_request_init(struct sevq_request *request, const char *method, const char *path);
/* Gives another one than a POST an empty object as its body. */
void sevq_request_add_body(struct sevq_request *request);
void sevq_request_clear(struct sevq_request *request);

/* Appends one path segment, percent-escaped because ids are opaque. */
void sevq_request_segment(struct sevq_request *request, const char *text);

/*
 * Adds an address as query parameters, or as members of the body. NULL members are left out. A NULL
 * address adds nothing.
 */
void sevq_request_address_query(struct sevq_request *request, const struct sevq_address *address);
void sevq_request_address(struct sevq_request *request, const struct sevq_address *address);

/* Add a member to the body. A NULL text and a zero number add nothing. */
void sevq_request_text(struct sevq_request *request, const char *name, const char *value);
void sevq_request_number(struct sevq_request *request, const char *name, int64_t value);
/* adds true; with value false it adds nothing */
void sevq_request_true(struct sevq_request *request, const char *name, bool value);
void sevq_request_false(struct sevq_request *request, const char *name);
void sevq_request_texts(struct sevq_request *request, const char *name, const char *const *values,
			size_t count);

/*
 * Adds the header Idempotency-Key (a string of RFC 8941, so the key is printable ASCII) and makes
 * the request repeatable.
 */
void sevq_request_idempotency(struct sevq_request *request, const char *key);

/*
 * Makes the draft the body, or appends it to the member "events" of the body. The request is
 * repeatable if every draft has an idempotency key.
 */
void sevq_request_draft(struct sevq_request *request, const struct sevq_draft *draft);
void sevq_request_batch_draft(struct sevq_request *request, const struct sevq_draft *draft);

#endif
