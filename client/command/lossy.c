/*
 * lossy.c - UTF-8 by the table of its well-formed sequences (Unicode, table 3-7).
 */
#include "client/command/lossy.h"

#include <stdbool.h>

#include "client/buffer.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Lead bytes that have the same second bytes. The third and fourth are always 0x80 to 0xbf. */
static const struct {
	unsigned char first, last, second_first, second_last;
	size_t len;
} sequences[] = {
	{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool
is_between(unsigned char byte, unsigned char first, unsigned char last)
{
	return byte >= first && byte <= last;
}

/* How many of the bytes are one character, or the longest beginning of one; *whole says which. */
static size_t
character(const unsigned char *p, size_t left, bool *whole)
{
	size_t i = 0, len = 1;

	while (i < sizeof(sequences) / sizeof(sequences[0]) &&
	       !is_between(*p, sequences[i].first, sequences[i].last))
		i++;
	*whole = false;
	if (i == sizeof(sequences) / sizeof(sequences[0]))
		return 1;
	if (left > 1 && sequences[i].len > 1 &&
	    is_between(p[1], sequences[i].second_first, sequences[i].second_last))
		for (len = 2;
		     len < sequences[i].len && len < left && is_between(p[len], 0x80, 0xbf);)
			len++;
	*whole = len == sequences[i].len;
	return len;
}

char *
sevq_lossy(const char *bytes, size_t len)
{
	struct sevq_buffer text = { 0 };
	bool whole;

	sevq_buffer_adds(&text, ""); /* there is a text, even when it is empty */
	for (size_t at = 0, n; at < len; at += n) {
		n = character((const unsigned char *)bytes + at, len - at, &whole);
		if (whole)
			sevq_buffer_add(&text, bytes + at, n);
		else
			sevq_buffer_adds(&text, REPLACEMENT);
	}
	return sevq_buffer_take(&text);
}
