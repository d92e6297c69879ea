/*
 * buffer.h - a growable text that remembers when memory ran out.
 *
 * Here: appending. The first append that finds no memory marks the buffer failed and all later ones
 * do nothing, so whoever builds a text asks once, at the end.
 * Not here: limits; whoever reads from outside bounds the size.
 */
#ifndef SEVQ_CLIENT_BUFFER_H
#define SEVQ_CLIENT_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty buffer. Where data is not NULL it ends in a NUL that len does not count. */
struct sevq_buffer {
	char *data;
	size_t len, cap;
	bool failed;
};

void sevq_buffer_add(struct sevq_buffer *buffer, const void *data, size_t len);
void sevq_buffer_adds(struct sevq_buffer *buffer, const char *s);
void sevq_buffer_addf(struct sevq_buffer *buffer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

const char *sevq_buffer_text(const struct sevq_buffer *buffer); /* never NULL */
/* the caller frees it; NULL if failed; leaves it empty */
char *sevq_buffer_take(struct sevq_buffer *buffer);
/* empty and not failed, keeps the memory */
void sevq_buffer_truncate(struct sevq_buffer *buffer);
void sevq_buffer_clear(struct sevq_buffer *buffer); /* frees */

#endif
