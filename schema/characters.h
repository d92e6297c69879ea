/*
 * characters.h - characters that mislead who reads a text: those that nobody sees or that a
 * terminal acts on, and those that end a line.
 *
 * Here: the one table of each. The server's log and prompts use them, and so does the sevq command,
 * which includes nothing else of the server's: therefore everything here is inline.
 * Not here: how such a character is shown (server/log.c, client/command/say.c).
 */
#ifndef SCHEMA_CHARACTERS_H
#define SCHEMA_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Whether c is a control or format character, a separator of lines or paragraphs, or one that
 * Unicode says to show as nothing (Default_Ignorable_Code_Point). Not the variation selectors
 * U+FE00 to FE0F, which choose between two forms of the character before, as in many emoji, and not
 * the format characters that are signs before a number (U+0600 and others of
 * Prepended_Concatenation_Mark).
 */
static inline bool
character_is_unseen(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },       { 0x7f, 0x9f },       { 0xad, 0xad },
		{ 0x34f, 0x34f },     { 0x61c, 0x61c },     { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
		{ 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};

	if (c >= 0x20 && c < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/*
 * The bytes of the line break that the len bytes at s begin with; 0: none. These are the mandatory
 * breaks of UAX 14 (LF, VT, FF, CR, U+0085, U+2028, U+2029): whatever shows a text may begin a new
 * line at any of them. A CR LF breaks at its LF.
 */
static inline size_t
line_break_bytes(const char *s, size_t len)
{
	if (len >= 1 && (*s == '\n' || *s == '\v' || *s == '\f'))
		return 1;
	if (len >= 1 && *s == '\r')
		return len >= 2 && s[1] == '\n' ? 0 : 1;
	if (len >= 2 && memcmp(s, "\xc2\x85", 2) == 0)
		return 2;
	if (len >= 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

/* How many of the len bytes at s stand before the first that may begin a line break. */
static inline size_t
bytes_before_line_break(const char *s, size_t len)
{
	static const bool begins_break[256] = { ['\n'] = true, ['\v'] = true, ['\f'] = true,
						['\r'] = true, [0xc2] = true, [0xe2] = true };
	size_t n = 0;

	while (n < len && !begins_break[(unsigned char)s[n]])
		n++;
	return n;
}

#endif
