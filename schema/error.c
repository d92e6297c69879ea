/*
 * error.c - the public names of the codes, and the record that carries a failure.
 *
 * A detail may quote what a client sent and may be cut: what is left is made valid UTF-8 here, once, so that nobody who
 * prints it has to care.
 */
#include "schema/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "schema/text.h"

static const char *const code_names[SEVQ_CODE_COUNT] = {
	[SEVQ_OK] = "ok",
	[SEVQ_BLANK_KEY] = "blank-key",
	[SEVQ_MALFORMED_KEY] = "malformed-key",
	[SEVQ_OWNER_UNRESOLVED] = "owner-unresolved",
	[SEVQ_OWNER_MISMATCH] = "owner-mismatch",
	[SEVQ_INVALID_JSON] = "invalid-json",
	[SEVQ_INVALID_FIELD] = "invalid-field",
	[SEVQ_BAD_REQUEST] = "bad-request",
	[SEVQ_UNAUTHORIZED] = "unauthorized",
	[SEVQ_FORBIDDEN] = "forbidden",
	[SEVQ_NOT_FOUND] = "not-found",
	[SEVQ_METHOD_NOT_ALLOWED] = "method-not-allowed",
	[SEVQ_TIMEOUT] = "timeout",
	[SEVQ_CONFLICT] = "conflict",
	[SEVQ_TOO_LARGE] = "payload-too-large",
	[SEVQ_URI_TOO_LONG] = "uri-too-long",
	[SEVQ_UNSUPPORTED_MEDIA_TYPE] = "unsupported-media-type",
	[SEVQ_EXPECTATION_FAILED] = "expectation-failed",
	[SEVQ_MISDIRECTED] = "misdirected",
	[SEVQ_IDEMPOTENCY_MISMATCH] = "idempotency-mismatch",
	[SEVQ_QUEUE_FULL] = "queue-full",
	[SEVQ_HEADERS_TOO_LARGE] = "headers-too-large",
	[SEVQ_NOT_IMPLEMENTED] = "not-implemented",
	[SEVQ_HTTP_VERSION] = "http-version-not-supported",
	[SEVQ_STORAGE_FAILED] = "storage-failed",
	[SEVQ_STORAGE_FULL] = "storage-full",
	[SEVQ_STORAGE_UNKNOWN] = "storage-unknown",
	[SEVQ_CLOSING] = "closing",
	[SEVQ_STORAGE_FOREIGN] = "storage-foreign",
	[SEVQ_STORAGE_NEWER] = "storage-newer",
	[SEVQ_STORAGE_LOCKED] = "storage-locked",
	[SEVQ_STORAGE_CORRUPT] = "storage-corrupt",
	[SEVQ_CONFIG] = "config",
	[SEVQ_USAGE] = "usage",
};

/* Makes text of a format valid UTF-8: bytes that are no character become '?', a character cut at the end goes. */
static void
mend(char *text, bool cut)
{
	size_t len = strlen(text), start = len;

	if (cut) {
		while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
			start--;
		if (start > 0 && !sevq_utf8_valid(text + start - 1, len - start + 1))
			text[start - 1] = '\0';
	}
	if (sevq_utf8_valid(text, strlen(text)))
		return;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
}

static void record(struct sevq_error *err, enum sevq_code code, const char *pointer, const char *fmt, va_list args)
    __attribute__((format(printf, 4, 0)));

static void
record(struct sevq_error *err, enum sevq_code code, const char *pointer, const char *fmt, va_list args)
{
	int len;

	if (err == NULL)
		return;
	*err = (struct sevq_error){ .code = code };
	len = snprintf(err->pointer, sizeof err->pointer, "%s", pointer);
	mend(err->pointer, len >= SEVQ_POINTER_BYTES);
	len = vsnprintf(err->detail, sizeof err->detail, fmt, args);
	mend(err->detail, len >= SEVQ_DETAIL_BYTES);
}

int
sevq_fail(struct sevq_error *err, enum sevq_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	record(err, code, "", fmt, args);
	va_end(args);
	return -1;
}

int
sevq_fail_field(struct sevq_error *err, const char *pointer, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	record(err, SEVQ_INVALID_FIELD, pointer, fmt, args);
	va_end(args);
	return -1;
}

const char *
sevq_code_name(enum sevq_code code)
{
	assert((int)code >= 0 && code < SEVQ_CODE_COUNT);
	return code_names[code];
}
