/*
 * mem.h - memory allocation that never fails: it succeeds or aborts the process.
 *
 * Here: allocation that never returns NULL, an arena for memory that is freed together, and a
 * growable buffer. Aborting loses nothing, since every answered event is on disk, and no caller
 * needs an error path that is never run. (libsevq, which lives in other people's processes, does
 * not use this file.) Not here: limits. Whoever reads from outside bounds the size before
 * allocating.
 */
#ifndef SCHEMA_MEM_H
#define SCHEMA_MEM_H

#include <stddef.h>

#include "schema/str.h"

void *mem_alloc(size_t size);            /* zeroed */
void *mem_realloc(void *p, size_t size); /* new bytes are not zeroed */
/* an array p of *cap items, grown by at least half to hold need items */
void *mem_grow(void *p, size_t *cap, size_t need, size_t item_bytes);

/* Returns p, which the C library has allocated; aborts if it is NULL. */
void *mem_there(void *p);

/*
 * Has report called once when memory has run out, before the process is aborted. It may end the
 * process itself, and may allocate a little: some memory is kept for it.
 */
void mem_on_exhaustion(void (*report)(void));

/* An arena: allocations that are freed together. All zero is an empty arena. */
struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used;                /* bytes used of the newest */
	bool more;                  /* it has several blocks, or one of an unusual size */
};

void *arena_alloc(struct arena *arena, size_t size);     /* zeroed, aligned for any type */
void *arena_room(struct arena *arena, size_t size);      /* the same, but not zeroed */
char *arena_bytes(struct arena *arena, size_t size);     /* neither zeroed nor aligned: for text */
struct str arena_dup(struct arena *arena, struct str s); /* NUL-terminated copy; NULL stays NULL */
void arena_clear(struct arena *arena);
size_t arena_size(const struct arena *arena); /* bytes of memory; walks its blocks */

/* A growable buffer. All zero is an empty buffer; data is not NUL-terminated. */
struct buf {
	char *data;
	size_t len, cap;
};

void buf_reserve(struct buf *buf, size_t more); /* room for that many bytes behind len */
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_int(struct buf *buf, long long n); /* decimal */
void buf_clear(struct buf *buf);                /* frees */

/* Inline, because answers are made of many short pieces whose length the compiler knows. */
static inline void
buf_add(struct buf *buf, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (len > buf->cap - buf->len)
		buf_reserve(buf, len);
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

/* Appends a C string. */
static inline void
buf_adds(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

#endif
