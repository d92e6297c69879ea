/*
 * The codes with their names in one table, and filling the record of a failure.
 */
#include "client/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	enum sevq_code code;
	bool retryable; /* the call changed nothing and may succeed later */
} codes[] = {
	{ "ok", SEVQ_OK, false },
	{ "no-memory", SEVQ_NO_MEMORY, false },
	{ "invalid-argument", SEVQ_INVALID_ARGUMENT, false },
	{ "configuration", SEVQ_CONFIGURATION, false },
	{ "unreachable", SEVQ_UNREACHABLE, true },
	{ "lost", SEVQ_LOST, false },
	{ "timed-out", SEVQ_TIMED_OUT, false },
	{ "bad-answer", SEVQ_BAD_ANSWER, false },
	{ "interrupted", SEVQ_INTERRUPTED, false },
	{ "problem", SEVQ_PROBLEM, false },
	{ "blank-key", SEVQ_BLANK_KEY, false },
	{ "malformed-key", SEVQ_MALFORMED_KEY, false },
	{ "owner-unresolved", SEVQ_OWNER_UNRESOLVED, false },
	{ "owner-mismatch", SEVQ_OWNER_MISMATCH, false },
	{ "rerouted", SEVQ_REROUTED, false },
	{ "invalid-json", SEVQ_INVALID_JSON, false },
	{ "invalid-field", SEVQ_INVALID_FIELD, false },
	{ "bad-request", SEVQ_BAD_REQUEST, false },
	{ "unauthorized", SEVQ_UNAUTHORIZED, false },
	{ "forbidden", SEVQ_FORBIDDEN, false },
	{ "not-found", SEVQ_NOT_FOUND, false },
	{ "method-not-allowed", SEVQ_METHOD_NOT_ALLOWED, false },
	{ "timeout", SEVQ_TIMEOUT, true },
	{ "conflict", SEVQ_CONFLICT, false },
	{ "payload-too-large", SEVQ_TOO_LARGE, false },
	{ "uri-too-long", SEVQ_URI_TOO_LONG, false },
	{ "unsupported-media-type", SEVQ_UNSUPPORTED_MEDIA_TYPE, false },
	{ "expectation-failed", SEVQ_EXPECTATION_FAILED, false },
	{ "misdirected", SEVQ_MISDIRECTED, false },
	{ "idempotency-mismatch", SEVQ_IDEMPOTENCY_MISMATCH, false },
	{ "queue-full", SEVQ_QUEUE_FULL, true },
	{ "headers-too-large", SEVQ_HEADERS_TOO_LARGE, false },
	{ "not-implemented", SEVQ_NOT_IMPLEMENTED, false },
	{ "http-version-not-supported", SEVQ_HTTP_VERSION, false },
	{ "storage-failed", SEVQ_STORAGE_FAILED, true },
	{ "storage-full", SEVQ_STORAGE_FULL, true },
	{ "closing", SEVQ_CLOSING, true },
};

#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]))

const char *
sevq_code_name(enum sevq_code code)
{
	size_t i;

	for (i = 0; i < CODE_COUNT; i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "unknown";
}

bool
sevq_code_retryable(enum sevq_code code)
{
	size_t i;

	for (i = 0; i < CODE_COUNT; i++)
		if (codes[i].code == code)
			return codes[i].retryable;
	return false;
}

enum sevq_code
sevq_code_find(const char *name)
{
	size_t i;

	for (i = 0; i < CODE_COUNT; i++)
		if (codes[i].code > SEVQ_PROBLEM && strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	return SEVQ_PROBLEM;
}

/*
 * Removes a UTF-8 character that was cut in the middle: the continuation bytes at the end, and
 * their lead byte.
 */
static void
cut_at_character(char *message, size_t len)
{
	while (len > 0 && ((unsigned char)message[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && ((unsigned char)message[len - 1] & 0xc0) == 0xc0)
		len--;
	message[len] = '\0';
}

enum sevq_code
sevq_error_set(struct sevq_error *error, enum sevq_code code, const char *fmt, ...)
{
	va_list ap;
	int need;

	error->code = code;
	va_start(ap, fmt);
	need = vsnprintf(error->message, sizeof(error->message), fmt, ap);
	va_end(ap);
	if (need >= (int)sizeof(error->message))
		cut_at_character(error->message, sizeof(error->message) - 1);
	return code;
}
