/*
 * prompt.c - the text that a prompt shows for an event, and the events it does not show.
 *
 * Fixed words are compared as ASCII, without regard to case where the rule says so. As in
 * session_key.c that equals lower-casing first, except for words with a k (KELVIN SIGN lower-cases
 * to it); is_left_out has such words and therefore lower-cases the text.
 */
#include "schema/prompt.h"

#include <strings.h>

#include "schema/characters.h"
#include "schema/json.h"
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

/* Moves s past the words if it starts with them. */
static bool
take(struct str *s, struct str words)
{
	if (!starts(*s, words))
		return false;
	*s = behind(*s, words.len);
	return true;
}

/* Moves s past its first bytes that are in the set and returns how many. */
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

/* --- the text of an event --- */

static bool
contains(struct str s, struct str words)
{
	return memmem(s.s, s.len, words.s, words.len) != NULL;
}

/*
 * Does s contain the lower-case ASCII word, in any case? memchr looks for the letter word[rare],
 * which should be one that is rare in texts.
 */
static inline bool
has_word(struct str s, const char *word, size_t rare)
{
	const size_t len = strlen(word);

	if (s.len < len)
		return false;
	for (int upper = 0; upper <= 'a' - 'A'; upper += 'a' - 'A') {
		const char *at = s.s, *end = s.s + s.len;

		while ((at = memchr(at, word[rare] - upper, (size_t)(end - at))) != NULL) {
			/* the next letter decides nearly always, without a call */
			if ((size_t)(at - s.s) >= rare && (size_t)(end - at) >= len - rare &&
			    (at[1] | 0x20) == word[rare + 1] &&
			    strncasecmp(at - rare, word, len) == 0)
				return true;
			at++;
		}
	}
	return false;
}

/*
 * Each phrase that leaves an event out has one of two words. Every enqueue asks, and lower-casing
 * is expensive; no letter outside ASCII lower-cases to a letter of these.
 */
static bool
may_be_left_out(struct str text)
{
	return has_word(text, "heartbeat", 5) || has_word(text, "periodic", 0);
}

/* Is it a heartbeat's notice about itself (ROUTING section 8)? */
static bool
is_left_out(struct arena *arena, struct str text)
{
	static const struct str inside[] = {
		STR_INIT("reason periodic"),
		STR_INIT("heartbeat poll"),
		STR_INIT("heartbeat wake"),
	};
	struct str lowered = text_lower(arena, text);

	for (size_t i = 0; i < COUNT(inside); i++)
		if (contains(lowered, inside[i]))
			return true;
	return str_starts(lowered, STR("read heartbeat.md"));
}

/*
 * Removes a node's " · last input 5s ago", up to the next dot: it changes all the time and means
 * nothing to a prompt.
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

/* A notice of a new session is shown as it is, since it may mention heartbeats. */
static bool
is_of_new_session(struct str context_key)
{
	return str_starts(context_key, STR("session-created:"));
}

/*
 * Writes the text behind the time. Every line break becomes a LF, and every further line gets the
 * prefix as well, so that a line break in an event cannot fake a line of another speaker.
 */
static void
write_lines(struct buf *out, struct str text)
{
	size_t begun = 0, at = 0; /* of the line; and how far it is known */

	while (at < text.len) {
		at += bytes_before_line_break(text.s + at, text.len - at);
		size_t len = line_break_bytes(text.s + at, text.len - at);

		if (len == 0 && at < text.len) {
			at++;
			continue;
		}
		json_escape(out, (struct str){ text.s + begun, at - begun });
		if (len > 0)
			buf_adds(out, "\\nSystem: ");
		begun = at += len;
	}
}

void
prompt_write(struct buf *out, const struct zone *zone, struct str text, struct str context_key,
	     int64_t ts_ms, bool first)
{
	struct arena arena = { 0 };

	text = text_trim(text);
	if (str_starts(text, STR("Node:")) && !is_of_new_session(context_key))
		text = without_last_input(&arena, text);
	buf_adds(out, first ? "System: [" : "\\nSystem: [");
	zone_write(zone, out, ts_ms);
	buf_adds(out, "] ");
	write_lines(out, text);
	arena_clear(&arena);
}

/* --- the kind of an event --- */

static bool
has_no_lines(struct str text, struct str context_key)
{
	struct arena arena = { 0 };
	bool left_out;

	if (text.len == 0)
		return true;
	if (!may_be_left_out(text) || is_of_new_session(context_key))
		return false;
	left_out = is_left_out(&arena, text);
	arena_clear(&arena);
	return left_out;
}

enum prompt_kind
prompt_kind(struct str text, struct str context_key)
{
	bool left_out = has_no_lines(text, context_key);

	if (is_exec_completion(text))
		return left_out ? PROMPT_EXEC_LEFT_OUT : PROMPT_EXEC_COMPLETION;
	return left_out ? PROMPT_LEFT_OUT : PROMPT_LINES;
}
