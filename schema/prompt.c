/*
 * prompt.c - what a prompt says of an event, and what it leaves to others.
 *
 * Prefixes and marks are compared as ASCII, in any case where the rule says so: as in session_key.c that is the same as
 * lower-casing first, but for the k of KELVIN SIGN, which the noise below therefore looks for in lower-cased text.
 */
#include "schema/prompt.h"

#include <strings.h>

#include "schema/zone.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define EXEC_ID_MAX 64

static struct sevq_str
behind(struct sevq_str s, size_t n)
{
	return (struct sevq_str){ s.s + n, s.len - n };
}

/* Does s start with the words, in any case? */
static bool
starts(struct sevq_str s, struct sevq_str words)
{
	return s.len >= words.len && strncasecmp(s.s, words.s, words.len) == 0;
}

/* ---- exec completions ---- */

/* Goes past the words if s starts with them. */
static bool
take(struct sevq_str *s, struct sevq_str words)
{
	if (!starts(*s, words))
		return false;
	*s = behind(*s, words.len);
	return true;
}

/* Goes past the bytes that are of the set; how many. */
static size_t
take_all(struct sevq_str *s, struct sevq_str set)
{
	size_t n = 0;

	while (n < s->len && memchr(set.s, s->s[n], set.len) != NULL)
		n++;
	*s = behind(*s, n);
	return n;
}

static bool
take_id(struct sevq_str *s)
{
	size_t len = take_all(s, SEVQ_STR("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"));

	return len >= 1 && len <= EXEC_ID_MAX;
}

/* code 0, code -1, signal SIGKILL; a signal may have any name without a closing parenthesis. */
static bool
take_result(struct sevq_str *s)
{
	const char *end;

	if (take(s, SEVQ_STR("code "))) {
		take(s, SEVQ_STR("-"));
		return take_all(s, SEVQ_STR("0123456789")) > 0;
	}
	if (!take(s, SEVQ_STR("signal ")))
		return false;
	end = memchr(s->s, ')', s->len);
	if (end == NULL || end == s->s)
		return false;
	*s = behind(*s, (size_t)(end - s->s));
	return true;
}

/* exec completed|failed (id, result)[ :: output]; the output may be empty and may have lines. */
static bool
is_structured(struct sevq_str s)
{
	return take(&s, SEVQ_STR("exec ")) && (take(&s, SEVQ_STR("completed")) || take(&s, SEVQ_STR("failed"))) &&
	       take(&s, SEVQ_STR(" (")) && take_id(&s) && take(&s, SEVQ_STR(", ")) && take_result(&s) && take(&s, SEVQ_STR(")")) &&
	       (s.len == 0 || starts(s, SEVQ_STR(" :: ")));
}

/* exec finished: ... or exec finished (... */
static bool
is_plain(struct sevq_str s)
{
	return take(&s, SEVQ_STR("exec finished")) && (starts(s, SEVQ_STR(":")) || starts(sevq_trim(s), SEVQ_STR("(")));
}

bool
sevq_prompt_is_exec_completion(struct sevq_str text)
{
	struct sevq_str trimmed = sevq_trim(text);
	struct sevq_str s = behind(text, (size_t)(trimmed.s - text.s)); /* the end counts */

	return is_plain(s) || is_structured(s);
}

/* ---- what is said ---- */

static bool
contains(struct sevq_str s, struct sevq_str words)
{
	return memmem(s.s, s.len, words.s, words.len) != NULL;
}

/* Heartbeats talking of themselves. */
static bool
is_noise(struct sevq_arena *arena, struct sevq_str text)
{
	static const struct sevq_str inside[] = {
		SEVQ_STR_INIT("reason periodic"),
		SEVQ_STR_INIT("heartbeat poll"),
		SEVQ_STR_INIT("heartbeat wake"),
	};
	struct sevq_str lowered = sevq_lower(arena, text);

	for (size_t i = 0; i < COUNT(inside); i++)
		if (contains(lowered, inside[i]))
			return true;
	return sevq_str_starts(lowered, SEVQ_STR("read heartbeat.md"));
}

/* A node's "· last input 5s ago" changes all the time and says nothing: it goes, up to the next dot, with the space before it. */
static struct sevq_str
without_last_input(struct sevq_arena *arena, struct sevq_str text)
{
	const struct sevq_str dot = SEVQ_STR("\u00b7"), mark = SEVQ_STR(" \u00b7 last input ");

	for (size_t i = 0; i < text.len; i++) {
		struct sevq_str kept = behind(text, i);
		const char *next;
		char *joined;

		if (!take(&kept, mark) || sevq_str_starts(kept, dot))
			continue;
		next = memmem(kept.s, kept.len, dot.s, dot.len);
		kept = behind(kept, next != NULL ? (size_t)(next - kept.s) : kept.len);
		joined = sevq_arena_bytes(arena, i + kept.len);
		memcpy(joined, text.s, i);
		memcpy(joined + i, kept.s, kept.len);
		return sevq_trim((struct sevq_str){ joined, i + kept.len });
	}
	return text;
}

/* What a prompt says of the event; empty: nothing. Notices of new sessions may speak of heartbeats, so they stay as they are. */
static struct sevq_str
said(struct sevq_arena *arena, const struct sevq_prompt_event *event)
{
	struct sevq_str text = sevq_trim(event->text);

	if (sevq_str_starts(event->context_key, SEVQ_STR("session-created:")))
		return text;
	if (is_noise(arena, text))
		return SEVQ_STR("");
	return sevq_str_starts(text, SEVQ_STR("Node:")) ? without_last_input(arena, text) : text;
}

/* The text behind the time, every further line under a prefix of its own, so that none can pass for somebody else's. */
static void
write_lines(struct sevq_buf *out, struct sevq_str text)
{
	const char *lf;

	while ((lf = memchr(text.s, '\n', text.len)) != NULL) {
		size_t len = (size_t)(lf + 1 - text.s);

		sevq_buf_add(out, text.s, len);
		sevq_buf_adds(out, "System: ");
		text = behind(text, len);
	}
	sevq_buf_add(out, text.s, text.len);
}

/* Appends the event's lines, behind a LF if others are before them. Returns whether there is anything to say. */
static bool
write_event(struct sevq_buf *out, const struct sevq_zone *zone, const struct sevq_prompt_event *event, bool first)
{
	struct sevq_arena arena = { 0 };
	struct sevq_str text = said(&arena, event);
	bool any = text.len > 0;

	if (any) {
		sevq_buf_adds(out, first ? "System: [" : "\nSystem: [");
		sevq_zone_write(zone, out, event->ts_ms);
		sevq_buf_adds(out, "] ");
		write_lines(out, text);
	}
	sevq_arena_clear(&arena);
	return any;
}

bool
sevq_prompt_write(struct sevq_buf *out, const struct sevq_prompt_event *events, size_t count, struct sevq_str zone_name)
{
	struct sevq_arena arena = { 0 };
	struct sevq_zone zone;
	bool any = false;

	sevq_zone_enter(&zone, &arena, zone_name);
	for (size_t i = 0; i < count; i++)
		any |= write_event(out, &zone, &events[i], !any);
	sevq_zone_leave(&zone);
	sevq_arena_clear(&arena);
	return any;
}
