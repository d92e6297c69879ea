/*
 * The distance is how many characters must be put in, left out, replaced or swapped with their
 * neighbour. A third of the word may be wrong.
 */
#include "client/command/near.h"

#include <string.h>

#define WORD_MAX 32

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* The rows of the table of distances between the beginnings of both words. */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[WORD_MAX + 1][WORD_MAX + 1], i, j;

	for (i = 0; i <= a_len; i++)
		rows[i][0] = i;
	for (j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (i = 1; i <= a_len; i++)
		for (j = 1; j <= b_len; j++) {
			rows[i][j] = least(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
					   rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[i - 2][j - 2] + 1 < rows[i][j])
				rows[i][j] = rows[i - 2][j - 2] + 1;
		}
	return rows[a_len][b_len];
}

void
sevq_near_offer(struct sevq_near *near, const char *name)
{
	size_t word_len = strlen(near->word), name_len = strlen(name), d;

	if (word_len > WORD_MAX || name_len > WORD_MAX)
		return;
	d = distance(near->word, word_len, name, name_len);
	if (d > (word_len + 2) / 3 || (near->best != NULL && d >= near->distance))
		return;
	near->best = name;
	near->distance = d;
}
