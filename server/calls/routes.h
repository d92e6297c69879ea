/*
 * routes.h - which calls there are: one constant table, for HTTP.
 *
 * Here: method, path, scope and handler of each call, and finding one. Not here: what they do.
 */
#ifndef SERVER_CALLS_ROUTES_H
#define SERVER_CALLS_ROUTES_H

#include "server/http/request.h"

extern const struct http_calls routes;

#endif
