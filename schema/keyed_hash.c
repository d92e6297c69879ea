/* keyed_hash.c - the random keys of this process. The only file that knows libsodium. */
#include "schema/keyed_hash.h"

#include <assert.h>

#include <sodium.h>

static struct {
	unsigned char text[crypto_shorthash_KEYBYTES];
	uint64_t number[sizeof(uint64_t)][256]; /* a random number for each value of each byte */
} keys;
static bool drawn;

static void
draw_keys(void)
{
	int ready = sodium_init();

	assert(ready >= 0);
	randombytes_buf(&keys, sizeof(keys));
	drawn = true;
}

struct keyed_hash
keyed_hash_text(struct str text)
{
	struct keyed_hash hash;

	static_assert(sizeof(hash) == crypto_shorthash_BYTES, "a hash is what SipHash gives");
	if (!drawn)
		draw_keys();
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.s, text.len,
			 keys.text);
	return hash;
}

static struct keyed_hash
hash_number(uint64_t number)
{
	struct keyed_hash hash = { 0 };

	if (!drawn)
		draw_keys();
	for (size_t i = 0; i < sizeof(number); i++)
		hash.bits ^= keys.number[i][number >> (8 * i) & 255];
	return hash;
}

struct keyed_hash
keyed_hash_id(int64_t id)
{
	return hash_number((uint64_t)id);
}

/* The part's hash is secret, and so is what it is combined with. */
struct keyed_hash
keyed_hash_more(struct keyed_hash part, uint64_t number)
{
	return hash_number(part.bits ^ number);
}
