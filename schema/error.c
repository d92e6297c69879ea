/*
 * error.c - the public names of the codes, and the record that carries a failure.
 *
 * A detail may quote a client's bytes, and may be cut at its limit. The result is made valid UTF-8
 * here, once, so that it can be printed everywhere.
 */
#include "schema/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "schema/text.h"

static const char *const code_names[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = "ok",
	[ERROR_BLANK_KEY] = "blank-key",
	[ERROR_MALFORMED_KEY] = "malformed-key",
	[ERROR_OWNER_UNRESOLVED] = "owner-unresolved",
	[ERROR_OWNER_MISMATCH] = "owner-mismatch",
	[ERROR_INVALID_JSON] = "invalid-json",
	[ERROR_INVALID_FIELD] = "invalid-field",
	[ERROR_BAD_REQUEST] = "bad-request",
	[ERROR_UNAUTHORIZED] = "unauthorized",
	[ERROR_FORBIDDEN] = "forbidden",
	[ERROR_NOT_FOUND] = "not-found",
	[ERROR_METHOD_NOT_ALLOWED] = "method-not-allowed",
	[ERROR_TIMEOUT] = "timeout",
	[ERROR_CONFLICT] = "conflict",
	[ERROR_REROUTED] = "rerouted",
	[ERROR_TOO_LARGE] = "payload-too-large",
	[ERROR_URI_TOO_LONG] = "uri-too-long",
	[ERROR_UNSUPPORTED_MEDIA_TYPE] = "unsupported-media-type",
	[ERROR_EXPECTATION_FAILED] = "expectation-failed",
	[ERROR_MISDIRECTED] = "misdirected",
	[ERROR_IDEMPOTENCY_MISMATCH] = "idempotency-mismatch",
	[ERROR_POLICY_INVALID] = "policy-invalid",
	[ERROR_QUEUE_FULL] = "queue-full",
	[ERROR_HEADERS_TOO_LARGE] = "headers-too-large",
	[ERROR_NOT_IMPLEMENTED] = "not-implemented",
	[ERROR_HTTP_VERSION] = "http-version-not-supported",
	[ERROR_STORAGE_FAILED] = "storage-failed",
	[ERROR_STORAGE_FULL] = "storage-full",
	[ERROR_STORAGE_UNKNOWN] = "storage-unknown",
	[ERROR_CLOSING] = "closing",
	[ERROR_STORAGE_FOREIGN] = "storage-foreign",
	[ERROR_STORAGE_NEWER] = "storage-newer",
	[ERROR_STORAGE_LOCKED] = "storage-locked",
	[ERROR_STORAGE_CORRUPT] = "storage-corrupt",
	[ERROR_CONFIG] = "config",
	[ERROR_USAGE] = "usage",
};

/*
 * Makes formatted text valid UTF-8. A character that the cut went through is removed; if the rest
 * is still not valid, every byte outside ASCII becomes '?'.
 */
static void
mend(char *text, bool cut)
{
	size_t len = strlen(text), start = len;

	if (cut) {
		while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
			start--;
		if (start > 0 && !text_is_utf8(text + start - 1, len - start + 1))
			text[start - 1] = '\0';
	}
	if (text_is_utf8(text, strlen(text)))
		return;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
}

static void record(struct error *err, enum error_code code, const char *pointer, const char *fmt,
		   va_list args) __attribute__((format(printf, 4, 0)));

static void
record(struct error *err, enum error_code code, const char *pointer, const char *fmt, va_list args)
{
	int len;

	if (err == NULL)
		return;
	*err = (struct error){ .code = code };
	len = snprintf(err->pointer, sizeof(err->pointer), "%s", pointer);
	mend(err->pointer, len >= ERROR_POINTER_BYTES);
	len = vsnprintf(err->detail, sizeof(err->detail), fmt, args);
	mend(err->detail, len >= ERROR_DETAIL_BYTES);
}

int
error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	record(err, code, "", fmt, args);
	va_end(args);
	return -1;
}

int
error_set_field(struct error *err, const char *pointer, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	record(err, ERROR_INVALID_FIELD, pointer, fmt, args);
	va_end(args);
	return -1;
}

const char *
error_code_name(enum error_code code)
{
	assert((int)code >= 0 && code < ERROR_CODE_COUNT);
	return code_names[code];
}
