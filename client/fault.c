/*
 * The codes and their names, in one table, and the record of a failure.
 */
#include "client/fault.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	enum sevq_code code;
	const char *name;
	bool retryable; /* nothing changed, and the same call may succeed later */
} codes[] = {
	{ SEVQ_OK, "ok", false },
	{ SEVQ_NO_MEMORY, "no-memory", false },
	{ SEVQ_INVALID_ARGUMENT, "invalid-argument", false },
	{ SEVQ_CONFIGURATION, "configuration", false },
	{ SEVQ_UNREACHABLE, "unreachable", true },
	{ SEVQ_LOST, "lost", false },
	{ SEVQ_TIMED_OUT, "timed-out", false },
	{ SEVQ_BAD_ANSWER, "bad-answer", false },
	{ SEVQ_PROBLEM, "problem", false },
	{ SEVQ_BLANK_KEY, "blank-key", false },
	{ SEVQ_MALFORMED_KEY, "malformed-key", false },
	{ SEVQ_OWNER_UNRESOLVED, "owner-unresolved", false },
	{ SEVQ_OWNER_MISMATCH, "owner-mismatch", false },
	{ SEVQ_INVALID_JSON, "invalid-json", false },
	{ SEVQ_INVALID_FIELD, "invalid-field", false },
	{ SEVQ_BAD_REQUEST, "bad-request", false },
	{ SEVQ_UNAUTHORIZED, "unauthorized", false },
	{ SEVQ_FORBIDDEN, "forbidden", false },
	{ SEVQ_NOT_FOUND, "not-found", false },
	{ SEVQ_METHOD_NOT_ALLOWED, "method-not-allowed", false },
	{ SEVQ_TIMEOUT, "timeout", true },
	{ SEVQ_CONFLICT, "conflict", false },
	{ SEVQ_TOO_LARGE, "payload-too-large", false },
	{ SEVQ_URI_TOO_LONG, "uri-too-long", false },
	{ SEVQ_UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", false },
	{ SEVQ_EXPECTATION_FAILED, "expectation-failed", false },
	{ SEVQ_MISDIRECTED, "misdirected", false },
	{ SEVQ_IDEMPOTENCY_MISMATCH, "idempotency-mismatch", false },
	{ SEVQ_QUEUE_FULL, "queue-full", true },
	{ SEVQ_HEADERS_TOO_LARGE, "headers-too-large", false },
	{ SEVQ_NOT_IMPLEMENTED, "not-implemented", false },
	{ SEVQ_HTTP_VERSION, "http-version-not-supported", false },
	{ SEVQ_STORAGE_FAILED, "storage-failed", true },
	{ SEVQ_STORAGE_FULL, "storage-full", true },
	{ SEVQ_CLOSING, "closing", true },
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
sevq_fault_code(const char *name)
{
	size_t i;

	for (i = 0; i < CODE_COUNT; i++)
		if (codes[i].code > SEVQ_PROBLEM && strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	return SEVQ_PROBLEM;
}

/* Takes off a character that was cut in the middle: continuation bytes at the end, and the byte that leads them. */
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
sevq_fault_set(struct sevq_fault *fault, enum sevq_code code, const char *fmt, ...)
{
	va_list ap;
	int need;

	fault->code = code;
	va_start(ap, fmt);
	need = vsnprintf(fault->message, sizeof(fault->message), fmt, ap);
	va_end(ap);
	if (need >= (int)sizeof(fault->message))
		cut_at_character(fault->message, sizeof(fault->message) - 1);
	return code;
}
