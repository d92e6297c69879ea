/*
 * trace.c - "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" and nothing else.
 *
 * Later versions may have more behind a further "-" (Trace Context section 3.2.4).
 */
#include "server/calls/trace.h"

#define LEN 55

static const char form[] = "00-00000000000000000000000000000000-0000000000000000-00";

static bool
is_zero(struct str text, size_t from, size_t len)
{
	for (size_t i = from; i < from + len; i++)
		if (text.s[i] != '0')
			return false;
	return true;
}

struct str
trace_parent(const struct request *request)
{
	struct str text = request->headers[HEADER_TRACEPARENT];

	if (text.len < LEN || text.len > TRACEPARENT_BYTES_MAX)
		return STR_NULL;
	for (size_t i = 0; i < LEN; i++) {
		bool digit = (text.s[i] >= '0' && text.s[i] <= '9') ||
			     (text.s[i] >= 'a' && text.s[i] <= 'f');

		if (form[i] == '-' ? text.s[i] != '-' : !digit)
			return STR_NULL;
	}
	if (is_zero(text, 3, 32) || is_zero(text, 36, 16) || memcmp(text.s, "ff", 2) == 0)
		return STR_NULL;
	if (text.len > LEN && (memcmp(text.s, "00", 2) == 0 || text.s[LEN] != '-'))
		return STR_NULL;
	return text_is_utf8(text.s, text.len) ? text : STR_NULL;
}
