/* caller.c - whose queues a caller may touch. */
#include "queue/caller.h"

#include <string.h>

#define AGENT "agent:"

/* The id ends at the next colon: a queue key is "agent:ID:REST". Other keys are no agent's. */
bool
caller_may_touch(const struct caller *caller, struct str queue_key)
{
	const struct str prefix = STR(AGENT);
	struct str id;
	const char *end;

	if (caller == NULL || caller->agents.s == NULL)
		return true;
	if (!str_starts(queue_key, prefix))
		return false;
	id = (struct str){ queue_key.s + prefix.len, queue_key.len - prefix.len };
	end = memchr(id.s, ':', id.len);
	if (end == NULL || end == id.s)
		return false;
	id.len = (size_t)(end - id.s);
	for (const char *at = caller->agents.s, *last = at + caller->agents.len;
	     at + id.len + 2 <= last;
	     at = (const char *)memchr(at + 1, ',', (size_t)(last - at - 1)))
		if (at[id.len + 1] == ',' && memcmp(at + 1, id.s, id.len) == 0)
			return true;
	return false;
}

int
caller_check(const struct caller *caller, struct str queue_key, struct error *err)
{
	if (caller_may_touch(caller, queue_key))
		return 0;
	return error_set(err, ERROR_FORBIDDEN, "the token is for another agent than this queue's");
}
