/* woken.c - a list and a table of the same entries. */
#include "server/calls/woken.h"

#include <stdlib.h>

#include "queue/clock.h"
#include "schema/mem.h"

static void
set_cause(struct wake_cause *cause, bool now, struct str source)
{
	cause->now = cause->now || now;
	cause->ts_ms = clock_now().wall_ms;
	cause->has_source = source.s != NULL;
	cause->source_len = source.len < sizeof(cause->source) ? source.len : sizeof(cause->source);
	if (cause->source_len > 0)
		memcpy(cause->source, source.s, cause->source_len);
}

struct str
wake_cause_source(const struct wake_cause *cause)
{
	return cause->has_source ? (struct str){ cause->source, cause->source_len } : STR_NULL;
}

void
woken_list_init(struct woken_list *woken)
{
	*woken = (struct woken_list){ 0 };
	TAILQ_INIT(&woken->list);
}

void
woken_list_clear(struct woken_list *woken)
{
	while (woken_list_first(woken) != NULL)
		woken_list_drop_first(woken);
	table_clear(&woken->by_key);
}

static bool
same_key(const void *item, const void *key)
{
	return str_eq(((const struct woken *)item)->key, *(const struct str *)key);
}

static struct woken *
add(struct woken_list *list, struct str key, struct keyed_hash hash)
{
	struct woken *woken = mem_alloc(sizeof(*woken) + key.len);

	woken->key = (struct str){ memcpy(woken + 1, key.s, key.len), key.len };
	woken->hash = hash;
	table_add(&list->by_key, hash, woken);
	TAILQ_INSERT_TAIL(&list->list, woken, link);
	return woken;
}

void
woken_list_add(struct woken_list *list, struct str key, bool now, struct str source)
{
	struct keyed_hash hash = keyed_hash_text(key);
	struct woken *woken = table_find(&list->by_key, hash, same_key, &key);

	if (woken == NULL)
		woken = add(list, key, hash);
	set_cause(&woken->cause, now, source);
}

const struct woken *
woken_list_first(const struct woken_list *list)
{
	return TAILQ_FIRST(&list->list);
}

void
woken_list_drop_first(struct woken_list *list)
{
	struct woken *woken = TAILQ_FIRST(&list->list);

	TAILQ_REMOVE(&list->list, woken, link);
	table_remove(&list->by_key, woken->hash, woken);
	free(woken);
}
