/*
 * route_fuzz.c - a queue key routes to itself, under any policy that compiles.
 *
 * The input has a line each for the session key, agent id, channel and account id (an empty line
 * means absent); the rest is the policy.
 */
#include "queue/policy/route.h"

#include <assert.h>

#include "fuzz.h"

/* Takes the first line off the input. */
static struct str
line(struct str *rest)
{
	const char *end = rest->len > 0 ? memchr(rest->s, '\n', rest->len) : NULL;
	const size_t len = end != NULL ? (size_t)(end - rest->s) : rest->len;
	const struct str s = { len > 0 ? rest->s : NULL, len };

	rest->s += end != NULL ? len + 1 : len;
	rest->len -= end != NULL ? len + 1 : len;
	return s;
}

/* Whether the server would pass this text on to routing. */
static bool
admitted(const struct address *a)
{
	return address_check(a, NULL) == 0 && text_is_utf8(a->session_key.s, a->session_key.len) &&
	       text_is_utf8(a->agent_id.s, a->agent_id.len) &&
	       text_is_utf8(a->channel.s, a->channel.len) &&
	       text_is_utf8(a->account_id.s, a->account_id.len);
}

static void
check_fixed(const struct policy *policy, struct address address, const struct decision *first,
	    struct arena *arena)
{
	struct decision again;

	address.session_key = first->queue_key;
	assert(route_decide(policy, &address, true, arena, &again, NULL) == 0);
	assert(str_eq(again.queue_key, first->queue_key));
	assert(again.rule == RULE_KEEP && !again.rekeyed);
	assert(again.step_count > 0 && again.step_count <= ROUTE_STEPS_MAX);
}

static void
check_route(const struct policy *policy, struct address address)
{
	struct arena arena = { 0 };
	struct decision first;
	struct error error;

	if (route_decide(policy, &address, false, &arena, &first, &error) == 0) {
		assert(first.step_count == 0);
		assert(text_is_utf8(first.queue_key.s, first.queue_key.len));
		check_fixed(policy, address, &first, &arena);
		address.agent_id = STR_NULL; /* a consumer only has the key */
		check_fixed(policy, address, &first, &arena);
	} else
		assert(error.code >= ERROR_BLANK_KEY && error.code <= ERROR_OWNER_MISMATCH);
	arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct address address = { 0 };
	struct policy *policy;

	address.session_key = line(&rest);
	address.agent_id = line(&rest);
	address.channel = line(&rest);
	address.account_id = line(&rest);
	if (!admitted(&address) || policy_parse(rest.s, rest.len, NULL, &policy, NULL) < 0)
		return 0;
	check_route(policy, address);
	policy_free(policy);
	return 0;
}
