/*
 * buffer.h - a growable text that remembers when memory ran out.
 *
 * Here: appending. If memory runs out the buffer is marked as failed and later appends do nothing,
 * so that the builder of a text checks once, at the end.
 * Not here: limits. A caller that appends input from outside bounds its size.
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

/* Returns the text, "" if there is none; never NULL. Valid until the buffer changes. */
const char *sevq_buffer_text(const struct sevq_buffer *buffer);

/*
 * Moves the text to the caller, who frees it, and leaves the buffer empty. Returns NULL if the
 * buffer has failed.
 */
char *sevq_buffer_take(struct sevq_buffer *buffer);

/* Makes the buffer empty and not failed. Its memory stays for the next text. */
void sevq_buffer_truncate(struct sevq_buffer *buffer);

/* Frees the memory; the buffer is then empty. */
void sevq_buffer_clear(struct sevq_buffer *buffer);

#endif
