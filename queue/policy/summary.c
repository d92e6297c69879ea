/* summary.c - reads the config once more, for people. */
#include "queue/policy/summary.h"

#include <stdarg.h>
#include <stdio.h>

#include "queue/policy/binding.h"
#include "schema/text.h"

#define QUOTED_MAX 100 /* bytes of the config that a warning quotes */

/* The summary under way. */
struct summing {
	struct arena *arena;
	struct policy_summary *summary;
	struct str *warnings; /* room for SUMMARY_WARNINGS_MAX */
};

static void warn(struct summing *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
warn(struct summing *s, const char *format, ...)
{
	char text[3 * QUOTED_MAX + 200];
	va_list args;

	if (s->summary->warning_count == SUMMARY_WARNINGS_MAX)
		return;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s->warnings[s->summary->warning_count++] =
	    arena_dup(s->arena, (struct str){ text, (size_t)len });
}

/* A piece of the config as a warning quotes it: cut before the character that goes too far. */
static const char *
quote(struct summing *s, struct str text)
{
	size_t len = text.len;

	if (len > QUOTED_MAX)
		for (len = QUOTED_MAX; len > 0 && ((unsigned char)text.s[len] & 0xc0) == 0x80;)
			len--;
	return arena_dup(s->arena, (struct str){ text.s, len }).s;
}

/* --- session --- */

/* The members of `session` that OpenClaw has; sevqd reads four of them. */
static bool
is_session_member(const char *name)
{
	static const char *const names[] = {
		"scope",
		"dmScope",
		"mainKey",
		"identityLinks",
		"agentToAgent",
		"idleMinutes",
		"maintenance",
		"maxRecentTurns",
		"parentForkMaxTokens",
		"reset",
		"resetByChannel",
		"resetByType",
		"resetTriggers",
		"sendPolicy",
		"store",
		"threadBindings",
		"transcriptRetentionDays",
		"typingIntervalSeconds",
		"typingMode",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static struct str
written(struct summing *s, const cJSON *value, struct str absent)
{
	return value_nullish(value) ? absent
				    : arena_dup(s->arena, value_stringify(s->arena, value));
}

static void
sum_session(struct summing *s, const cJSON *session)
{
	const cJSON *dm_scope = value_member(session, "dmScope"),
		    *scope = value_member(session, "scope"), *member;
	struct policy_summary *summary = s->summary;

	summary->dm_scope = written(s, dm_scope, STR("main"));
	summary->scope = written(s, scope, STR("per-sender"));
	if (session != NULL && !cJSON_IsObject(session))
		warn(s, "session is no object, so nothing of it counts");
	if (dm_scope_parse(dm_scope) == DM_OTHER)
		warn(s,
		     "session.dmScope is \"%s\", which is none of main, per-peer, "
		     "per-channel-peer and per-account-channel-peer: direct chats keep sessions of "
		     "their own",
		     quote(s, summary->dm_scope));
	if (!value_nullish(scope) && !value_is(scope, "global") && !value_is(scope, "per-sender"))
		warn(s, "session.scope is \"%s\", which is neither per-sender nor global",
		     quote(s, summary->scope));
	if (cJSON_IsObject(session))
		cJSON_ArrayForEach(member, session) if (!is_session_member(member->string))
		    warn(s, "session.%s is not known and means nothing",
			 quote(s, str_of(member->string)));
}

/* --- allowlists --- */

static const char *
why_unpinned(enum pin_kind kind)
{
	if (kind == PIN_NOBODY)
		return "names nobody";
	return kind == PIN_ANYBODY ? "lets anybody in" : "names more than one person";
}

/* They are asked only where direct chats can go to the main session. */
static void
warn_of_lists(struct summing *s)
{
	const struct policy_summary *summary = s->summary;

	for (size_t i = 0; i < summary->list_count; i++) {
		const struct allowlist_row *row = &summary->lists[i];
		bool own = row->account.s != NULL;

		if (row->pin.kind != PIN_OWNER)
			warn(s,
			     "the allowlist of channels.%s%s%s %s, so it has no single owner and "
			     "its direct chats keep sessions of their own",
			     quote(s, row->channel), own ? ".accounts." : "",
			     own ? quote(s, row->account) : "", why_unpinned(row->pin.kind));
	}
}

static void
warn_of_channels(struct summing *s, const cJSON *channels)
{
	const cJSON *channel;

	if (!cJSON_IsObject(channels))
		return;
	cJSON_ArrayForEach(channel, channels)
	{
		struct str name = str_of(channel->string);

		if (!str_eq(text_fold(s->arena, name), name))
			warn(s, "channels.%s is never found, because channels are lower-case",
			     quote(s, name));
	}
}

void
summary_compile(const cJSON *config, const struct agents *agents, const struct allowlists *lists,
		struct arena *arena, struct policy_summary *ret)
{
	const cJSON *of_agents = value_member(config, "agents"),
		    *bindings = value_member(config, "bindings"),
		    *ownership = value_member(of_agents, "ownership"),
		    *timezone = value_member(value_member(of_agents, "defaults"), "userTimezone");
	struct summing s = { .arena = arena, .summary = ret };

	*ret = (struct policy_summary){ .agents = agents->roster,
					.agent_count = agents->count,
					.owner = agents->owner };
	ret->warnings = s.warnings = arena_alloc(arena, SUMMARY_WARNINGS_MAX * sizeof(*s.warnings));
	ret->ownership = arena_dup(arena, value_text(ownership));
	ret->timezone = arena_dup(arena, value_text(timezone));
	if (cJSON_IsArray(bindings))
		ret->bindings = (size_t)cJSON_GetArraySize(bindings);
	ret->lists = allowlists_list(lists, arena, &ret->list_count);
	sum_session(&s, value_member(config, "session"));
	if (dm_scope_parse(value_member(value_member(config, "session"), "dmScope")) == DM_MAIN)
		warn_of_lists(&s);
	warn_of_channels(&s, value_member(config, "channels"));
}
