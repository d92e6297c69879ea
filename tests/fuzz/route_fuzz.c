/*
 * route_fuzz.c - a queue key is a fixed point: f(f(x)) = f(x), under any policy that compiles.
 *
 * The input, so that people can write one too: session key, agent id, channel and account id, a line each (an empty one
 * is not given), and behind them the policy.
 */
#include "queue/policy/route.h"

#include <assert.h>

#include "fuzz.h"

/* Takes a line off the front. */
static struct sevq_str
line(struct sevq_str *rest)
{
	const char *end = rest->len > 0 ? memchr(rest->s, '\n', rest->len) : NULL;
	const size_t len = end != NULL ? (size_t)(end - rest->s) : rest->len;
	const struct sevq_str s = { len > 0 ? rest->s : NULL, len };

	rest->s += end != NULL ? len + 1 : len;
	rest->len -= end != NULL ? len + 1 : len;
	return s;
}

/* What the service lets through to routing. */
static bool
admitted(const struct sevq_address *a)
{
	return sevq_address_check(a, NULL) == 0 && sevq_utf8_valid(a->session_key.s, a->session_key.len) &&
	       sevq_utf8_valid(a->agent_id.s, a->agent_id.len) && sevq_utf8_valid(a->channel.s, a->channel.len) &&
	       sevq_utf8_valid(a->account_id.s, a->account_id.len);
}

static void
check_fixed(const struct sevq_policy *policy, struct sevq_address address, const struct sevq_decision *first,
	    struct sevq_arena *arena)
{
	struct sevq_decision again;

	address.session_key = first->queue_key;
	assert(sevq_route(policy, &address, true, arena, &again, NULL) == 0);
	assert(sevq_str_eq(again.queue_key, first->queue_key));
	assert(again.rule == SEVQ_RULE_KEEP && !again.rekeyed);
	assert(again.step_count > 0 && again.step_count <= SEVQ_ROUTE_STEPS_MAX);
}

static void
check_route(const struct sevq_policy *policy, struct sevq_address address)
{
	struct sevq_arena arena = { 0 };
	struct sevq_decision first;
	struct sevq_error error;

	if (sevq_route(policy, &address, false, &arena, &first, &error) == 0) {
		assert(first.step_count == 0);
		assert(sevq_utf8_valid(first.queue_key.s, first.queue_key.len));
		check_fixed(policy, address, &first, &arena);
		address.agent_id = SEVQ_STR_NULL; /* a consumer knows the key alone */
		check_fixed(policy, address, &first, &arena);
	} else
		assert(error.code >= SEVQ_BLANK_KEY && error.code <= SEVQ_OWNER_MISMATCH);
	sevq_arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sevq_str rest = { (const char *)data, size };
	struct sevq_address address = { 0 };
	struct sevq_policy *policy;

	address.session_key = line(&rest);
	address.agent_id = line(&rest);
	address.channel = line(&rest);
	address.account_id = line(&rest);
	if (!admitted(&address) || sevq_policy_parse(rest.s, rest.len, &policy, NULL) < 0)
		return 0;
	check_route(policy, address);
	sevq_policy_free(policy);
	return 0;
}
