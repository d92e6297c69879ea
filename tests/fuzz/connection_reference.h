/*
 * connection_reference.h - what a connection must answer to all the bytes that a client sends,
 * before it ends its side.
 *
 * Here: RFC 9112 as this server speaks it, read slowly and plainly from the whole input: no states,
 * no library, nothing of server/. Not here: sockets, the server (connection_fuzz.c).
 */
#ifndef CONNECTION_REFERENCE_H
#define CONNECTION_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Limits, small enough for inputs of a fuzzer to reach them. */
#define REFERENCE_HEAD_BYTES 1024
#define REFERENCE_TARGET_BYTES 256
#define REFERENCE_BODY_BYTES 512

enum expected {
	EXPECTED_ECHO,    /* 200, and the request in the body */
	EXPECTED_REFUSAL, /* 400 or more */
	EXPECTED_EITHER,
};

struct outcome {
	enum expected expected;
	bool is_head; /* its answer has no body */
	bool closes;
	char echo[REFERENCE_HEAD_BYTES + REFERENCE_BODY_BYTES];
	size_t echo_len;
};

/*
 * What becomes of the message that begins at *at; false if no byte is left. *at is moved behind the
 * message; after an outcome that closes nothing is answered.
 */
bool reference_next(const char *input, size_t len, size_t *at, struct outcome *ret);

#endif
