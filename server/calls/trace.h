/*
 * trace.h - the trace that a request belongs to (W3C Trace Context).
 *
 * Here: the header traceparent. Not here: the field of an event, which comes first and is any text.
 */
#ifndef SERVER_CALLS_TRACE_H
#define SERVER_CALLS_TRACE_H

#include "schema/event.h"
#include "server/http/request.h"

/* The header's value; NULL: it is not there, repeated, or not as its specification has it. */
struct str trace_parent(const struct request *request);

#endif
