/*
 * request.h - a call as it goes out: method, target, JSON body.
 *
 * Here: building, with one question about memory at the end (failed). No I/O.
 * Not here: sending (http.h), which calls there are (client.c).
 */
#ifndef SEVQ_CLIENT_REQUEST_H
#define SEVQ_CLIENT_REQUEST_H

#include <cjson/cJSON.h>

#include "client/buffer.h"
#include "client/sevq.h"

struct sevq_request {
	const char *method;
	struct sevq_buffer target;
	cJSON *body;     /* an object; NULL: no body */
	bool repeatable; /* carried out twice it does what it does once */
	bool failed;     /* memory ran out */
};

/* Reads: repeatable, no body. Writes with method POST begin with an empty object. */
void sevq_request_init(struct sevq_request *request, const char *method, const char *path);
void sevq_request_clear(struct sevq_request *request);

/* Adds one path segment, escaped: ids are opaque. */
void sevq_request_segment(struct sevq_request *request, const char *text);

/* An address as query parameters, or as members of the body; what is NULL is left out, and so is a NULL address. */
void sevq_request_address_query(struct sevq_request *request, const struct sevq_address *address);
void sevq_request_address(struct sevq_request *request, const struct sevq_address *address);

/* Members of the body; a NULL text, a zero number are left out. */
void sevq_request_text(struct sevq_request *request, const char *name, const char *value);
void sevq_request_number(struct sevq_request *request, const char *name, size_t value);
void sevq_request_texts(struct sevq_request *request, const char *name, const char *const *values, size_t count);

/* The body is this draft, or "events" of it gets one more. */
void sevq_request_draft(struct sevq_request *request, const struct sevq_draft *draft);
void sevq_request_batch_draft(struct sevq_request *request, const struct sevq_draft *draft);

#endif
