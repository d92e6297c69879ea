/*
 * page.c - GET / and GET /ui/{id}: the files of the page, which are part of the program.
 *
 * They need no token and hold no data: what the page shows it asks for with a token of its own. A
 * browser keeps them, but asks each time whether they have changed, so that those of two versions
 * never meet.
 */
#include "server/calls/page.h"

#include <stdio.h>

#include "server/calls/calls.h"
#include "server/calls/embedded.h"
#include "server/calls/field.h"
#include "server/http/reply.h"
#include "server/page_files.h"

#define FIRST "index.html"

/*
 * Nothing but what comes from here is loaded, asked or run; no other page may frame or include it,
 * or hold on to its window; and no text can become markup or code (trusted types).
 */
static const char browser_headers[] =
    "Cache-Control: no-cache\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

static const struct embedded_file *
find(struct str name)
{
	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++)
		if (str_eq(str_of(embedded[i].name), name))
			return &embedded[i];
	return NULL;
}

/* RFC 9110 section 13.1.2. Quotes stand around a tag, so it is no part of another. */
static bool
has_it(struct str if_none_match, const char *etag)
{
	return str_eq(if_none_match, STR("*")) ||
	       (if_none_match.s != NULL &&
		memmem(if_none_match.s, if_none_match.len, etag, strlen(etag)) != NULL);
}

static void
answer(struct request *request, const struct embedded_file *file)
{
	bool kept = has_it(request->headers[HEADER_IF_NONE_MATCH], file->etag);
	struct reply reply = { .status = kept ? 304 : 200,
			       .type = file->type,
			       .browser_headers = browser_headers };

	snprintf(reply.extra, sizeof(reply.extra), "ETag: %s\r\n", file->etag);
	buf_add(reply_begin(request), (const char *)file->bytes, file->len);
	reply_send(request, &reply);
}

int
page_check(const struct request *request, struct error *err)
{
	return calls_of(request)->limits.no_page
		   ? error_set(err, ERROR_NOT_FOUND, "the page is turned off by --no-page")
		   : 0;
}

void
page_get(struct request *request)
{
	const struct embedded_file *file;
	struct error err = { .code = ERROR_NONE };

	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	file = find(request->id.s != NULL ? request->id : STR(FIRST));
	if (page_check(request, &err) == 0 && file == NULL)
		error_set(&err, ERROR_NOT_FOUND, "the page has no such file");
	if (err.code != ERROR_NONE)
		problem_send(request, &err);
	else
		answer(request, file);
}
