/*
 * chunked.h - the chunked coding of a body (RFC 9112 section 7.1), with its extensions and
 * trailers.
 *
 * Here: which bytes of such a body are data and where it ends, however the bytes are cut. llhttp is
 * not used for it: its versions take different extensions and trailers, and this way no body is
 * framed by two readers.
 * Not here: what becomes of the data, and the limits on its length (parser). Extensions are
 * checked and ignored, trailers are checked and dropped.
 */
#ifndef SERVER_HTTP_CHUNKED_H
#define SERVER_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/error.h"

#define CHUNKED_NAME_BYTES 20

/* All zero is the beginning. */
struct chunked {
	uint8_t state;
	uint64_t left;                 /* of the chunk's data; its size while that is being read */
	char name[CHUNKED_NAME_BYTES]; /* of the trailer being read, in lower case and cut */
	size_t name_len;
};

/*
 * Reads the next byte of framing: a size, an extension, a trailer or a line end. Must not be called
 * while chunked_in_data, nor after the end. ERROR_BAD_REQUEST.
 */
int chunked_read(struct chunked *chunked, char byte, struct error *err);

bool
chunked_in_data(const struct chunked *chunked); /* the next `left` bytes, at least 1, are data */
void chunked_take(struct chunked *chunked, size_t len); /* len of them were taken */
bool chunked_at_end(const struct chunked *chunked);

#endif
