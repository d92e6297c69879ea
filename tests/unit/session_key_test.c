/*
 * session_key_test.c - the grammar of session keys and ids (ROUTING sections 1 and 2).
 */
#include "schema/session_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "aaaaaaaaaa"
#define X60 X10 X10 X10 X10 X10 X10
#define X64 X60 "aaaa"

static int
with_arena(void **state)
{
	*state = mem_alloc(sizeof(struct arena));
	return 0;
}

static int
without_arena(void **state)
{
	arena_clear(*state);
	free(*state);
	return 0;
}

/* As a C string in the arena, to be compared. */
static const char *
c(struct arena *arena, struct str s)
{
	return s.s != NULL ? arena_dup(arena, s).s : "(absent)";
}

static const struct {
	const char *id, *agent, *account, *optional;
} ids[] = {
	{ "work", "work", "work", "work" },
	{ " MAIN ", "main", "main", "main" },
	{ "", "main", "default", "(absent)" },
	{ " \u3000", "main", "default", "(absent)" },
	{ "---", "main", "default", "(absent)" },
	{ "\u00e9", "main", "default", "(absent)" },
	{ "My Agent!", "my-agent", "my-agent", "my-agent" },
	{ "my.acct", "my-acct", "my-acct", "my-acct" },
	{ "--a--", "a", "a", "a" },
	{ "a--", "a--", "a--", "a--" }, /* plain: nothing is stripped */
	{ "a b-", "a-b", "a-b", "a-b" },
	{ "a - b", "a---b", "a---b", "a---b" }, /* only other characters are runs */
	{ "_a", "_a", "_a", "_a" },
	{ "_a-", "_a", "_a", "_a" },
	{ "\u00dcn\u00ef", "n", "n", "n" },
	{ "\u212a9", "k9", "k9", "k9" }, /* KELVIN SIGN lower-cases into the alphabet */
	{ "\u212a-", "k", "k", "k" },    /* but the id is not plain */
	{ X64, X64, X64, X64 },
	{ X60 "aaa-", X60 "aaa-", X60 "aaa-", X60 "aaa-" },
	{ "AZaz09_-", "azaz09_-", "azaz09_-", "azaz09_-" },
	{ "0@[`{/:a", "0-a", "0-a", "0-a" },
	{ X64 "a", X64, X64, X64 },
	/* cut behind the dash, which survives */
	{ X60 "aaa.b", X60 "aaa-", X60 "aaa-", X60 "aaa-" },
	{ X64 "-", X64, X64, X64 },
	{ "__proto__", "__proto__", "default", "(absent)" },
	{ "Prototype", "prototype", "default", "(absent)" },
	{ "constructor", "constructor", "default", "(absent)" },
	{ "-constructor.", "constructor", "default", "(absent)" },
};

static void
ids_are_normalised(void **state)
{
	struct arena *arena = *state;

	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_string_equal(c(arena, agent_id_normalize(arena, str_of(ids[i].id))),
				    ids[i].agent);
		assert_string_equal(c(arena, account_id_normalize(arena, str_of(ids[i].id))),
				    ids[i].account);
		assert_string_equal(
		    c(arena, account_id_normalize_optional(arena, str_of(ids[i].id))),
		    ids[i].optional);
	}
	assert_string_equal(c(arena, agent_id_normalize(arena, STR_NULL)), "main");
}

static const struct {
	const char *key, *normal;
} normals[] = {
	{ "  Agent:MAIN:Foo ", "agent:main:foo" },
	{ "", "" },
	{ "\ufeff", "" },
	/* Signal groups: one segment, anywhere, trimmed */
	{ "agent:main:Signal:Group:AbC+/=", "agent:main:signal:group:AbC+/=" },
	{ "AGENT:MAIN:SIGNAL:GROUP:AbC:Tail", "agent:main:signal:group:AbC:tail" },
	{ "signal:group: AbC :X", "signal:group:AbC:x" },
	{ "signal:group: :X", "signal:group::x" },
	{ "a:signal:group:X:signal:group:Y", "a:signal:group:X:signal:group:Y" },
	/* the segment was "signal" */
	{ "signal:group:signal:group:X", "signal:group:signal:group:x" },
	{ "signal:group::signal:group:X", "signal:group::signal:group:X" },
	{ "xsignal:group:AbC", "xsignal:group:abc" },
	{ "signal:group:", "signal:group:" },
	{ "signal:direct:AbC", "signal:direct:abc" },
	{ "signal:Groups:AbC", "signal:groups:abc" },
	/* Matrix rooms: the whole tail, but for the last thread marker */
	{ "Agent:Main:Matrix:Channel:!AbC:S", "agent:main:matrix:channel:!AbC:S" },
	{ "Agent:Main:Matrix:Group:!AbC:S:THREAD:$EvT",
	  "agent:main:matrix:group:!AbC:S:thread:$EvT" },
	{ "matrix:channel:!A:Thread:B:Thread:C", "matrix:channel:!A:Thread:B:thread:C" },
	{ "matrix:channel::THREAD:Q", "matrix:channel::thread:Q" },
	{ "matrix:channel:!A:THREAD:", "matrix:channel:!A:thread:" },
	{ "agent:x:agent:y:matrix:channel:!A", "agent:x:agent:y:matrix:channel:!A" },
	{ "agent:Matrix:channel:!A", "agent:matrix:channel:!a" }, /* matrix is the agent here */
	{ "agent:main:x:matrix:channel:!A", "agent:main:x:matrix:channel:!a" },
	{ "x:matrix:channel:!A", "x:matrix:channel:!a" },
	{ "matrix:direct:@User:S", "matrix:direct:@user:s" },
	{ "matrix:channel: !A :THREAD: X", "matrix:channel: !A :thread: X" },
	{ "AGENT:X::MATRIX:CHANNEL:!A", "agent:x::matrix:channel:!A" },
	{ "matrix:channel:", "matrix:channel:" },
	{ "agent:MAIN:MATRIX:", "agent:main:matrix:" },
	/* a Signal group inside a room, across its thread marker */
	{ "matrix:channel:signal:group:Thread:X", "matrix:channel:signal:group:Thread:X" },
	{ "matrix:channel:x:signal:group:Y:THREAD:Z", "matrix:channel:x:signal:group:Y:thread:Z" },
};

static void
keys_are_normalised_but_for_opaque_ids(void **state)
{
	struct arena *arena = *state;

	for (size_t i = 0; i < COUNT(normals); i++) {
		struct str normal = session_key_normalize(arena, str_of(normals[i].key));

		assert_string_equal(c(arena, normal), normals[i].normal);
		assert_string_equal(c(arena, session_key_normalize(arena, normal)),
				    normals[i].normal);
	}
}

static const struct {
	const char *key;
	enum key_shape shape;
	const char *normal, *agent, *rest;
} shapes[] = {
	{ "agent:main:main", KEY_AGENT, "agent:main:main", "main", "main" },
	{ " Agent: My Agent :X:", KEY_AGENT, "agent:my agent:x:", "my agent", "x:" },
	{ "agent:a:b::c", KEY_AGENT, "agent:a:b::c", "a", "b::c" },
	{ "agent:a: b", KEY_AGENT, "agent:a: b", "a", " b" },
	{ "agent:main:signal:group:AbC", KEY_AGENT, "agent:main:signal:group:AbC", "main",
	  "signal:group:AbC" },
	{ "agent: signal:group: X :y", KEY_AGENT, "agent:signal:group:x:y", "signal", "group:x:y" },
	{ "", KEY_BLANK, "", "(absent)", "" },
	{ "\u00a0\n", KEY_BLANK, "", "(absent)", "" },
	{ "Main", KEY_BARE, "main", "(absent)", "main" },
	{ "agent", KEY_BARE, "agent", "(absent)", "agent" },
	{ "agent main main", KEY_BARE, "agent main main", "(absent)", "agent main main" },
	{ ":agent:main:main", KEY_BARE, ":agent:main:main", "(absent)", ":agent:main:main" },
	{ "agent:", KEY_MALFORMED, "agent:", "(absent)", "agent:" },
	{ "AGENT:main", KEY_MALFORMED, "agent:main", "(absent)", "agent:main" },
	{ "agent:main:", KEY_MALFORMED, "agent:main:", "(absent)", "agent:main:" },
	{ "agent:main: ", KEY_MALFORMED, "agent:main:", "(absent)", "agent:main:" },
	{ "agent::main", KEY_MALFORMED, "agent::main", "(absent)", "agent::main" },
	{ "agent: :main", KEY_MALFORMED, "agent: :main", "(absent)", "agent: :main" },
	{ "agent:main::x", KEY_MALFORMED, "agent:main::x", "(absent)", "agent:main::x" },
};

static void
every_text_has_a_shape(void **state)
{
	struct arena *arena = *state;

	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct session_key key;

		assert_int_equal(session_key_parse(arena, str_of(shapes[i].key), &key),
				 shapes[i].shape);
		assert_string_equal(c(arena, key.key), shapes[i].normal);
		assert_string_equal(c(arena, key.agent_id), shapes[i].agent);
		assert_string_equal(c(arena, key.rest), shapes[i].rest);
	}
}

/* Every key of five words that mean something in one: its normal form has no other. */
static void
a_parsed_key_is_parsed_as_itself(void **state)
{
	static const char *const words[] = { "agent:", "signal:", "group:",   "matrix:", "channel:",
					     ":",      " ",       ":thread:", "X" };
	const size_t count = COUNT(words);

	(void)state;
	for (size_t n = 0; n < count * count * count * count * count; n++) {
		struct arena arena = { 0 };
		struct session_key key, again;
		char text[64] = "agent:";
		enum key_shape shape;

		for (size_t left = n, i = 0; i < 5; i++, left /= count)
			strcat(text, words[left % count]);
		shape = session_key_parse(&arena, str_of(text), &key);
		if (shape == KEY_AGENT &&
		    (session_key_parse(&arena, key.key, &again) != shape ||
		     !str_eq(again.key, key.key) || !str_eq(again.rest, key.rest)))
			fail_msg("%s: %s", text, c(&arena, again.key));
		arena_clear(&arena);
	}
}

static void
a_plain_key_is_parsed_without_a_copy(void **state)
{
	struct arena arena = { 0 };
	struct str text = STR("agent:main:telegram:direct:123");
	struct session_key key;

	(void)state;
	session_key_parse(&arena, text, &key);
	assert_ptr_equal(key.key.s, text.s);
	assert_null(arena.blocks);
}

static void
keys_are_built_and_recognised(void **state)
{
	struct arena *arena = *state;
	struct str key = session_key_build(arena, STR("a"), STR("b:c"));

	assert_string_equal(c(arena, key), "agent:a:b:c");
	assert_true(session_key_is(key, STR("a"), STR("b:c")));
	assert_false(session_key_is(key, STR("a:b"), STR("d")));
	assert_false(session_key_is(key, STR("b"), STR("b:c")));
	assert_false(session_key_is(STR("a"), STR("a"), STR("b:c")));
	assert_string_equal(c(arena, session_key_agent(key)), "a");
	assert_string_equal(c(arena, agent_key_prefix(arena, STR(" My Agent "))),
			    "agent:my-agent:");
}

static const struct {
	const char *key, *base;
} bases[] = {
	{ "agent:a:b:thread:5", "agent:a:b" },
	{ " agent:a:b:THREAD:Ab ", "agent:a:b" },
	{ "agent:a:b:thread:1:thread:2", "agent:a:b:thread:1" },
	{ "agent:a:b:thread:", "agent:a:b" },
	{ "agent:a:b:thread", "agent:a:b:thread" },
	{ "a:thread:thread:b", "a:thread" },
	{ ":thread:x", "" },
	{ "a", "a" },
	{ "", "" },
};

static void
the_last_thread_suffix_is_stripped(void **state)
{
	for (size_t i = 0; i < COUNT(bases); i++)
		assert_string_equal(c(*state, session_key_base(str_of(bases[i].key))),
				    bases[i].base);
}

static const struct {
	const char *key;
	bool cron_run;
} cron_runs[] = {
	{ "agent:a:cron:j:run:1", true },    { "agent:a:CRON:j:RUN:1:heartbeat", true },
	{ "agent:a:cron:j:run:1:", true },   { "agent:a:cron: :run: x", true },
	{ "agent:a:cron:j:run:", false },    { "agent:a:cron:j:run::x", false },
	{ "agent:a:cron::run:1", false },    { "agent:a:cron:j", false },
	{ "agent:a:cron:j:k:run:1", false }, { "agent:a:cron:j:running:1", false },
	{ "agent:a:xcron:j:run:1", false },  { "cron:j:run:1", false },
	{ "agent:a:subagent:1", false },
};

static void
cron_runs_are_recognised(void **state)
{
	for (size_t i = 0; i < COUNT(cron_runs); i++) {
		struct session_key key;

		session_key_parse(*state, str_of(cron_runs[i].key), &key);
		assert_int_equal(session_key_is_cron_run(&key), cron_runs[i].cron_run);
	}
}

static const struct {
	const char *key;
	bool direct;
} chats[] = {
	/* A, B, C */
	{ "agent:a:direct:1", true },
	{ "agent:a:DM:1", true },
	{ "direct:1", false }, /* no agent key */
	{ "agent:a:telegram:direct:1", true },
	{ "agent:a:telegram:group:1", false },
	{ "agent:a:telegram:channel:1", false },
	{ "agent:a:telegram:acct:dm:1", true },
	{ "agent:a:telegram:acct:group:1", false },
	{ "agent:a:telegram:direct:1:group:2", true },
	/* too little, too far */
	{ "agent:a:direct:", false },
	{ "agent:a:telegram:direct:", false },
	{ "agent:a:telegram::direct:1", false },
	{ "agent:a:telegram:acct:direct:", false },
	{ "agent:a::direct:1", false },
	{ "agent:a::x:direct:1", false },
	{ "agent:a:telegram:x:y:direct:1", false },
	{ "agent:a:main", false },
	{ "", false },
	/* ambiguous */
	{ "agent:a:direct:dm:1", false },
	{ "agent:a:telegram:direct:direct:1", false },
	{ "agent:a:telegram:group:direct:1", false },
	/* nested agents */
	{ "agent:a:agent:x:direct:1", false },
	{ "agent:a:agent:direct:1", false },
	/* D */
	{ "agent:a:group:1", false },
	{ "agent:a:group:", false },
	{ "agent:a:channel:1", false },
	{ "agent:a:whatsapp:123@g.us", false },
	{ "agent:a:123@G.US", false },
	{ "agent:a:x:123@g.us", false },
	{ "agent:a:@g.us", false },
	{ "agent:a:discord:guild-1:channel-2", false },
	{ "agent:a:discord:acct:guild-1:channel-2", false },
	{ "agent:a:discord:guild-1:channel-2:x", false },
	{ "agent:a:discord:guild-:channel-2", false },
	{ "agent:a:discord:guild-9:guild-1:channel-2", false },
	{ "agent:a:discord::guild-1:channel-2", false },
	{ "agent:a:slack:guild-1:channel-2", false },
	/* D and another: D answers */
	{ "agent:a:discord:direct:guild-1:channel-2", false },
	{ "agent:a:group:direct:5", false },
	{ "agent:a:channel:acct:direct:5", false },
};

static void
direct_chats_are_recognised(void **state)
{
	for (size_t i = 0; i < COUNT(chats); i++) {
		struct direct_target target;

		if (session_key_direct_target(*state, str_of(chats[i].key), &target) !=
		    chats[i].direct)
			fail_msg("%s: direct is not %d", chats[i].key, chats[i].direct);
	}
}

static const struct {
	const char *key, *channel, *account, *peer; /* peer NULL: no target */
} targets[] = {
	{ "agent:a:telegram:default:direct:123", "telegram", "default", "123" },
	{ "agent:a:telegram:direct:123", "telegram", "", "123" },
	{ "agent:a:direct:123", "", "", "123" },
	{ " AGENT:a: Telegram : Work :DM: AbC ", "telegram", "work", "abc" },
	{ "agent:a:telegram: dm :1", NULL, NULL, NULL }, /* a kind is compared untrimmed */
	{ "agent:a:telegram:direct:123:thread:5", "telegram", "", "123" },
	{ "agent:a:telegram:direct:1:thread:2:thread:3", "telegram", "", "1:thread:2" },
	{ "agent:a:telegram:direct:a::b", "telegram", "", "a::b" },
	{ "agent:a:telegram:acct:dm:direct:7", "telegram", "acct", "direct:7" },
	{ "agent:a:telegram:direct:\u039f\u0394\u039f\u03a3:thread:1", "telegram", "",
	  "\u03bf\u03b4\u03bf\u03c2" },
	{ "agent:a:telegram:direct:x: ", "telegram", "", "x:" },
	{ "agent:a:signal:direct:signal:group:AbC", "signal", "", "signal:group:abc" },
	{ "agent:a:telegram:direct: : ", "telegram", "", ":" },
	{ "agent:a:telegram:direct:", NULL, NULL, NULL },
	{ "agent:a:telegram:direct: ", NULL, NULL, NULL },
	{ "agent:a:telegram:direct: :thread:1", NULL, NULL, NULL },
	{ "agent:a:telegram:group:1", NULL, NULL, NULL },
	{ "telegram:direct:1", NULL, NULL, NULL }, /* no agent key */
	{ "agent:a::direct:1", NULL, NULL, NULL },
	{ "agent:a:thread:direct:1", NULL, NULL, NULL }, /* all of it is a suffix */
	{ "agent:a:direct:1:thread:direct:2", "", "", "1" },
	{ "agent:a:thread:thread:direct:1", NULL, NULL, NULL },
};

static void
direct_keys_name_their_target(void **state)
{
	struct arena *arena = *state;

	for (size_t i = 0; i < COUNT(targets); i++) {
		struct direct_target target;
		bool found = session_key_direct_target(arena, str_of(targets[i].key), &target);

		if (found != (targets[i].peer != NULL))
			fail_msg("%s: target %d", targets[i].key, found);
		if (!found)
			continue;
		assert_string_equal(c(arena, target.channel), targets[i].channel);
		assert_string_equal(c(arena, target.account), targets[i].account);
		assert_string_equal(c(arena, target.peer), targets[i].peer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ids_are_normalised, with_arena, without_arena),
		cmocka_unit_test_setup_teardown(keys_are_normalised_but_for_opaque_ids, with_arena,
						without_arena),
		cmocka_unit_test_setup_teardown(every_text_has_a_shape, with_arena, without_arena),
		cmocka_unit_test(a_parsed_key_is_parsed_as_itself),
		cmocka_unit_test(a_plain_key_is_parsed_without_a_copy),
		cmocka_unit_test_setup_teardown(keys_are_built_and_recognised, with_arena,
						without_arena),
		cmocka_unit_test_setup_teardown(the_last_thread_suffix_is_stripped, with_arena,
						without_arena),
		cmocka_unit_test_setup_teardown(cron_runs_are_recognised, with_arena,
						without_arena),
		cmocka_unit_test_setup_teardown(direct_chats_are_recognised, with_arena,
						without_arena),
		cmocka_unit_test_setup_teardown(direct_keys_name_their_target, with_arena,
						without_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
