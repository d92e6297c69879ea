/*
 * admission.h - whether a request may be carried out: everything that can be known from its head.
 *
 * Here: the order of the checks (guard, call, token, closing, body, buffers), and those that are
 * nobody else's. Not here: framing (parser), what the body says (the calls).
 */
#ifndef SERVER_HTTP_ADMISSION_H
#define SERVER_HTTP_ADMISSION_H

#include "server/http/auth.h"
#include "server/http/endpoint.h"
#include "server/http/request.h"

/*
 * Finds the call of a request whose path and headers are known, and checks that it may be made:
 * request->call, id and lines are set. The first failure is the answer; with
 * ERROR_METHOD_NOT_ALLOWED request->allow has the methods there are.
 */
int admission_check(struct request *request, const struct parser *parser,
		    const struct endpoint *endpoint, struct auth_memo *memo, struct error *err);

/* The token that a request presents; NULL: none. */
struct str admission_token(const struct request *request);

/* Counts a bad token or code by its address: ERROR_QUEUE_FULL once there are too many. */
int admission_count_bad(struct request *request, struct error *err);

/*
 * After new tokens were loaded: whether the token that admitted the request, which is the memo's,
 * still allows its call.
 */
int admission_check_again(const struct request *request, struct auth_memo *memo, struct error *err);

#endif
