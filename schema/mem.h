/*
 * mem.h - memory that is either there or ends the process.
 *
 * Here: allocation that never returns NULL, an arena for things that die together, and a growable buffer.
 * An allocation that fails aborts: every answered event is on disk, so stopping loses nothing, and no path
 * above has to be correct for a case that a running system does not meet. (libsevq, which lives in other
 * people's processes, does not use this file.)
 * Not here: limits; whoever reads from outside bounds the size before allocating.
 */
#ifndef SEVQ_SCHEMA_MEM_H
#define SEVQ_SCHEMA_MEM_H

#include <stddef.h>

#include "schema/text.h"

void *sevq_alloc(size_t size);                                         /* zeroed */
void *sevq_realloc(void *p, size_t size);                              /* new bytes are not zeroed */
void *sevq_grow(void *p, size_t *cap, size_t need, size_t item_bytes); /* array with room for need items, grown by half */

/* An arena: allocations that are freed together. All zero is an empty arena. */
struct sevq_arena {
	struct sevq_arena_block *blocks; /* newest first */
	size_t used;                     /* bytes used of the newest */
	bool more;                       /* than one block, or one of another size than usual */
};

void *sevq_arena_alloc(struct sevq_arena *arena, size_t size);               /* zeroed, aligned for any type */
char *sevq_arena_bytes(struct sevq_arena *arena, size_t size);               /* neither zeroed nor aligned: for text */
struct sevq_str sevq_arena_dup(struct sevq_arena *arena, struct sevq_str s); /* NUL-terminated copy; NULL stays NULL */
void sevq_arena_clear(struct sevq_arena *arena);

/* A growable buffer. All zero is an empty buffer; data is not NUL-terminated. */
struct sevq_buf {
	char *data;
	size_t len, cap;
};

void sevq_buf_reserve(struct sevq_buf *buf, size_t more); /* room for that many bytes behind len */
void sevq_buf_adds(struct sevq_buf *buf, const char *s);  /* a C string */
void sevq_buf_addf(struct sevq_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sevq_buf_add_int(struct sevq_buf *buf, long long n); /* decimal */
void sevq_buf_clear(struct sevq_buf *buf);                /* frees */

/* Here, because answers are made of many short pieces whose length the compiler knows. */
static inline void
sevq_buf_add(struct sevq_buf *buf, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (len > buf->cap - buf->len)
		sevq_buf_reserve(buf, len);
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

#endif
