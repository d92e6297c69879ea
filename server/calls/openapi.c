/*
 * openapi.c - GET /openapi.json: the calls as OpenAPI 3.1 has them, written down in openapi.json.
 */
#include "server/calls/calls.h"
#include "server/calls/embedded.h"
#include "server/calls/field.h"
#include "server/http/reply.h"
#include "server/openapi_document.h"

void
openapi_get(struct request *request)
{
	if (query_read(request, NULL, 0, NULL, NULL) != 0)
		return;
	buf_add(reply_begin(request), (const char *)embedded[0].bytes, embedded[0].len);
	reply_send(request, &(struct reply){ .status = 200 });
}
