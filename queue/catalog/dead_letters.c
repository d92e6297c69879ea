/* dead_letters.c - a table of the sessions that have dead letters, by key. */
#include "queue/catalog/dead_letters.h"

#include <stdlib.h>
#include <string.h>

#include "schema/mem.h"

static bool
same_key(const void *item, const void *key)
{
	return str_eq(((const struct dead_session *)item)->key, *(const struct str *)key);
}

static struct dead_session *
find(const struct dead_letters *dead, struct str key, struct keyed_hash hash)
{
	return dead->sessions.count > 0 ? table_find(&dead->sessions, hash, same_key, &key) : NULL;
}

void
dead_letters_clear(struct dead_letters *dead)
{
	void *session;

	for (size_t at = 0; (session = table_each(&dead->sessions, &at)) != NULL;)
		free(session);
	table_clear(&dead->sessions);
}

size_t
dead_letters_bytes(const struct dead_letters *dead)
{
	return dead->sessions.count * sizeof(struct dead_session) + dead->key_bytes +
	       table_bytes(&dead->sessions);
}

size_t
dead_letters_count(const struct dead_letters *dead, struct str key, struct keyed_hash hash)
{
	const struct dead_session *session = find(dead, key, hash);

	return session != NULL ? session->count : 0;
}

void
dead_letters_add(struct dead_letters *dead, struct str key, size_t count)
{
	struct keyed_hash hash = keyed_hash_text(key);
	struct dead_session *session = find(dead, key, hash);

	if (session == NULL) {
		session = mem_alloc(sizeof(*session) + key.len);
		char *copy = (char *)(session + 1);

		memcpy(copy, key.s, key.len);
		session->hash = hash;
		session->key = (struct str){ copy, key.len };
		table_add(&dead->sessions, hash, session);
		dead->key_bytes += key.len;
	}
	session->count += count;
}

void
dead_letters_remove(struct dead_letters *dead, struct str key, size_t count)
{
	struct dead_session *session = find(dead, key, keyed_hash_text(key));

	if (session == NULL)
		return;
	session->count -= count < session->count ? count : session->count;
	if (session->count > 0)
		return;
	table_remove(&dead->sessions, session->hash, session);
	dead->key_bytes -= key.len;
	free(session);
}
