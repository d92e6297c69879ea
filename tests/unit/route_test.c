/*
 * route_test.c - route decisions: a table for each paragraph of ROUTING sections 3 to 6, and every
 * vector.
 *
 * The policies are JSON5. The program's argument is the file of vectors.
 */
#include "queue/policy/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* most rows give no agent, channel and account */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* An address and its decision: a queue key and rule, or an error. */
struct row {
	const char *policy, *key;
	const char *want, *rule; /* rule NULL: want is the code of an error */
	const char *agent, *channel, *account;
};

static struct str
given(const char *s)
{
	return s != NULL ? str_of(s) : STR_NULL;
}

static struct policy *
compiled(const char *text)
{
	struct policy *policy;
	struct error err;

	if (policy_parse(text, strlen(text), NULL, &policy, &err) < 0)
		fail_msg("%s: %s", text, err.detail);
	return policy;
}

static void
check_again(const struct policy *policy, struct address address, const struct decision *first,
	    const char *key)
{
	struct arena arena = { 0 };
	struct decision again;

	address.session_key = first->queue_key;
	if (route_decide(policy, &address, true, &arena, &again, NULL) < 0 ||
	    !str_eq(again.queue_key, first->queue_key) || again.rule != RULE_KEEP || again.rekeyed)
		fail_msg("%s: its queue key %.*s is no fixed point", key, (int)first->queue_key.len,
			 first->queue_key.s);
	arena_clear(&arena);
}

static void
check_row(const struct row *row)
{
	struct address address = { given(row->key), given(row->agent), given(row->channel),
				   given(row->account) };
	struct policy *policy = compiled(row->policy);
	struct arena arena = { 0 };
	struct decision got;
	struct error err;

	if (route_decide(policy, &address, false, &arena, &got, &err) < 0) {
		if (row->rule != NULL || strcmp(error_code_name(err.code), row->want) != 0)
			fail_msg("%s under %s: %s: %s", row->key, row->policy,
				 error_code_name(err.code), err.detail);
	} else {
		if (row->rule == NULL || !str_eq(got.queue_key, str_of(row->want)) ||
		    strcmp(rule_name(got.rule), row->rule) != 0)
			fail_msg("%s under %s: %.*s, %s", row->key, row->policy,
				 (int)got.queue_key.len, got.queue_key.s, rule_name(got.rule));
		check_again(policy, address, &got, row->key);
	}
	arena_clear(&arena);
	policy_free(policy);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_row(&rows[i]);
}

/* --- section 3 --- */

static const struct row owners[] = {
	/* the key's own agent, then the request's, then the policy's */
	{ "{}", "agent:ghost:x", "agent:ghost:x", "keep" },
	{ "{agents:{list:[{id:'a'}]}}", "x", "agent:b:x", "keep", .agent = " B " },
	{ "{agents:{list:[{id:'a'}]}}", "x", "agent:a:x", "keep", .agent = " " },
	{ "{}", "x", "agent:main:x", "keep" },
	{ "{agents:{list:[{id:'My Agent'}]}}", "x", "agent:my-agent:x", "keep" },
	{ "{agents:{list:[{id:'a'},{id:'b'}]}}", "x", "owner-unresolved", NULL },
	{ "{agents:{list:[{id:'a'},{id:'b',default:true}]}}", "x", "agent:b:x", "keep" },
	{ "{agents:{list:[{id:'a',default:true},{id:'b',default:true}]}}", "x", "owner-unresolved",
	  NULL },
	{ "{agents:{list:[{id:'a'},{id:'b',default:1}]}}", "x", "owner-unresolved", NULL },
	{ "{agents:{list:[]}}", "x", "owner-unresolved", NULL }, /* an empty roster is a roster */
	{ "{agents:{list:{}}}", "x", "agent:main:x", "keep" },
	{ "{agents:{list:[null,7,{id:'a'}]}}", "x", "agent:a:x", "keep" },
	{ "{agents:{entries:{a:{}}}}", "x", "agent:a:x", "keep" },
	{ "{agents:{entries:{a:{},b:{default:true}}}}", "x", "agent:b:x", "keep" },
	{ "{agents:{entries:{a:{}},list:[{id:'b'}]}}", "x", "agent:a:x", "keep" },
	{ "{agents:{entries:[],list:[{id:'b'}]}}", "x", "agent:b:x", "keep" },
	/* the system agent, and explicit ownership */
	{ "{agents:{entries:{a:{},b:{}},defaults:{systemAgent:{agentId:' C '}}}}", "x", "agent:c:x",
	  "keep" },
	{ "{agents:{entries:{a:{}},defaults:{systemAgent:{agentId:' '}}}}", "x", "agent:a:x",
	  "keep" },
	{ "{agents:{entries:{a:{}},ownership:'explicit'}}", "x", "owner-unresolved", NULL },
	{ "{agents:{ownership:'explicit'}}", "x", "owner-unresolved", NULL },
	{ "{agents:{ownership:'EXPLICIT'}}", "x", "agent:main:x", "keep" },
	{ "{agents:{entries:{a:{}},ownership:'explicit',defaults:{systemAgent:{agentId:'z'}}}}",
	  "x", "agent:z:x", "keep" },
	/* disagreement */
	{ "{}", "agent:a:x", "owner-mismatch", NULL, .agent = "b" },
	{ "{}", "agent:My Agent:x", "agent:my agent:x", "keep", .agent = "my-agent" },
	{ "{}", "agent:a:x", "agent:a:x", "keep", .agent = "" },
	/* an agent alone means its main session */
	{ "{session:{mainKey:'home'}}", NULL, "agent:ops:home", "main-alias", .agent = "Ops" },
	{ "{}", NULL, "blank-key", NULL, .agent = " " },
	{ "{}", NULL, "blank-key", NULL },
	{ "{}", "", "blank-key", NULL, .agent = "ops" },
};

static void
a_key_has_one_owner(void **state)
{
	(void)state;
	check_rows(owners, COUNT(owners));
}

/* --- section 4 --- */

static const struct row aliases[] = {
	{ "{}", "main", "agent:main:main", "main-alias" },
	{ "{}", "MAIN", "agent:main:main", "keep" }, /* already qualified */
	{ "{}", "Agent:Main:Main", "agent:main:main", "keep" },
	{ "{}", "agent:main:main", "agent:main:main", "keep" },
	{ "{session:{mainKey:' Home '}}", "main", "agent:main:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "home", "agent:main:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "Home", "agent:main:home", "keep" },
	/* the alias is applied again */
	{ "{session:{mainKey:'home'}}", "MAIN", "agent:main:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "agent:main:main", "agent:main:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "agent:x:main", "agent:x:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "agent:x:home", "agent:x:home", "keep" },
	/* in its normal form */
	{ "{session:{mainKey:'home'}}", "Agent:Main:Main", "agent:main:home", "main-alias" },
	{ "{session:{mainKey:'home'}}", "agent: main :main", "agent:main:home", "main-alias" },
	/* not the id as parsed */
	{ "{session:{mainKey:'home'}}", "agent:My Agent:main", "agent:my agent:main", "keep" },
	/* a main key may look like an agent's key; what leads to that text leads on */
	{ "{session:{mainKey:'agent:x:y'}}", "agent:x:y", "agent:x:agent:x:y", "main-alias" },
	{ "{session:{mainKey:'agent:x:y'}}", "Agent:x:y", "agent:x:agent:x:y", "main-alias" },
	{ "{session:{mainKey:'agent:x:y'}}", "y", "agent:x:agent:x:y", "main-alias", .agent = "x" },
	{ "{session:{mainKey:'  '}}", "main", "agent:main:main", "main-alias" },
	{ "{session:{mainKey:7}}", "main", "agent:main:main", "main-alias" },
	{ "{session:{mainKey:':x'}}", "main", "malformed-key", NULL }, /* no such key exists */
	{ "{session:{mainKey:'signal:group: X '}}", "main", "agent:main:signal:group:x",
	  "main-alias" },
	{ "{}", "foo:main", "agent:main:foo:main", "keep" },
	/* scope */
	{ "{session:{scope:'global'}}", "main", "agent:main:global", "main-alias" },
	{ "{session:{scope:'global'}}", "agent:x:main", "agent:x:global", "main-alias" },
	{ "{session:{scope:'global'}}", "global", "agent:main:global", "keep" },
	{ "{session:{scope:'GLOBAL'}}", "main", "agent:main:main", "main-alias" },
	{ "{session:{scope:'global',mainKey:'global'}}", "agent:x:global", "agent:x:global",
	  "keep" },
	/* qualify */
	{ "{}", " Foo ", "agent:main:foo", "keep" },
	{ "{}", "Matrix:Channel:!AbC:S", "agent:main:matrix:channel:!AbC:S", "keep" },
	{ "{}", "agent: A :Foo:", "agent:a:foo:", "keep" },
	{ "{}", "unknown", "agent:main:unknown", "keep" },
	{ "{}", ":x", "malformed-key", NULL },
};

static void
main_sessions_have_aliases(void **state)
{
	(void)state;
	check_rows(aliases, COUNT(aliases));
}

/* --- section 5 --- */

static const struct row steps[] = {
	{ "{}", "  \u3000", "blank-key", NULL },
	{ "{}", "Agent:main", "malformed-key", NULL, .agent = "other" }, /* this step comes first */
	/* cron runs */
	{ "{session:{dmScope:'per-peer'}}", "agent:main:cron:j:run:1:x", "agent:main:main",
	  "cron-run" },
	{ "{}", "agent:My Agent!:cron:j:run:1", "agent:my-agent:main", "cron-run" },
	{ "{session:{scope:'global'}}", "agent:work:cron:j:run:1", "agent:work:global",
	  "cron-run" },
	/* a bare one is qualified first */
	{ "{session:{mainKey:'home'}}", "cron:j:run:1", "agent:main:home", "cron-run" },
	{ "{session:{mainKey:'cron:j:run:1:signal:group: x'}}", "cron:a:run:b",
	  "agent:main:cron:j:run:1:signal:group:x", "cron-run" },
	{ "{session:{mainKey:'cron:j:run:1'}}", "agent:main:cron:j:run:1",
	  "agent:main:cron:j:run:1", "keep" },
	/* direct main */
	{ "{channels:{telegram:{allowFrom:['123']}}}", "agent:main:telegram:default:direct:123",
	  "agent:main:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:['123']}}}", "telegram:direct:123", "agent:main:main",
	  "direct-main" },
	{ "{channels:{telegram:{allowFrom:['123']}}}", "agent:ghost:telegram:dm:123:thread:7",
	  "agent:ghost:main", "direct-main" },
	{ "{session:{scope:'global'},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:global", "direct-main" },
	{ "{session:{dmScope:null},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:main", "direct-main" },
	{ "{session:{dmScope:''},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:telegram:direct:123", "keep" },
	{ "{session:{dmScope:'MAIN'},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:telegram:direct:123", "keep" },
	{ "{session:{dmScope:7},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:telegram:direct:123", "keep" },
	{ "{session:{mainKey:'telegram:direct:123'},channels:{telegram:{allowFrom:['123']}}}",
	  "agent:a:telegram:direct:123", "agent:a:telegram:direct:123", "keep" },
	{ "{session:{identityLinks:{al:['123']}},channels:{telegram:{allowFrom:['al']}}}",
	  "agent:a:telegram:direct:123", "agent:a:telegram:direct:123", "keep" },
	/* pinned owners */
	{ "{channels:{telegram:{allowFrom:[123,'123 ',' ',[],[null]]}}}",
	  "agent:a:telegram:direct:123", "agent:a:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:['123',' * ']}}}", "agent:a:telegram:direct:123",
	  "agent:a:telegram:direct:123", "keep" },
	{ "{channels:{telegram:{allowFrom:['123','4','*']}}}", "agent:a:telegram:direct:*",
	  "agent:a:telegram:direct:*", "keep" },
	{ "{channels:{telegram:{allowFrom:['123',null]}}}", "agent:a:telegram:direct:123",
	  "agent:a:telegram:direct:123", "keep" },
	{ "{channels:{telegram:{allowFrom:[null]}}}", "agent:a:telegram:direct:null",
	  "agent:a:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:[{id:1}]}}}", "agent:a:telegram:direct:[object object]",
	  "agent:a:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:[1e21]}}}", "agent:a:telegram:direct:1e+21",
	  "agent:a:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:[0x7b]}}}", "agent:a:telegram:direct:123", "agent:a:main",
	  "direct-main" },
	{ "{channels:{telegram:{allowFrom:['telegram:123']}}}", "agent:a:telegram:direct:123",
	  "agent:a:telegram:direct:123", "keep" },
	{ "{channels:{telegram:{allowFrom:['+123']}}}", "agent:a:telegram:direct:123",
	  "agent:a:telegram:direct:123", "keep" },
	{ "{channels:{telegram:{allowFrom:['\u039f\u0394\u039f\u03a3']}}}",
	  "agent:a:telegram:direct:\u039f\u0394\u039f\u03a3:thread:1", "agent:a:main",
	  "direct-main" },
	/* the sigma before the thread suffix of the queue key is not a final one */
	{ "{channels:{telegram:{allowFrom:['\u03bf\u03b4\u03bf\u03c3']}}}",
	  "agent:a:telegram:direct:\u039f\u0394\u039f\u03a3:thread:1", "agent:a:main",
	  "direct-main" },
};

static void
the_first_step_that_applies_decides(void **state)
{
	(void)state;
	check_rows(steps, COUNT(steps));
}

#define DIRECT "agent:a:telegram:work:direct:1"
#define STAYS DIRECT, "keep"
#define MOVES "agent:a:main", "direct-main"

static const struct row allowlists[] = {
	/* the order */
	{ "{channels:{telegram:{accounts:{work:{dm:{allowFrom:['1']},config:{dm:{allowFrom:['9']}}}"
	  "}}}}",
	  DIRECT, MOVES },
	{ "{channels:{telegram:{accounts:{work:{allowFrom:['9'],config:{dm:{allowFrom:['1']}}}}}}}",
	  DIRECT, MOVES },
	{ "{channels:{telegram:{accounts:{work:{allowFrom:['1'],config:{allowFrom:['9']}}}}}}",
	  DIRECT, MOVES },
	{ "{channels:{telegram:{dm:{allowFrom:['9']},accounts:{work:{config:{allowFrom:['1']}}}}}}",
	  DIRECT, MOVES },
	{ "{channels:{telegram:{dm:{allowFrom:['1']},allowFrom:['9']}}}", DIRECT, MOVES },
	{ "{channels:{telegram:{dm:{allowFrom:'9'},allowFrom:['1']}}}", DIRECT, MOVES },
	/* an empty array counts, any other type does not */
	{ "{channels:{telegram:{allowFrom:['1'],accounts:{work:{dm:{allowFrom:[]}}}}}}", DIRECT,
	  STAYS },
	{ "{channels:{telegram:{allowFrom:['1'],accounts:{work:{allowFrom:{}}}}}}", DIRECT, MOVES },
	/* objects only, and names exactly */
	{ "{channels:[{telegram:{allowFrom:['1']}}]}", DIRECT, STAYS },
	{ "{channels:{telegram:[{allowFrom:['1']}]}}", DIRECT, STAYS },
	{ "{channels:{Telegram:{allowFrom:['1']}}}", DIRECT, STAYS },
	{ "{channels:{telegram:{accounts:{Work:{allowFrom:['1']}}}}}", DIRECT, STAYS },
	{ "{channels:{telegram:{accounts:[{allowFrom:['9']}],allowFrom:['1']}}}", DIRECT, MOVES },
	{ "{channels:{telegram:{accounts:{constructor:{allowFrom:['1']}}}}}",
	  "agent:a:telegram:constructor:direct:1", "agent:a:telegram:constructor:direct:1",
	  "keep" },
	{ "{channels:{constructor:{allowFrom:['1']}}}", "agent:a:constructor:direct:1",
	  "agent:a:main", "direct-main" },
	{ "{channels:{telegram:{allowFrom:['1'],accounts:{'':{allowFrom:['9']}}}}}",
	  "agent:a:telegram:direct:1", "agent:a:main", "direct-main" },
	/* not consulted */
	{ "{channels:{defaults:{allowFrom:['1']},telegram:{config:{allowFrom:['1']},groupAllowFrom:"
	  "['1']}}}",
	  DIRECT, STAYS },
	/* the request's channel and account go first; blank ones are like missing ones */
	{ "{channels:{telegram:{allowFrom:['1']}}}", DIRECT, MOVES, .channel = " ", .account = "" },
	{ "{channels:{telegram:{allowFrom:['1']}}}", DIRECT, STAYS, .channel = "webchat" },
	{ "{channels:{telegram:{allowFrom:['1']}}}", "agent:a:direct:1", "agent:a:main",
	  "direct-main", .channel = " Telegram " },
	{ "{channels:{telegram:{accounts:{home:{allowFrom:['1']},work:{allowFrom:['9']}}}}}",
	  DIRECT, MOVES, .account = " HOME " },
	{ "{channels:{telegram:{accounts:{'default':{allowFrom:['1']}}}}}",
	  "agent:a:telegram:direct:1", "agent:a:telegram:direct:1", "keep" },
};

static void
one_allowlist_applies(void **state)
{
	(void)state;
	check_rows(allowlists, COUNT(allowlists));
}

/* --- section 6 --- */

#define BOUND(match, scope)                                                                        \
	"{channels:{telegram:{allowFrom:['1']}},bindings:[{agentId:'a',match:" match               \
	",session:{dmScope:'" scope "'}}]}"
#define PACP "per-account-channel-peer"
#define OWN(bindings, more)                                                                        \
	"{channels:{telegram:{allowFrom:['1']}},bindings:[" bindings "]" more "}"

static const struct row bindings[] = {
	/* which binding: channel and account */
	{ BOUND("{channel:' Telegram ',accountId:'*'}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'discord',accountId:'*'}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:7,accountId:'*'}", PACP), DIRECT, MOVES },
	{ BOUND("{accountId:'*'}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:' WORK '}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'telegram'}", PACP), DIRECT, MOVES }, /* the default account only */
	{ BOUND("{channel:'telegram',accountId:null}", PACP), "agent:a:telegram:default:direct:1",
	  "agent:a:telegram:default:direct:1", "keep" },
	{ BOUND("{channel:'telegram',accountId:' '}", "per-channel-peer"),
	  "agent:a:telegram:direct:1", "agent:a:telegram:direct:1", "keep" },
	{ BOUND("{channel:'telegram',accountId:'my.acct'}", PACP),
	  "agent:a:telegram:my.acct:direct:1", "agent:a:main",
	  "direct-main" }, /* normalised to my-acct */
	/* which binding: peers */
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:' DM ',id:1}}", PACP), DIRECT,
	  STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:'direct',id:'*'}}", PACP), DIRECT,
	  STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:'direct',id:'2'}}", PACP), DIRECT,
	  MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:'group',id:'1'}}", PACP), DIRECT,
	  MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:'nope',id:'1'}}", PACP), DIRECT,
	  MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:{kind:'direct',id:[1]}}", PACP), DIRECT,
	  MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:'x'}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:null}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:0}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:''}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:false}", PACP), DIRECT, STAYS },
	{ BOUND("{channel:'telegram',accountId:'*',peer:true}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',peer:5}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',guildId:'g'}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',teamId:7}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',roles:['r']}", PACP), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*',guildId:' ',teamId:{},roles:[]}", PACP), DIRECT,
	  STAYS },
	{ "{channels:{telegram:{allowFrom:['abc']}},bindings:[{agentId:'a',match:{channel:'"
	  "telegram',peer:{kind:'dm',id:'ABC'}},"
	  "session:{dmScope:'per-channel-peer'}}]}",
	  "agent:a:telegram:direct:ABC", "agent:a:main",
	  "direct-main" }, /* ids are compared unchanged */
	/* which binding: tiers, then order */
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'work'}},{agentId:'a',match:{"
	      "channel:'telegram',accountId:'*',peer:"
	      "{kind:'dm',id:'*'}},session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, STAYS },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*',peer:{kind:'dm',id:'*'}}},{"
	      "agentId:'a',match:{channel:'"
	      "telegram',accountId:'*',peer:{kind:'dm',id:'1'}},session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, STAYS },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'}},{agentId:'a',match:{channel:'"
	      "telegram',accountId:'work'},"
	      "session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, STAYS },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'}},{agentId:'a',match:{channel:'"
	      "telegram',accountId:'*'},"
	      "session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, MOVES },
	{ OWN("{type:'acp',agentId:'a',match:{channel:'telegram',accountId:'*'}},{type:'route',"
	      "agentId:'a',match:{channel:'"
	      "telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, STAYS },
	/* policies that make the resolver throw */
	{ OWN("null,{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP
	      "'}}",
	      ""),
	  DIRECT, MOVES },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP
	      "'}},{match:{channel:'irc',accountId:5}}",
	      ""),
	  DIRECT, MOVES },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP
	      "'}},{match:{accountId:5}},{type:'acp',match:{channel:'irc',accountId:5}},7,[]",
	      ""),
	  DIRECT, STAYS },
	/* the binding's agent */
	{ OWN("{agentId:' A ',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP
	      "'}}",
	      ",agents:{list:[{id:'a'},{id:'b'}]}"),
	  DIRECT, STAYS },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[{id:'b'}]}"),
	  DIRECT, MOVES },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[]}"),
	  DIRECT, STAYS },
	{ OWN("{agentId:'b',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ""),
	  DIRECT, MOVES },
	{ OWN("{agentId:'main',match:{channel:'telegram'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[{id:'b'}]}"),
	  "agent:main:telegram:default:direct:1", "agent:main:telegram:default:direct:1", "keep" },
	{ OWN("{match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[{id:'a'}]}"),
	  DIRECT, STAYS },
	{ OWN("{agentId:' ',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[{id:'a'},{id:'b'}]}"),
	  DIRECT, MOVES },
	{ OWN("{match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{list:[{id:'b'}],defaults:{systemAgent:{agentId:'a'}}}"),
	  DIRECT, MOVES },
	{ OWN("{match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{ownership:'explicit',list:[{id:'b'},{id:'a'}],defaults:{systemAgent:{"
	      "agentId:'a'}}}"),
	  DIRECT, STAYS },
	{ OWN("{match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",agents:{ownership:'explicit',list:[{id:'b'}],defaults:{systemAgent:{agentId:'a'}}"
	      "}"),
	  DIRECT, MOVES },
	/* the key that the binding makes */
	{ BOUND("{channel:'telegram',accountId:'*'}", "per-channel-peer"), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*'}", "per-channel-peer"),
	  "agent:a:telegram:direct:1", "agent:a:telegram:direct:1", "keep" },
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), "agent:a:telegram:direct:1",
	  "agent:a:main", "direct-main" },
	{ BOUND("{channel:'telegram',accountId:'*'}", "per-peer"), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*'}", "main"), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*'}", "bogus"), DIRECT, MOVES },
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), "agent:a:telegram:work:dm:1",
	  "agent:a:main", "direct-main" },
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), DIRECT ":THREAD:5", DIRECT ":thread:5",
	  "keep" },
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), "AGENT:A:TELEGRAM:WORK:DIRECT:1",
	  STAYS },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",session:{mainKey:'telegram:work:direct:1'}"),
	  DIRECT, STAYS },
	/* keys without a channel: the request's channel and account are not used */
	{ BOUND("{channel:'telegram',accountId:'*'}", "per-peer"), "agent:a:direct:1",
	  "agent:a:main", "direct-main", .channel = "telegram" },
	{ BOUND("{channel:'telegram',accountId:'home'}", PACP), DIRECT, MOVES, .account = "home" },
	/* identity links */
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",session:{identityLinks:{al:['1']}}"),
	  DIRECT, MOVES },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",session:{identityLinks:{al:[' Telegram:1 ']}}"),
	  DIRECT, MOVES },
	{ OWN("{agentId:'a',match:{channel:'telegram',accountId:'*'},session:{dmScope:'" PACP "'}}",
	      ",session:{identityLinks:{al:['discord:1','telegram-1','telegram:2','telegrax:1','"
	      "telegram:11',7],b:'1',' ':['1'],' "
	      "1 ':['1']}}"),
	  DIRECT, STAYS },
	/* a binding suppresses no other step */
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), "agent:a:cron:j:run:1", "agent:a:main",
	  "cron-run" },
};

static void
a_binding_preserves_the_key_it_makes(void **state)
{
	(void)state;
	check_rows(bindings, COUNT(bindings));
}

/* --- reasons --- */

static const struct {
	const char *policy, *key, *why; /* why: the reason of the step direct-main */
} reasons[] = {
	{ "{}", "agent:a:x", "the key does not name a direct chat" },
	{ "{session:{dmScope:'per-peer'}}", DIRECT, "dmScope is per-peer" },
	{ "{session:{dmScope:'per-channel-peer'}}", DIRECT, "dmScope is per-channel-peer" },
	{ "{session:{dmScope:'" PACP "'}}", DIRECT, "dmScope is " PACP },
	{ "{session:{dmScope:'x'}}", DIRECT, "dmScope is none that is known" },
	{ "{}", DIRECT, "the policy does not have the channel" },
	{ "{channels:{telegram:{}}}", DIRECT, "the channel has no allowlist" },
	{ "{channels:{telegram:{allowFrom:[]}}}", DIRECT, "the allowlist is empty" },
	{ "{channels:{telegram:{allowFrom:['*']}}}", DIRECT, "the allowlist lets anybody in" },
	{ "{channels:{telegram:{allowFrom:[1,2]}}}", DIRECT,
	  "the allowlist has more than one owner" },
	{ "{channels:{telegram:{allowFrom:[2]}}}", DIRECT,
	  "the peer is not the owner that the allowlist names" },
	{ BOUND("{channel:'telegram',accountId:'*'}", PACP), DIRECT,
	  "a binding gives this chat a session of its own" },
	{ "{channels:{telegram:{allowFrom:[1]}}}", DIRECT,
	  "dmScope is main and the peer is the only owner on the allowlist" },
};

static void
every_step_has_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		struct address address = { .session_key = str_of(reasons[i].key) };
		struct policy *policy = compiled(reasons[i].policy);
		struct arena arena = { 0 };
		struct decision got;
		size_t applied = 0;

		assert_int_equal(route_decide(policy, &address, true, &arena, &got, NULL), 0);
		assert_true(got.step_count >= 3);
		for (size_t j = 0; j < got.step_count; j++) {
			assert_true(got.steps[j].why.len > 0);
			applied += got.steps[j].applied;
		}
		assert_int_equal(applied, 1);
		assert_int_equal(got.steps[got.step_count - 1].rule, got.rule);
		assert_int_equal(got.steps[2].rule, RULE_DIRECT_MAIN);
		if (!str_eq(got.steps[2].why, str_of(reasons[i].why)))
			fail_msg("%s: %s", reasons[i].why, got.steps[2].why.s);
		arena_clear(&arena);
		policy_free(policy);
	}
}

static const struct {
	const char *key, *why; /* the reason of the step keep */
} kept[] = {
	{ "agent:a:x", "no other rule moves the key" },
	{ " agent:a:x ", "no other rule moves the key" },
	{ "agent:A:x", "no other rule moves the key, which is only brought into its normal form" },
	{ "x", "no other rule moves the key, which is only qualified with its owner" },
	{ "X", "no other rule moves the key, which is only qualified with its owner" },
};

static void
the_reason_for_keeping_names_the_change_to_the_key(void **state)
{
	struct policy *policy = compiled("{}");

	(void)state;
	for (size_t i = 0; i < COUNT(kept); i++) {
		struct address address = { .session_key = str_of(kept[i].key) };
		struct arena arena = { 0 };
		struct decision got;

		assert_int_equal(route_decide(policy, &address, true, &arena, &got, NULL), 0);
		assert_int_equal(got.step_count, 4);
		assert_string_equal(got.steps[3].why.s, kept[i].why);
		arena_clear(&arena);
	}
	policy_free(policy);
}

static void
a_plain_key_needs_no_memory(void **state)
{
	struct address address = { .session_key = STR("agent:main:main") };
	struct policy *policy = compiled("{}");
	struct arena arena = { 0 };
	struct decision got;

	(void)state;
	assert_int_equal(route_decide(policy, &address, false, &arena, &got, NULL), 0);
	assert_null(arena.blocks);
	assert_ptr_equal(got.queue_key.s, address.session_key.s);
	assert_int_equal(got.step_count, 0);
	assert_false(got.rekeyed);
	policy_free(policy);
}

/* The longest texts allowed, of characters that grow when lower-cased. */
static void
the_longest_parts_are_routed(void **state)
{
	static const char *const shapes[] = { "agent:%s:main",
					      "agent:%s:cron:j:run:%s",
					      "agent:a:telegram:%s:direct:%s",
					      "agent:a:%s",
					      "%s",
					      "matrix:channel:%s",
					      "agent:a:signal:group:%s" };
	struct policy *policy = compiled("{channels:{telegram:{allowFrom:['1']}}}");
	char part[480], key[2048];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(part); i += 2)
		memcpy(part + i, "\u0130", 3);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct address address = { .session_key = { key, 0 },
					   .channel = str_of(part),
					   .account_id = str_of(part) };
		struct arena arena = { 0 };
		struct decision got;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		address.session_key.len = (size_t)snprintf(key, sizeof(key), shapes[i], part, part);
#pragma GCC diagnostic pop
		assert_int_equal(route_decide(policy, &address, true, &arena, &got, NULL), 0);
		check_again(policy, address, &got, shapes[i]);
		arena_clear(&arena);
	}
	policy_free(policy);
}

/* --- the vectors --- */

static const char *vectors_path;

static struct str
member_text(const struct json *doc, size_t object, struct str name, struct arena *arena, size_t *at)
{
	for (*at = json_first(doc, object); *at != 0; *at = json_next(doc, object, *at))
		if (str_eq(json_string(doc, *at, arena), name))
			return doc->tokens[*at + 1].type == JSON_STRING
				   ? json_string(doc, *at + 1, arena)
				   : json_raw(doc, *at + 1);
	return STR_NULL;
}

static void
check_vector(const struct json *doc, struct arena *arena)
{
	size_t at, expect;
	struct str name = member_text(doc, 0, STR("name"), arena, &at),
		   config = member_text(doc, 0, STR("cfg"), arena, &at);
	struct address address = {
		member_text(doc, 0, STR("sessionKey"), arena, &at),
		member_text(doc, 0, STR("agentId"), arena, &at),
		member_text(doc, 0, STR("channel"), arena, &at),
		member_text(doc, 0, STR("accountId"), arena, &at),
	};
	struct str error, key, rule;
	struct policy *policy;
	struct decision got;
	struct error err;

	member_text(doc, 0, STR("expect"), arena, &expect);
	error = member_text(doc, expect + 1, STR("error"), arena, &at);
	key = member_text(doc, expect + 1, STR("sessionKey"), arena, &at);
	rule = member_text(doc, expect + 1, STR("rule"), arena, &at);
	assert_int_equal(policy_parse(config.s, config.len, NULL, &policy, NULL), 0);
	if (route_decide(policy, &address, false, arena, &got, &err) < 0) {
		if (!str_eq(error, str_of(error_code_name(err.code))))
			fail_msg("%.*s: %s", (int)name.len, name.s, error_code_name(err.code));
	} else {
		if (!str_eq(key, got.queue_key) || !str_eq(rule, str_of(rule_name(got.rule))))
			fail_msg("%.*s: %.*s, %s", (int)name.len, name.s, (int)got.queue_key.len,
				 got.queue_key.s, rule_name(got.rule));
		check_again(policy, address, &got, arena_dup(arena, name).s);
	}
	policy_free(policy);
}

static void
every_vector_holds_and_is_a_fixed_point(void **state)
{
	FILE *file = fopen(vectors_path, "r");
	struct json doc = { 0 };
	char *line = NULL;
	size_t cap = 0, count = 0;
	ssize_t len;

	(void)state;
	assert_non_null(file);
	while ((len = getline(&line, &cap, file)) > 0) {
		struct arena arena = { 0 };

		assert_int_equal(json_scan(&doc, line, (size_t)len, NULL), 0);
		check_vector(&doc, &arena);
		arena_clear(&arena);
		count++;
	}
	assert_true(count > 1000);
	json_clear(&doc);
	free(line);
	fclose(file);
}

/* --- isolated heartbeats --- */

#define ISOLATED "{agents:{defaults:{heartbeat:{isolatedSession:true}}}}"
#define BEATS(heartbeat)                                                                           \
	"{agents:{defaults:{heartbeat:{isolatedSession:true}},list:[{id:'a',heartbeat:" heartbeat  \
	"}]}}"

static const struct row heartbeats[] = {
	{ ISOLATED, "agent:a:x:heartbeat", "agent:a:x", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:x:heartbeat:heartbeat:heartbeat", "agent:a:x", "isolated-heartbeat" },
	{ ISOLATED, " Agent:A:X:HEARTBEAT ", "agent:a:x", "isolated-heartbeat" },
	{ ISOLATED, "x:heartbeat", "agent:main:x", "isolated-heartbeat" },
	{ ISOLATED, "main:heartbeat", "agent:main:main", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:cron:j:run:1:heartbeat", "agent:a:main", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:x:thread:7:heartbeat", "agent:a:x:thread:7", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:x::heartbeat", "agent:a:x:", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:x :heartbeat :heartbeat", "agent:a:x", "isolated-heartbeat" },
	/* not such a key */
	{ ISOLATED, "agent:a:heartbeat", "agent:a:heartbeat", "keep" },
	{ ISOLATED, "heartbeat", "agent:main:heartbeat", "keep" },
	{ ISOLATED, ":heartbeat", "malformed-key", NULL },
	{ ISOLATED, "agent:a:heartbeat:heartbeat", "agent:a:heartbeat", "isolated-heartbeat" },
	{ ISOLATED, "agent:a:xheartbeat", "agent:a:xheartbeat", "keep" },
	{ ISOLATED, "agent:a:heartbeat:x", "agent:a:heartbeat:x", "keep" },
	{ ISOLATED, "agent:a:x:heartbeat:thread:1", "agent:a:x:heartbeat:thread:1", "keep" },
	/* a Matrix room's id is opaque */
	{ ISOLATED, "agent:a:matrix:channel:!R:HEARTBEAT", "agent:a:matrix:channel:!R:HEARTBEAT",
	  "keep" },
	{ ISOLATED, "agent:a:matrix:channel:!R:heartbeat", "agent:a:matrix:channel:!R",
	  "isolated-heartbeat" },
	/* whose heartbeat, and exactly true */
	{ "{}", "agent:a:x:heartbeat", "agent:a:x:heartbeat", "keep" },
	{ "{agents:{defaults:{heartbeat:{isolatedSession:'true'}}}}", "x:heartbeat",
	  "agent:main:x:heartbeat", "keep" },
	{ "{agents:{defaults:{heartbeat:{isolatedSession:1}}}}", "x:heartbeat",
	  "agent:main:x:heartbeat", "keep" },
	{ BEATS("{isolatedSession:false}"), "agent:a:x:heartbeat", "agent:a:x:heartbeat", "keep" },
	{ BEATS("{isolatedSession:false}"), "agent:b:x:heartbeat", "agent:b:x",
	  "isolated-heartbeat" },
	{ BEATS("{isolatedSession:null}"), "agent:a:x:heartbeat", "agent:a:x:heartbeat", "keep" },
	{ BEATS("{every:'5m'}"), "agent:a:x:heartbeat", "agent:a:x", "isolated-heartbeat" },
	{ BEATS("'x'"), "agent:a:x:heartbeat", "agent:a:x", "isolated-heartbeat" },
	{ "{agents:{entries:{'A ':{heartbeat:{isolatedSession:true}},b:{}}}}",
	  "agent:a:x:heartbeat", "agent:a:x", "isolated-heartbeat" },
	{ "{agents:{entries:{'A ':{heartbeat:{isolatedSession:true}},b:{}}}}",
	  "agent:b:x:heartbeat", "agent:b:x:heartbeat", "keep" },
	{ "{agents:{list:[{id:'a'},{id:'A',heartbeat:{isolatedSession:true}}]}}",
	  "agent:a:x:heartbeat", "agent:a:x:heartbeat", "keep" },
	{ ISOLATED, "x:heartbeat", "agent:b:x", "isolated-heartbeat", .agent = "b" },
	/* where the base leads */
	{ "{session:{mainKey:'hub'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:main:heartbeat", "agent:a:hub", "isolated-heartbeat" },
	{ "{session:{scope:'global'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:main:heartbeat", "agent:a:global", "isolated-heartbeat" },
	{ "{session:{scope:'global'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "global:heartbeat", "agent:main:global", "isolated-heartbeat" },
	{ "{channels:{t:{allowFrom:[1]}},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:t:direct:1:heartbeat", "agent:a:main", "isolated-heartbeat" },
	{ "{channels:{t:{allowFrom:[1]}},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:t:direct:2:heartbeat", "agent:a:t:direct:2", "isolated-heartbeat" },
	/* a session of the policy that is called so is a base itself */
	{ "{session:{mainKey:'a:heartbeat'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:a:heartbeat", "agent:a:a:heartbeat", "keep" },
	{ "{session:{mainKey:'a:heartbeat'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "agent:a:a:heartbeat:heartbeat", "agent:a:a:heartbeat", "isolated-heartbeat" },
	{ "{session:{mainKey:'a:heartbeat'},agents:{defaults:{heartbeat:{isolatedSession:true}}}}",
	  "main", "agent:main:a:heartbeat", "main-alias" },
	{ BEATS("{session:' Ops:Heartbeat '}"), "agent:a:ops:heartbeat", "agent:a:ops:heartbeat",
	  "keep" },
	{ BEATS("{session:'ops:heartbeat'}"), "agent:a:ops:heartbeat:heartbeat:heartbeat",
	  "agent:a:ops:heartbeat", "isolated-heartbeat" },
	{ BEATS("{session:'agent:a:ops:heartbeat'}"), "ops:heartbeat", "agent:a:ops:heartbeat",
	  "keep" },
	{ BEATS("{session:'agent:b:ops:heartbeat'}"), "agent:a:ops:heartbeat", "agent:a:ops",
	  "isolated-heartbeat" },
	{ BEATS("{session:'ops:heartbeat'}"), "agent:b:ops:heartbeat", "agent:b:ops",
	  "isolated-heartbeat" },
};

static void
an_isolated_heartbeat_means_its_base(void **state)
{
	(void)state;
	check_rows(heartbeats, COUNT(heartbeats));
}

/* --- owners beside the config --- */

static const struct {
	const char *config, *owners[4]; /* channel and id, one behind the other */
	bool main;                      /* does telegram:direct:me lead to main? */
} given_owners[] = {
	/* no allowlist anywhere */
	{ "{}", { "telegram", "me" }, true },
	{ "{channels:7}", { "telegram", "me" }, true },
	{ "{channels:{telegram:{}}}", { "telegram", "me" }, true },
	{ "{channels:{telegram:{allowFrom:'you',dm:{allowFrom:null}}}}",
	  { "telegram", "me" },
	  true },
	{ "{channels:{Telegram:{allowFrom:['you']}}}", { "telegram", "me" }, true },
	{ "{channels:{signal:{allowFrom:['you']}}}", { "telegram", "me" }, true },
	{ "{}", { " TeleGram ", " ME\t" }, true },
	{ "{}", { "telegram", "me", "telegram", "ME" }, true },
	{ "{}", { "signal", "you", "telegram", "me" }, true },
	/* another's, or not one */
	{ "{}", { "telegram", "you" }, false },
	{ "{}", { "signal", "me" }, false },
	{ "{}", { "telegram", "me", "telegram", "you" }, false },
	{ "{}", { "telegram", "*" }, false },
	{ "{}", { "telegram", "me", "telegram", "*" }, false },
	{ "{}", { "telegram", "*", "telegram", "me" }, false },
	/* as if it stood in the allowlist that counts */
	{ "{channels:{telegram:{allowFrom:[]}}}", { "telegram", "me" }, true },
	{ "{channels:{telegram:{allowFrom:['me']}}}", { "telegram", "me" }, true },
	{ "{channels:{telegram:{allowFrom:['me']}}}", { "telegram", "you" }, false },
	{ "{channels:{telegram:{allowFrom:['you']}}}", { "telegram", "me" }, false },
	{ "{channels:{telegram:{allowFrom:['*']}}}", { "telegram", "me" }, false },
	{ "{channels:{telegram:{allowFrom:['me']}}}", { "telegram", "*" }, false },
	{ "{channels:{telegram:{allowFrom:['me','you']}}}", { "telegram", "me" }, false },
	{ "{channels:{telegram:{allowFrom:['me']}}}", { "signal", "you" }, true },
	{ "{channels:{telegram:{dm:{allowFrom:['you']},allowFrom:['me']}}}",
	  { "telegram", "me" },
	  false },
	/* the other steps hold */
	{ "{session:{dmScope:'per-peer'}}", { "telegram", "me" }, false },
	{ "{bindings:[{match:{channel:'telegram'},session:{dmScope:'per-channel-peer'}}]}",
	  { "telegram", "me" },
	  false },
};

static void
a_given_owner_counts_like_one_of_the_allowlist(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(given_owners); i++) {
		struct address address = { .session_key = STR("agent:main:telegram:direct:me") };
		struct given_owner pairs[2];
		struct given_owners beside = { pairs, 0 };
		struct arena arena = { 0 };
		struct policy *policy;
		struct decision got;

		for (size_t j = 0; j < 2 && given_owners[i].owners[2 * j] != NULL; j++)
			pairs[beside.count++] =
			    (struct given_owner){ str_of(given_owners[i].owners[2 * j]),
						  str_of(given_owners[i].owners[2 * j + 1]) };
		assert_int_equal(policy_parse(given_owners[i].config,
					      strlen(given_owners[i].config), &beside, &policy,
					      NULL),
				 0);
		assert_int_equal(route_decide(policy, &address, false, &arena, &got, NULL), 0);
		if (str_eq(got.queue_key, STR("agent:main:main")) != given_owners[i].main)
			fail_msg("%s, %s:%s", given_owners[i].config, given_owners[i].owners[0],
				 given_owners[i].owners[1]);
		check_again(policy, address, &got, "a given owner's");
		arena_clear(&arena);
		policy_free(policy);
	}
}

/* With accounts: the list that counts for the account gets the owner, in whichever place it stands.
 */
static void
a_given_owner_is_added_to_the_list_that_counts(void **state)
{
	static const char *const places[] = {
		"accounts:{acc:{dm:{allowFrom:%s}}}",
		"accounts:{acc:{config:{dm:{allowFrom:%s}}}}",
		"accounts:{acc:{allowFrom:%s}}",
		"accounts:{acc:{config:{allowFrom:%s}}}",
		"dm:{allowFrom:%s}",
		"allowFrom:%s",
	};
	static const struct {
		const char *list;
		bool main;
	} lists[] = { { "[]", true },
		      { "['Me']", true },
		      { "['you']", false },
		      { "['*']", false },
		      { "{}", true } };
	const struct given_owner me = { STR("telegram"), STR("me") };
	const struct given_owners beside = { &me, 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(places) * COUNT(lists); i++) {
		struct address address = { .session_key =
					       STR("agent:main:telegram:acc:direct:me") };
		struct arena arena = { 0 };
		struct buf config = { 0 };
		struct policy *policy;
		struct decision got;
		const char *place = places[i / COUNT(lists)], *gap = strstr(place, "%s");

		buf_addf(&config, "{channels:{telegram:{%.*s%s%s}}}", (int)(gap - place), place,
			 lists[i % COUNT(lists)].list, gap + 2);
		assert_int_equal(policy_parse(config.data, config.len, &beside, &policy, NULL), 0);
		assert_int_equal(route_decide(policy, &address, false, &arena, &got, NULL), 0);
		if (str_eq(got.queue_key, STR("agent:main:main")) != lists[i % COUNT(lists)].main)
			fail_msg("%.*s", (int)config.len, config.data);
		buf_clear(&config);
		arena_clear(&arena);
		policy_free(policy);
	}
}

/* The queue key of a key under a policy; to be freed. */
static char *
queue_key_of(const struct policy *policy, const char *key, enum rule *rule)
{
	struct address address = { .session_key = str_of(key) };
	struct arena arena = { 0 };
	struct decision got;
	struct error err;
	char *queue_key;

	if (route_decide(policy, &address, false, &arena, &got, &err) < 0)
		fail_msg("%s: %s", key, err.detail);
	check_again(policy, address, &got, key);
	queue_key = strndup(got.queue_key.s, got.queue_key.len);
	*rule = got.rule;
	arena_clear(&arena);
	return queue_key;
}

/* Any key with the suffix any number of times leads where the key leads. */
static void
producers_and_runners_of_heartbeats_meet(void **state)
{
	static const char *const policies[] = {
		ISOLATED,
		BEATS("{session:'ops'}"),
		"{session:{mainKey:'hub',scope:'global'},agents:{defaults:{heartbeat:{"
		"isolatedSession:true}}}}",
		"{session:{mainKey:'Hub'},channels:{telegram:{allowFrom:['Me']}},"
		"agents:{entries:{a:{},main:{}},ownership:'explicit',"
		"defaults:{systemAgent:{agentId:'a'},heartbeat:{isolatedSession:true}}}}",
	};
	static const char *const keys[] = {
		"main",
		"MAIN",
		"hub",
		"global",
		"x",
		"agent:a:main",
		"agent:main:hub",
		"Agent:A:x:y",
		"agent:a:cron:j:run:r",
		"agent:a:telegram:direct:me",
		"agent:a:telegram:acc:dm:ME:thread:5",
		"agent:a:telegram:direct:you",
		"agent:a:subagent:s",
		"agent:a:signal:group:AbC==",
		"agent:a:matrix:group:!Room:Host",
		"agent:a:\u03a3",
		"agent:my agent:x",
		"agent:a:x:",
	};
	static const char *const suffixes[] = { ":heartbeat", ":heartbeat:heartbeat",
						":heartbeat :heartbeat" };

	(void)state;
	for (size_t i = 0; i < COUNT(policies) * COUNT(keys) * COUNT(suffixes); i++) {
		const char *key = keys[i / COUNT(suffixes) % COUNT(keys)];
		struct policy *policy = compiled(policies[i / COUNT(suffixes) / COUNT(keys)]);
		char with_suffix[128], *base, *queue_key;
		enum rule rule;

		snprintf(with_suffix, sizeof(with_suffix), "%s%s", key,
			 suffixes[i % COUNT(suffixes)]);
		base = queue_key_of(policy, key, &rule);
		queue_key = queue_key_of(policy, with_suffix, &rule);
		if (strcmp(queue_key, base) != 0 || rule != RULE_ISOLATED_HEARTBEAT)
			fail_msg("%s: %s, but without suffix %s", with_suffix, queue_key, base);
		free(base);
		free(queue_key);
		policy_free(policy);
	}
}

static void
a_heartbeat_key_is_explained_and_no_other(void **state)
{
	static const struct {
		const char *key;
		size_t steps;
		bool applied;
	} explained[] = { { "agent:a:x:heartbeat", 5, true },
			  { "agent:a:main:heartbeat", 5, true },
			  { "agent:a:cron:j:run:r:heartbeat", 3, true },
			  { "agent:b:x:heartbeat", 5, false },
			  { "agent:a:x", 4, false } };
	struct policy *policy =
	    compiled("{agents:{entries:{a:{heartbeat:{isolatedSession:true}},b:{}}}}");

	(void)state;
	for (size_t i = 0; i < COUNT(explained); i++) {
		struct address address = { .session_key = str_of(explained[i].key) };
		struct arena arena = { 0 };
		struct decision got;

		assert_int_equal(route_decide(policy, &address, true, &arena, &got, NULL), 0);
		assert_int_equal(got.step_count, explained[i].steps);
		assert_int_equal(got.steps[0].rule == RULE_ISOLATED_HEARTBEAT,
				 explained[i].steps != 4);
		assert_int_equal(got.steps[0].applied, explained[i].applied);
		assert_true(got.steps[0].why.len > 0);
		arena_clear(&arena);
	}
	policy_free(policy);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_one_owner),
		cmocka_unit_test(main_sessions_have_aliases),
		cmocka_unit_test(the_first_step_that_applies_decides),
		cmocka_unit_test(one_allowlist_applies),
		cmocka_unit_test(a_binding_preserves_the_key_it_makes),
		cmocka_unit_test(every_step_has_a_reason),
		cmocka_unit_test(an_isolated_heartbeat_means_its_base),
		cmocka_unit_test(producers_and_runners_of_heartbeats_meet),
		cmocka_unit_test(a_given_owner_counts_like_one_of_the_allowlist),
		cmocka_unit_test(a_given_owner_is_added_to_the_list_that_counts),
		cmocka_unit_test(a_heartbeat_key_is_explained_and_no_other),
		cmocka_unit_test(the_reason_for_keeping_names_the_change_to_the_key),
		cmocka_unit_test(a_plain_key_needs_no_memory),
		cmocka_unit_test(the_longest_parts_are_routed),
		cmocka_unit_test(every_vector_holds_and_is_a_fixed_point),
	};

	if (argc != 2) {
		fputs("usage: unit-route VECTORS\n", stderr);
		return 2;
	}
	vectors_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
