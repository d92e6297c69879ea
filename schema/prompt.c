/*
 * prompt.c - what a prompt says of an event, and what it leaves to others.
 *
 * Prefixes and marks are compared as ASCII, in any case where the rule says so: as in session_key.c
 * that is the same as lower-casing first, but for the k of KELVIN SIGN, which the noise below
 * therefore looks for in lower-cased text.
 */
#include "schema/prompt.h"

#include <strings.h>

#include "schema/zone.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define EXEC_ID_MAX 64

static struct str
behind(struct str s, size_t n)
{
	return (struct str){ s.s + n, s.len - n };
}

/* Does s start with the words, in any case? */
static bool
starts(struct str s, struct str words)
{
	return s.len >= words.len && strncasecmp(s.s, words.s, words.len) == 0;
}

/* --- exec completions --- */

/* Goes past the words if s starts with them. */
static bool
take(struct str *s, struct str words)
{
	if (!starts(*s, words))
		return false;
	*s = behind(*s, words.len);
	return true;
}

/* Goes past the bytes that are of the set; how many. */
static size_t
take_all(struct str *s, struct str set)
{
	size_t n = 0;

	while (n < s->len && memchr(set.s, s->s[n], set.len) != NULL)
		n++;
	*s = behind(*s, n);
	return n;
}

static bool
take_id(struct str *s)
{
	size_t len =
	    take_all(s, STR("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"));

	return len >= 1 && len <= EXEC_ID_MAX;
}

/* code 0, code -1, signal SIGKILL; a signal may have any name without a closing parenthesis. */
static bool
take_result(struct str *s)
{
	const char *end;

	if (take(s, STR("code "))) {
		take(s, STR("-"));
		return take_all(s, STR("0123456789")) > 0;
	}
	if (!take(s, STR("signal ")))
		return false;
	end = memchr(s->s, ')', s->len);
	if (end == NULL || end == s->s)
		return false;
	*s = behind(*s, (size_t)(end - s->s));
	return true;
}

/* exec completed|failed (id, result)[ :: output]; the output may be empty and may have lines. */
static bool
is_structured(struct str s)
{
	return take(&s, STR("exec ")) && (take(&s, STR("completed")) || take(&s, STR("failed"))) &&
	       take(&s, STR(" (")) && take_id(&s) && take(&s, STR(", ")) && take_result(&s) &&
	       take(&s, STR(")")) && (s.len == 0 || starts(s, STR(" :: ")));
}

/* exec finished: ... or exec finished (... */
static bool
is_plain(struct str s)
{
	return take(&s, STR("exec finished")) &&
	       (starts(s, STR(":")) || starts(text_trim(s), STR("(")));
}

static bool
is_exec_completion(struct str text)
{
	struct str trimmed = text_trim(text);
	struct str s = behind(text, (size_t)(trimmed.s - text.s)); /* the end counts */

	return is_plain(s) || is_structured(s);
}

/* --- what is said --- */

static bool
contains(struct str s, struct str words)
{
	return memmem(s.s, s.len, words.s, words.len) != NULL;
}

/* Whether an ASCII word stands in s, in any case; found by one letter of it that is rare in texts.
 */
static bool
has_word(struct str s, const char *word, size_t rare)
{
	const size_t len = strlen(word);
	const char letters[] = { word[rare], (char)(word[rare] - 'a' + 'A') };

	for (size_t i = 0; i < COUNT(letters); i++) {
		const char *at = s.s, *end = s.s + s.len;

		while ((at = memchr(at, letters[i], (size_t)(end - at))) != NULL) {
			if ((size_t)(at - s.s) >= rare && (size_t)(end - at) >= len - rare &&
			    strncasecmp(at - rare, word, len) == 0)
				return true;
			at++;
		}
	}
	return false;
}

/*
 * Heartbeats that speak of themselves. Lower-casing is dear, so it is done only where one of the
 * two words stands that the phrases have; no letter outside ASCII becomes one of theirs.
 */
static bool
is_left_out(struct arena *arena, struct str text)
{
	static const struct str inside[] = {
		STR_INIT("reason periodic"),
		STR_INIT("heartbeat poll"),
		STR_INIT("heartbeat wake"),
	};
	struct str lowered;

	if (!has_word(text, "heartbeat", 5) && !has_word(text, "periodic", 0))
		return false;
	lowered = text_lower(arena, text);
	for (size_t i = 0; i < COUNT(inside); i++)
		if (contains(lowered, inside[i]))
			return true;
	return str_starts(lowered, STR("read heartbeat.md"));
}

/*
 * A node's "· last input 5s ago" changes all the time and says nothing: it goes, up to the next
 * dot, with the space before it.
 */
static struct str
without_last_input(struct arena *arena, struct str text)
{
	const struct str dot = STR("\u00b7"), mark = STR(" \u00b7 last input ");

	for (size_t i = 0; i < text.len; i++) {
		struct str kept = behind(text, i);
		const char *next;
		char *joined;

		if (!take(&kept, mark) || str_starts(kept, dot))
			continue;
		next = memmem(kept.s, kept.len, dot.s, dot.len);
		kept = behind(kept, next != NULL ? (size_t)(next - kept.s) : kept.len);
		joined = arena_bytes(arena, i + kept.len);
		memcpy(joined, text.s, i);
		memcpy(joined + i, kept.s, kept.len);
		return text_trim((struct str){ joined, i + kept.len });
	}
	return text;
}

/*
 * What a prompt says of the event; empty: nothing. Notices of new sessions may speak of heartbeats,
 * so they stay as they are.
 */
static struct str
said(struct arena *arena, const struct prompt_event *event)
{
	struct str text = text_trim(event->text);

	if (str_starts(event->context_key, STR("session-created:")))
		return text;
	if (is_left_out(arena, text))
		return STR("");
	return str_starts(text, STR("Node:")) ? without_last_input(arena, text) : text;
}

/*
 * The text behind the time, every further line under a prefix of its own, so that none can pass for
 * somebody else's.
 */
static void
write_lines(struct buf *out, struct str text)
{
	const char *lf;

	while ((lf = memchr(text.s, '\n', text.len)) != NULL) {
		size_t len = (size_t)(lf + 1 - text.s);

		buf_add(out, text.s, len);
		buf_adds(out, "System: ");
		text = behind(text, len);
	}
	buf_add(out, text.s, text.len);
}

/*
 * Appends the event's lines, behind a LF if others are before them. Returns whether there is
 * anything to say.
 */
static bool
write_event(struct buf *out, const struct zone *zone, const struct prompt_event *event, bool first)
{
	struct arena arena = { 0 };
	struct str text = said(&arena, event);
	bool any = text.len > 0;

	if (any) {
		buf_adds(out, first ? "System: [" : "\nSystem: [");
		zone_write(zone, out, event->ts_ms);
		buf_adds(out, "] ");
		write_lines(out, text);
	}
	arena_clear(&arena);
	return any;
}

enum prompt_kind
prompt_kind(struct str text, struct str context_key)
{
	struct arena arena = { 0 };
	bool left_out;

	if (is_exec_completion(text))
		return PROMPT_EXEC_COMPLETION;
	left_out = said(&arena, &(struct prompt_event){ text, context_key, 0, false }).len == 0;
	arena_clear(&arena);
	return left_out ? PROMPT_LEFT_OUT : PROMPT_LINES;
}

bool
prompt_write(struct buf *out, struct prompt_event *events, size_t count, struct str zone_name)
{
	struct arena arena = { 0 };
	struct zone zone;
	bool any = false;

	zone_enter(&zone, &arena, zone_name);
	for (size_t i = 0; i < count; i++) {
		events[i].left_out = !write_event(out, &zone, &events[i], !any);
		any = any || !events[i].left_out;
	}
	zone_leave(&zone);
	arena_clear(&arena);
	return any;
}
