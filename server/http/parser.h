/*
 * parser.h - bytes to one HTTP/1.1 message: llhttp, and every rule of RFC 9112 that it leaves to us.
 *
 * Here: framing, limits on it, the few headers anybody reads. Fed with bytes in one growing buffer, it keeps no copy: what
 * it found are offsets from the message's first byte, so the buffer may move between two feeds.
 * Not here: sockets, paths and methods (routes), who may call.
 *
 *     head                              body, chunks joined in place
 *     |POST /v1/events HTTP/1.1 ...\r\n\r\n|{"text":...}|            unread
 *     base                              head_len     + body_len     fed
 */
#ifndef SEVQ_SERVER_HTTP_PARSER_H
#define SEVQ_SERVER_HTTP_PARSER_H

#include <llhttp.h>

#include "schema/error.h"
#include "schema/text.h"

enum sevq_header {
	SEVQ_HEADER_HOST,
	SEVQ_HEADER_AUTHORIZATION,
	SEVQ_HEADER_CONTENT_ENCODING,
	SEVQ_HEADER_CONTENT_TYPE,
	SEVQ_HEADER_EXPECT,
	SEVQ_HEADER_IDEMPOTENCY_KEY,
	SEVQ_HEADER_OPENCLAW_TOKEN,
	SEVQ_HEADER_ORIGIN,
	SEVQ_HEADER_SEC_FETCH_SITE,
	SEVQ_HEADER_TRANSFER_ENCODING,
	SEVQ_HEADERS,
};

struct sevq_parser_limits {
	size_t head_bytes_max, target_bytes_max, body_bytes_max;
};

enum sevq_parsed {
	SEVQ_PARSED_MORE,   /* everything was read; feed again when there is more */
	SEVQ_PARSED_HEAD,   /* the head is complete; feed again for the body */
	SEVQ_PARSED_DONE,   /* the message is complete; what is behind it was not touched */
	SEVQ_PARSED_FAILED, /* error says why; nothing behind this point means anything */
};

struct sevq_span {
	size_t start, len; /* start: from base; absent: start 0 (no header begins there) */
};

struct sevq_parser {
	llhttp_t http;
	const struct sevq_parser_limits *limits;
	char *base;                       /* during a feed only */
	const char *from;                 /* where this feed began */
	char last;                        /* the last byte of the feeds before */
	char trailer[20];                 /* name of the trailer being read, as far as it matters */
	struct sevq_span target, version; /* of the request line */
	struct sevq_span headers[SEVQ_HEADERS];
	int header;                    /* the one being read; SEVQ_HEADERS: one that nobody reads */
	struct sevq_span name, value;  /* of the one being read */
	size_t fed;                    /* bytes from base that were read */
	size_t head_len, body_len;     /* head_len is 0 until the head is complete */
	size_t body_seen, chunk_bytes; /* body bytes, also dropped ones; bytes of the body's framing */
	bool has_body;                 /* known after the head */
	bool drop_body;                /* set after the head: the body is read and forgotten */
	struct sevq_error error;
};

void sevq_parser_init(struct sevq_parser *parser, const struct sevq_parser_limits *limits);

/*
 * Reads on in len bytes from base, of which the first parser->fed were read before. After MORE the unread part is empty,
 * and the buffer's content ends at sevq_parser_end: chunk framing is gone.
 */
enum sevq_parsed sevq_parser_feed(struct sevq_parser *parser, char *base, size_t len);
size_t sevq_parser_end(const struct sevq_parser *parser);

/* After HEAD. */
struct sevq_str sevq_parser_text(const char *base, struct sevq_span span); /* NULL when absent */
bool sevq_parser_keeps_alive(const struct sevq_parser *parser);
uint64_t sevq_parser_body_missing(const struct sevq_parser *parser); /* bytes that Content-Length still promises; 0 when chunked */

#endif
