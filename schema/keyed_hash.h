/*
 * keyed_hash.h - hashes for tables in memory, which nobody outside this process can predict.
 *
 * A client that could predict where in a table its keys land could choose keys that all land in one
 * place, and each lookup would walk over all of them. So each process draws a random key before its
 * first hash, and every hash depends on it. Tables take no other hash, hence the type of its own.
 * Here: the hashes of texts and of numbers. Not here: hashes that outlive the process or leave it
 * (text.h), tables.
 */
#ifndef SCHEMA_KEYED_HASH_H
#define SCHEMA_KEYED_HASH_H

#include <stdint.h>

#include "schema/str.h"

struct keyed_hash {
	uint64_t bits;
};

/* For whatever clients choose: SipHash-2-4, which is made for this. */
struct keyed_hash keyed_hash_text(struct str text);

/*
 * For ids that the server hands out one after the other, so that clients choose at most which of
 * them stay in use. Simple tabulation: a table with linear probing then takes a constant number of
 * steps, whatever the ids are (Patrascu and Thorup, The Power of Simple Tabulation Hashing, 2011),
 * and a hash costs a fifth of a SipHash.
 */
struct keyed_hash keyed_hash_id(int64_t id);

/* For what consists of a part with this hash, and of a number that clients may choose. */
struct keyed_hash keyed_hash_more(struct keyed_hash part, uint64_t number);

static inline bool
keyed_hash_eq(struct keyed_hash a, struct keyed_hash b)
{
	return a.bits == b.bits;
}

#endif
