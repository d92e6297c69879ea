/*
 * near.c - names by edit distance (Levenshtein), one row of the table at a time.
 */
#include "server/calls/near.h"

#include <strings.h>

#define NAME_BYTES_MAX 32
#define PREFIX_BYTES_MIN 3

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* How many letters must be added, removed or changed to make one of the other. */
static size_t
edits(struct str a, struct str b)
{
	size_t row[NAME_BYTES_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t changed = diagonal + (lower(a.s[i - 1]) != lower(b.s[j - 1]));

			diagonal = row[j];
			row[j] = least(changed, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

static bool
begins(struct str name, struct str word)
{
	return word.len >= PREFIX_BYTES_MIN && name.len >= word.len &&
	       strncasecmp(name.s, word.s, word.len) == 0;
}

void
near_try(struct near *near, struct str name)
{
	size_t longer = name.len > near->word.len ? name.len : near->word.len, distance;

	if (longer > NAME_BYTES_MAX)
		return;
	distance = begins(name, near->word) ? 1 : edits(near->word, name);
	if (distance > 1 && distance > longer / 3)
		return;
	if (near->name.s == NULL || distance < near->distance)
		*near = (struct near){ near->word, name, distance };
}
