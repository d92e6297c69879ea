/*
 * routes.h - which calls there are: one constant table.
 *
 * Here: method, path, scope and handler of each call, and finding one. Not here: what they do.
 */
#ifndef SEVQ_SERVER_CALLS_ROUTES_H
#define SEVQ_SERVER_CALLS_ROUTES_H

#include "server/http/auth.h"
#include "server/http/request.h"

struct sevq_call {
	uint8_t method;   /* of llhttp; HEAD is answered like GET, without the body */
	const char *path; /* "{id}" stands for one segment */
	enum sevq_scope scope;
	sevq_handler *handle;
	bool takes_body;
	bool takes_lines; /* a body of application/x-ndjson too */
	bool takes_any;   /* a body of any type, or of none: its senders are not ours */
	bool bulky;       /* its answer may be large: refused while too much is buffered */
};

#define SEVQ_CALLS 25
extern const struct sevq_call sevq_calls[SEVQ_CALLS];

/*
 * The call for a method and a path, and the undecoded {id}. Failures: SEVQ_NOT_FOUND; SEVQ_METHOD_NOT_ALLOWED, with the
 * methods there are in allow ("GET, HEAD, POST").
 */
const struct sevq_call *sevq_routes_find(uint8_t method, struct sevq_str path, struct sevq_str *id, char allow[64],
					 struct sevq_error *err);

#endif
