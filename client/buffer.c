/*
 * The growable text of the client. Its capacity grows by half, so that building a text piece by
 * piece takes linear time.
 */
#include "client/buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `more` bytes behind len and for the NUL. */
static bool
reserve(struct sevq_buffer *buffer, size_t more)
{
	size_t cap;
	char *data;

	if (buffer->failed)
		return false;
	if (buffer->cap - buffer->len > more)
		return true;
	if (more >= SIZE_MAX / 2 - buffer->len) {
		buffer->failed = true;
		return false;
	}
	cap = buffer->cap + buffer->cap / 2;
	if (cap < buffer->len + more + 1)
		cap = buffer->len + more + 1;
	if (cap < 128)
		cap = 128;
	data = realloc(buffer->data, cap);
	if (data == NULL) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->cap = cap;
	return true;
}

void
sevq_buffer_add(struct sevq_buffer *buffer, const void *data, size_t len)
{
	if (!reserve(buffer, len))
		return;
	if (len > 0)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
}

void
sevq_buffer_adds(struct sevq_buffer *buffer, const char *s)
{
	sevq_buffer_add(buffer, s, strlen(s));
}

void
sevq_buffer_addf(struct sevq_buffer *buffer, const char *fmt, ...)
{
	va_list ap;
	int need;

	va_start(ap, fmt);
	need = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (need < 0 || !reserve(buffer, (size_t)need)) {
		buffer->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(buffer->data + buffer->len, (size_t)need + 1, fmt, ap);
	va_end(ap);
	buffer->len += (size_t)need;
}

const char *
sevq_buffer_text(const struct sevq_buffer *buffer)
{
	return buffer->data != NULL ? buffer->data : "";
}

char *
sevq_buffer_take(struct sevq_buffer *buffer)
{
	char *data;

	sevq_buffer_add(buffer, NULL, 0); /* an empty text gets its NUL too */
	data = buffer->failed ? NULL : buffer->data;
	if (data == NULL)
		free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
	return data;
}

void
sevq_buffer_truncate(struct sevq_buffer *buffer)
{
	buffer->len = 0;
	buffer->failed = false;
	if (buffer->data != NULL)
		buffer->data[0] = '\0';
}

void
sevq_buffer_clear(struct sevq_buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}
