/*
 * routes.h - which calls there are: one constant table.
 *
 * Here: method, path, scope and handler of each call, and finding one. Not here: what they do.
 */
#ifndef SERVER_CALLS_ROUTES_H
#define SERVER_CALLS_ROUTES_H

#include "server/http/auth.h"
#include "server/http/request.h"

struct call {
	uint8_t method;   /* of llhttp; HEAD is answered like GET, without the body */
	const char *path; /* "{id}" stands for one segment */
	enum scope scope;
	request_handler *handle;
	bool takes_body;
	bool takes_lines; /* a body of application/x-ndjson too */
	bool takes_any;   /* a body of any type, or of none: its senders are not ours */
	bool bulky;       /* its answer may be large: refused while too much is buffered */
};

#define CALLS 25
extern const struct call calls[CALLS];

/*
 * The call for a method and a path, and the undecoded {id}. Failures: ERROR_NOT_FOUND;
 * ERROR_METHOD_NOT_ALLOWED, with the methods there are in allow ("GET, HEAD, POST").
 */
const struct call *routes_find(uint8_t method, struct str path, struct str *id, char allow[64],
			       struct error *err);

#endif
