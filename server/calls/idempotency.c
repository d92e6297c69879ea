/*
 * idempotency.c - a request that may be sent twice.
 *
 * Enqueue, drain, lease and webhook each have their own keys: a letter in front of the key tells
 * them apart, so that a key used for one call is free for another. So does the caller's token, by
 * its name and agents or else by its digest: what one caller has used is free for another, who must
 * not be shown the first one's events. Without tokens all callers are one.
 */
#include "server/calls/idempotency.h"

#include "schema/event.h"
#include "server/calls/submit.h"
#include "server/http/problem.h"

#define HEADER "Idempotency-Key"

static int
refuse(struct request *request, const char *why)
{
	struct error err;

	error_set_field(&err, HEADER, "%s", why);
	problem_send(request, &err);
	return -1;
}

bool
idempotency_unquote(struct arena *arena, struct str text, struct str *ret)
{
	char *out = arena_bytes(arena, text.len);
	size_t len = 0, i = 1;

	for (; i < text.len && text.s[i] != '"'; i++) {
		if (text.s[i] == '\\' &&
		    (++i == text.len || (text.s[i] != '"' && text.s[i] != '\\')))
			return false;
		if (text.s[i] < 0x20 || text.s[i] > 0x7e)
			return false;
		out[len++] = text.s[i];
	}
	*ret = (struct str){ out, len };
	return i + 1 == text.len;
}

static bool
is_bare(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.s[i] <= 0x20 || text.s[i] > 0x7e || memchr("\"\\,;", text.s[i], 4) != NULL)
			return false;
	return true;
}

/*
 * The key as the client means it, *ret; NULL: the header was not sent. It is a string of RFC 8941
 * ("abc", with \" and \\), or bare text without quotes. -1 after answering that it is neither, or
 * empty, or too long.
 */
static int
read_key(struct request *request, struct str *ret)
{
	struct str text = request->headers[HEADER_IDEMPOTENCY_KEY], key = text;

	if (text.s != NULL &&
	    !(text.len > 0 && text.s[0] == '"' ? idempotency_unquote(&request->arena, text, &key)
					       : is_bare(text)))
		return refuse(request, HEADER " must be one \"string\", or text without spaces, "
					      "quotes, commas, semicolons and backslashes");
	if (text.s != NULL && (key.len == 0 || key.len > IDEMPOTENCY_KEY_BYTES_MAX))
		return refuse(request, HEADER " must have 1 to 255 bytes");
	*ret = key;
	return 0;
}

struct idempotency
idempotency_key_of(struct request *request, char kind, struct str key, struct str sent)
{
	return (struct idempotency){ .key = idempotency_key_make(&request->arena, kind,
								 request->key_scope, key),
				     .request = text_hash(sent) };
}

int
idempotency_key_set(struct request *request, char kind)
{
	struct str key;

	if (read_key(request, &key) != 0)
		return -1;
	if (key.s != NULL)
		request->work->op.idempotency =
		    idempotency_key_of(request, kind, key, request->body);
	return 0;
}

void
idempotency_note_replay(const struct request *request, struct reply *reply)
{
	if (request->work->op.idempotency.replayed)
		strcat(reply->extra, "Idempotency-Replayed: true\r\n");
}
