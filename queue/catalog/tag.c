/* tag.c - one allocation a tag: its texts stand behind the struct. */
#include "queue/catalog/tag.h"

#include <assert.h>
#include <stdlib.h>

/*
 * The key of a tag: its texts, and whether the thread was a number, which is shown to clients but
 * does not count when events are matched.
 */
struct key {
	struct str part[6];
	bool thread_is_number;
};

static struct key
key_of(struct str context_key, struct str original_key, const struct delivery *d)
{
	return (struct key){ { context_key, original_key, d->channel, d->to, d->account_id,
			       d->thread_id },
			     d->thread_is_number };
}

static bool
same(const void *item, const void *arg)
{
	const struct tag *tag = item;
	const struct key *want = arg;
	struct key have = key_of(tag->context_key, tag->original_key, &tag->delivery);

	for (size_t i = 0; i < 6; i++)
		if (!str_eq(have.part[i], want->part[i]))
			return false;
	return have.thread_is_number == want->thread_is_number;
}

static size_t
parts_bytes(const struct key *key)
{
	size_t bytes = 0;

	for (size_t i = 0; i < 6; i++)
		bytes += key->part[i].len;
	return bytes;
}

/*
 * Hashes the parts one after the other. "ab","c" and "a","bc" have the same hash; `same` tells them
 * apart by their lengths.
 */
static struct keyed_hash
hash_of(const struct key *key, struct buf *scratch)
{
	scratch->len = 0;
	for (size_t i = 0; i < 6; i++)
		buf_add(scratch, key->part[i].s, key->part[i].len);
	return keyed_hash_text((struct str){ scratch->data, scratch->len });
}

static bool
plain(const struct key *key)
{
	return parts_bytes(key) == 0;
}

static uint32_t
take_id(struct tags *tags)
{
	if (tags->free_count > 0)
		return tags->free_ids[--tags->free_count];
	tags->tags = mem_grow(tags->tags, &tags->cap, tags->count + 1, sizeof(*tags->tags));
	return (uint32_t)tags->count++;
}

static struct tag *
new_tag(const struct key *key)
{
	struct tag *tag = mem_alloc(sizeof(*tag) + parts_bytes(key));
	char *at = (char *)(tag + 1);
	struct str *into[6] = { &tag->context_key,         &tag->original_key,
				&tag->delivery.channel,    &tag->delivery.to,
				&tag->delivery.account_id, &tag->delivery.thread_id };

	for (size_t i = 0; i < 6; i++) {
		if (key->part[i].len == 0)
			continue;
		memcpy(at, key->part[i].s, key->part[i].len);
		*into[i] = (struct str){ at, key->part[i].len };
		at += key->part[i].len;
	}
	tag->delivery.thread_is_number = key->thread_is_number;
	return tag;
}

/*
 * The tag by which events of this tag are matched: the same without the original key, and with the
 * thread as text. Holds one reference to it if it is another tag.
 */
static uint32_t
match_of(struct tags *tags, const struct tag *tag)
{
	if (tag->original_key.len == 0 && !tag->delivery.thread_is_number)
		return tag->id;
	struct delivery text_thread = tag->delivery;
	text_thread.thread_is_number = false;
	return tags_intern(tags, tag->context_key, STR_NULL, &text_thread);
}

void
tags_init(struct tags *tags)
{
	*tags = (struct tags){ 0 };
	tags->tags = mem_grow(NULL, &tags->cap, 1, sizeof(*tags->tags));
	tags->tags[tags->count++] = mem_alloc(sizeof(struct tag));
}

void
tags_clear(struct tags *tags)
{
	for (size_t i = 0; i < tags->count; i++)
		free(tags->tags[i]);
	free(tags->tags);
	free(tags->free_ids);
	table_clear(&tags->index);
	*tags = (struct tags){ 0 };
}

uint32_t
tags_intern(struct tags *tags, struct str context_key, struct str original_key,
	    const struct delivery *delivery)
{
	struct key key = key_of(context_key, original_key, delivery);

	if (plain(&key))
		return 0;
	struct buf scratch = { 0 };
	struct keyed_hash hash = hash_of(&key, &scratch);
	buf_clear(&scratch);
	struct tag *tag = table_find(&tags->index, hash, same, &key);
	if (tag == NULL) {
		tag = new_tag(&key);
		tag->id = take_id(tags);
		tag->hash = hash;
		tags->tags[tag->id] = tag;
		tags->bytes += sizeof(*tag) + parts_bytes(&key);
		table_add(&tags->index, hash, tag);
		tag->match = match_of(tags, tag);
	}
	tag->refs++;
	return tag->id;
}

void
tags_hold(struct tags *tags, uint32_t id)
{
	if (id != 0)
		tags->tags[id]->refs++;
}

void
tags_release(struct tags *tags, uint32_t id)
{
	if (id == 0)
		return;
	struct tag *tag = tags->tags[id];
	assert(tag->refs > 0);
	if (--tag->refs > 0)
		return;
	struct key key = key_of(tag->context_key, tag->original_key, &tag->delivery);
	table_remove(&tags->index, tag->hash, tag);
	tags->bytes -= sizeof(*tag) + parts_bytes(&key);
	tags->tags[id] = NULL;
	tags->free_ids = mem_grow(tags->free_ids, &tags->free_cap, tags->free_count + 1,
				  sizeof(*tags->free_ids));
	tags->free_ids[tags->free_count++] = id;
	uint32_t match = tag->match;
	free(tag);
	if (match != id)
		tags_release(tags, match);
}
