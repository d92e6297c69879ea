/*
 * route.c - routing: the steps of ROUTING section 5.
 *
 * First the key of an isolated heartbeat is replaced by its base. The other steps are a table: each
 * decides whether the key moves to the agent's main session, and says why or why not. All moves
 * have the same destination, which no step would move again, so the first move ends the table. The
 * first step that changes the key names the rule.
 */
#include "queue/policy/route.h"

#include "queue/policy/private.h"

/* One key on its way through the steps. */
struct pass {
	const struct policy *policy;
	const struct address *address;
	struct arena *arena;
	struct str sent;  /* the key as sent, trimmed */
	struct str owner; /* normalised agent id */
	bool bare;        /* it is no agent key */
	bool isolated;    /* an isolated heartbeat's key was sent; key and parsed are its base */
	struct str key;   /* an agent key: as sent, or a bare key qualified with its owner */
	struct session_key parsed; /* key, normalised and parsed */
};

/* The result of a step. */
struct finding {
	bool moves; /* to the main session */
	struct str why;
};

#define MOVES(text) ((struct finding){ true, STR(text) })
#define STAYS(text) ((struct finding){ false, STR(text) })

/* --- the main session --- */

/* The rest, behind "agent:<owner>:", of the main session's queue key. */
static struct str
main_rest(const struct policy *policy)
{
	return policy->global ? STR("global") : policy->main_key;
}

/* Is the key another than the main session's, as the policy has it or in its normal form? */
static bool
is_elsewhere(const struct pass *pass)
{
	const struct policy *policy = pass->policy;

	return !session_key_is(pass->key, pass->owner, main_rest(policy)) &&
	       (policy->global || !session_key_is(pass->key, pass->owner, policy->main_rest));
}

/* --- the steps --- */

static bool
is_alias(const struct pass *pass)
{
	return session_key_is(pass->key, pass->owner, STR("main")) ||
	       session_key_is(pass->key, pass->owner, pass->policy->main_key);
}

static struct finding
main_alias(const struct pass *pass)
{
	if (str_eq(pass->sent, STR("main")) || str_eq(pass->sent, pass->policy->main_key) ||
	    str_eq(pass->key, pass->policy->main_key))
		return MOVES("the key is a short name of the agent's main session");
	if (!is_alias(pass))
		return STAYS("the key does not name a main session");
	return is_elsewhere(pass) ? MOVES("the key is another name of the agent's main session")
				  : STAYS("the key is the main session's own");
}

static struct finding
cron_run(const struct pass *pass)
{
	if (!session_key_is_cron_run(&pass->parsed))
		return STAYS("the key is not that of a cron run");
	return is_elsewhere(pass) ? MOVES("a cron run reports to the agent's main session")
				  : STAYS("the cron run's key is the main session's own");
}

/* The pin that counts: the request's channel and account come before the key's. */
static struct pin
pin_of(const struct pass *pass, const struct direct_target *target)
{
	struct str channel = text_fold(pass->arena, pass->address->channel);
	struct str account = text_fold(pass->arena, pass->address->account_id);

	if (channel.len == 0)
		channel = target->channel;
	if (account.len == 0)
		account = target->account;
	return allowlists_find(&pass->policy->allowlists, channel, account);
}

static struct finding
direct_main(const struct pass *pass)
{
	static const struct str scopes[] = {
		[DM_PER_PEER] = STR_INIT("dmScope is per-peer"),
		[DM_PER_CHANNEL_PEER] = STR_INIT("dmScope is per-channel-peer"),
		[DM_PER_ACCOUNT_CHANNEL_PEER] = STR_INIT("dmScope is per-account-channel-peer"),
		[DM_OTHER] = STR_INIT("dmScope is none that is known"),
	};
	static const struct str unpinned[] = {
		[PIN_NO_CHANNEL] = STR_INIT("the policy does not have the channel"),
		[PIN_NO_LIST] = STR_INIT("the channel has no allowlist"),
		[PIN_NOBODY] = STR_INIT("the allowlist is empty"),
		[PIN_ANYBODY] = STR_INIT("the allowlist lets anybody in"),
		[PIN_SEVERAL] = STR_INIT("the allowlist has more than one owner"),
	};
	struct direct_target target;
	struct pin pin;

	if (!session_key_direct_target(pass->arena, pass->key, &target))
		return STAYS("the key does not name a direct chat");
	if (pass->policy->dm_scope != DM_MAIN)
		return (struct finding){ false, scopes[pass->policy->dm_scope] };
	pin = pin_of(pass, &target);
	if (pin.kind != PIN_OWNER)
		return (struct finding){ false, unpinned[pin.kind] };
	if (!str_eq(pin.owner, target.peer))
		return STAYS("the peer is not the owner that the allowlist names");
	if (bindings_preserve(&pass->policy->bindings, pass->key, &target, pass->policy->main_key,
			      pass->arena))
		return STAYS("a binding gives this chat a session of its own");
	if (!is_elsewhere(pass))
		return STAYS("the key is the main session's own");
	return pin.given ? MOVES("dmScope is main and the peer is the only owner that was given")
			 : MOVES("dmScope is main and the peer is the only owner on the allowlist");
}

static struct str
why_kept(const struct pass *pass)
{
	if (pass->isolated)
		return STR("no other rule moves the base");
	if (pass->bare)
		return STR("no other rule moves the key, which is only qualified with its owner");
	if (!str_eq(pass->sent, pass->parsed.key))
		return STR(
		    "no other rule moves the key, which is only brought into its normal form");
	return STR("no other rule moves the key");
}

/* The steps that may move a key, in the order of ROUTING section 5. */
static const struct {
	enum rule rule;
	struct finding (*look)(const struct pass *pass);
} steps[] = {
	{ RULE_MAIN_ALIAS, main_alias },
	{ RULE_CRON_RUN, cron_run },
	{ RULE_DIRECT_MAIN, direct_main },
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))
_Static_assert(STEP_COUNT + 2 <= ROUTE_STEPS_MAX,
	       "a decision has room for every step, the heartbeat's and keep");

/* --- the decision --- */

/* Section 3: sets the owner. The agent id in the key is sanitised like any other. */
static int
find_owner(struct pass *pass, enum key_shape shape, struct error *err)
{
	struct str asked = text_trim(pass->address->agent_id);
	struct str named = asked.len > 0 ? agent_id_normalize(pass->arena, asked) : STR_NULL;

	if (shape == KEY_AGENT) {
		/*
		 * Normalising an id that was cut to 64 characters can change it again (its last
		 * dash goes); a key that was built with the cut id still belongs to that agent.
		 */
		pass->owner = str_eq(named, pass->parsed.agent_id)
				  ? named
				  : agent_id_normalize(pass->arena, pass->parsed.agent_id);
		if (named.s != NULL && !str_eq(named, pass->owner))
			return error_set(err, ERROR_OWNER_MISMATCH,
					 "the session key belongs to agent %.*s, not to %.*s",
					 (int)pass->owner.len, pass->owner.s, (int)named.len,
					 named.s);
		return 0;
	}
	pass->owner = named.s != NULL ? named : pass->policy->agents.owner;
	if (pass->owner.s == NULL)
		return error_set(
		    err, ERROR_OWNER_UNRESOLVED,
		    "the session key names no agent and the policy has no single owner");
	return 0;
}

static int
malformed(struct error *err)
{
	return error_set(err, ERROR_MALFORMED_KEY,
			 "an agent's session key is agent:<agent id>:<rest>, neither part empty");
}

/* Qualifies a bare key with its owner; returns the shape of the result. */
static enum key_shape
qualify(struct pass *pass)
{
	pass->key = session_key_build(pass->arena, pass->owner, pass->parsed.key);
	return session_key_parse(pass->arena, pass->key, &pass->parsed);
}

/* Classifies the key, finds its owner and qualifies it if it is bare. */
static int
start(struct pass *pass, struct error *err)
{
	enum key_shape shape = session_key_parse(pass->arena, pass->sent, &pass->parsed);

	if (shape == KEY_BLANK)
		return error_set(err, ERROR_BLANK_KEY, "the session key is blank");
	if (shape == KEY_MALFORMED)
		return malformed(err);
	if (find_owner(pass, shape, err) < 0)
		return -1;
	pass->key = pass->sent;
	pass->bare = shape == KEY_BARE;
	return !pass->bare || qualify(pass) == KEY_AGENT ? 0 : malformed(err);
}

static void
explain_step(struct decision *decision, enum rule rule, bool applied, struct str why)
{
	decision->steps[decision->step_count++] = (struct route_step){ rule, applied, why };
}

/*
 * Replaces the key of an isolated heartbeat by its base. Explains a step only for keys that end in
 * ":heartbeat".
 */
static bool
replace_heartbeat(struct pass *pass, bool explain, struct decision *decision)
{
	static const struct str why[] = {
		[HEARTBEAT_SHARED] = STR_INIT("the agent's heartbeats run in their base's session"),
		[HEARTBEAT_ITS_BASE] = STR_INIT("a session that the policy names is called so"),
		[HEARTBEAT_ISOLATED] =
		    STR_INIT("a heartbeat in a session of its own takes the events of its base"),
	};
	size_t suffixes;
	enum heartbeat_key kind =
	    heartbeats_look(&pass->policy->agents.heartbeats, &pass->parsed, pass->owner,
			    pass->policy->main_key, pass->arena, &suffixes);

	if (explain && kind != HEARTBEAT_NONE)
		explain_step(decision, RULE_ISOLATED_HEARTBEAT, kind == HEARTBEAT_ISOLATED,
			     why[kind]);
	if (kind != HEARTBEAT_ISOLATED)
		return false;
	pass->key = heartbeat_base(pass->bare ? pass->sent : pass->key, suffixes);
	session_key_parse(pass->arena, pass->key, &pass->parsed);
	if (pass->bare)
		qualify(pass);
	return true; /* the base of an agent key is an agent key */
}

/* Takes the steps until one moves the key. */
static enum rule
take_steps(const struct pass *pass, bool explain, struct decision *decision)
{
	for (size_t i = 0; i < STEP_COUNT; i++) {
		struct finding finding = steps[i].look(pass);

		if (explain)
			explain_step(decision, steps[i].rule, finding.moves, finding.why);
		if (finding.moves)
			return steps[i].rule;
	}
	if (explain)
		explain_step(decision, RULE_KEEP, true, why_kept(pass));
	return RULE_KEEP;
}

/*
 * Takes the steps, and if the key stays takes them again for its normalised form, which is what the
 * caller will send next time. "Agent:Main:Main" is no alias, but its normalised form is one; a
 * capital sigma lower-cases differently at the end of a peer and before a thread suffix. Without
 * the second time such queue keys would not be fixed points.
 */
static enum rule
decide(struct pass *pass, bool explain, struct decision *decision)
{
	const size_t before = decision->step_count;
	enum rule rule = take_steps(pass, explain, decision);

	if (rule != RULE_KEEP || str_eq(pass->key, pass->parsed.key))
		return rule;
	pass->key = pass->parsed.key;
	decision->step_count = before;
	return take_steps(pass, explain, decision);
}

/* The trimmed key of the address; "main" if it has an agent id and no key. */
static struct str
key_sent(const struct address *address)
{
	if (address->session_key.s == NULL && text_trim(address->agent_id).len > 0)
		return STR("main");
	return text_trim(address->session_key);
}

int
route_decide(const struct policy *policy, const struct address *address, bool explain,
	     struct arena *arena, struct decision *ret, struct error *err)
{
	struct pass pass = {
		.policy = policy, .address = address, .arena = arena, .sent = key_sent(address)
	};
	struct decision decision = { 0 };

	if (start(&pass, err) < 0)
		return -1;
	pass.isolated = replace_heartbeat(&pass, explain, &decision);
	decision.rule = decide(&pass, explain, &decision);
	if (decision.rule != RULE_KEEP) {
		struct str main = session_key_build(arena, pass.owner, main_rest(policy));

		/*
		 * session.mainKey can be any text; the main session's key must parse, and is taken
		 * in its normalised form.
		 */
		if (session_key_parse(arena, main, &pass.parsed) != KEY_AGENT)
			return malformed(err);
	}
	if (pass.isolated)
		decision.rule = RULE_ISOLATED_HEARTBEAT;
	decision.queue_key = pass.parsed.key;
	decision.rekeyed = !str_eq(decision.queue_key, pass.sent);
	decision.owner = pass.owner;
	*ret = decision;
	return 0;
}
