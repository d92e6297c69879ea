/*
 * parser.h - bytes to one HTTP/1.1 message: llhttp for the head, and every rule of RFC 9112 that it
 * leaves to us.
 *
 * Here: framing, limits on it, the few headers anybody reads. Fed with bytes in one growing buffer,
 * it keeps no copy: what it found are offsets from the message's first byte, so the buffer may move
 * between two feeds.
 * Not here: sockets, paths and methods (routes), who may call.
 *
 *     head                              body, chunks joined in place
 *     |POST /v1/events HTTP/1.1 ...\r\n\r\n|{"text":...}|            unread
 *     base                              head_len     + body_len     fed
 */
#ifndef SERVER_HTTP_PARSER_H
#define SERVER_HTTP_PARSER_H

#include <llhttp.h>

#include "schema/error.h"
#include "schema/text.h"
#include "server/http/chunked.h"

enum header {
	HEADER_HOST,
	HEADER_AUTHORIZATION,
	HEADER_CONNECTION,
	HEADER_CONTENT_ENCODING,
	HEADER_CONTENT_LENGTH,
	HEADER_CONTENT_TYPE,
	HEADER_EXPECT,
	HEADER_IDEMPOTENCY_KEY,
	HEADER_IF_NONE_MATCH,
	HEADER_OPENCLAW_IDEMPOTENCY_KEY,
	HEADER_OPENCLAW_TOKEN,
	HEADER_ORIGIN,
	HEADER_SEC_FETCH_SITE,
	HEADER_TRACEPARENT,
	HEADER_TRANSFER_ENCODING,
	HEADERS,
};

struct parser_limits {
	size_t head_bytes_max, target_bytes_max, body_bytes_max;
};

enum parsed {
	PARSED_MORE,   /* everything was read; feed again when there is more */
	PARSED_HEAD,   /* the head is complete; feed again for the body */
	PARSED_DONE,   /* the message is complete; what is behind it was not touched */
	PARSED_FAILED, /* error says why; nothing behind this point means anything */
};

struct span {
	size_t start, len; /* start: from base; absent: start 0 (no header begins there) */
};

struct parser {
	llhttp_t http;
	const struct parser_limits *limits;
	char *base;                  /* during a feed only */
	char *end;                   /* of what is fed */
	struct span target, version; /* of the request line */
	struct span headers[HEADERS];
	int header;                /* the one being read; HEADERS: one that nobody reads */
	struct span name, value;   /* of the one being read */
	size_t fed;                /* bytes from base that were read */
	size_t head_len, body_len; /* head_len is 0 until the head is complete */
	/* body bytes, also dropped ones; bytes of the body's framing */
	size_t body_seen, chunk_bytes;
	/* Known after the head. */
	bool wants_close, wants_keep_alive; /* of Connection */
	bool has_body, is_chunked;
	uint64_t body_missing; /* bytes that Content-Length still promises */
	struct chunked chunked;
	bool drop_body; /* set after the head: the body is read and forgotten */
	struct error error;
};

void parser_init(struct parser *parser, const struct parser_limits *limits);

/*
 * Reads on in len bytes from base, of which the first parser->fed were read before. After MORE the
 * unread part is empty, and the buffer's content ends at parser_end: chunk framing is gone.
 */
enum parsed parser_feed(struct parser *parser, char *base, size_t len);
size_t parser_end(const struct parser *parser);

/* After HEAD. */
struct str parser_text(const char *base, struct span span); /* NULL when absent */
bool parser_keeps_alive(const struct parser *parser);
/* bytes that Content-Length still promises; 0 when chunked, and before the head is complete */
uint64_t parser_body_missing(const struct parser *parser);

#endif
