/*
 * access_log.h - what the log tells of requests: who, what, status, duration.
 *
 * Here: every answer, at debug; and at warn the refusals that an operator may have to do something
 * about (401, 403, 429, 507), the first few of each second one by one, the others as a number.
 * Not here: counters (http.h), what an answer says.
 *
 * Who is the token's name and the peer's address; what is the method and the path of the call, in
 * which "{id}" stays what it is. Keys, texts and tokens are never told.
 */
#ifndef SERVER_HTTP_ACCESS_LOG_H
#define SERVER_HTTP_ACCESS_LOG_H

#include "server/http/http.h"
#include "server/log.h"

void access_log_answer(const struct request *request, int status, size_t body_bytes);

/* To be called for every problem. */
void access_log_refusal(const struct request *request, int status, const struct error *err);

/* The address of the other side, for a record: a field without a name where it is not known. */
struct log_field access_log_peer(const struct connection *c, char text[ENDPOINT_TEXT_BYTES]);

/* In every turn: says how many refusals and failed handshakes were not told one by one. */
void access_log_tell_more(struct http *http);
/* When there will be something to say, on clock_coarse_ms; INT64_MAX: nothing. */
int64_t access_log_next_ms(const struct http *http);

#endif
