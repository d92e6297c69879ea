/*
 * log.h - what the server says on standard error: one line a record.
 *
 * Here: levels, the two formats (JSON lines; text for people), and escaping: control, bidirectional
 * and invisible characters and invalid UTF-8 never reach a terminal or a log reader as they are.
 * Not here: what is worth saying. Callers never pass tokens or event texts.
 *
 *     log_line(LOG_INFO, log_msg("listening"), log_text("address", address), log_number("port",
 * 7387));
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "schema/error.h"
#include "schema/mem.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT }; /* auto: text on a terminal, else JSON */

/*
 * A member of a record. A NULL name is left out, so that an optional member can stand in the
 * list.
 */
struct log_field {
	const char *name;
	struct str text; /* NULL: the number */
	long long number;
};

static inline struct log_field
log_text(const char *name, const char *text)
{
	return (struct log_field){ name, text != NULL ? str_of(text) : STR(""), 0 };
}

static inline struct log_field
log_msg(const char *text)
{
	return log_text("msg", text);
}

static inline struct log_field
log_number(const char *name, long long number)
{
	return (struct log_field){ name, STR_NULL, number };
}

/* Process-wide: where records go and how. May be called again (SIGHUP). */
void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const struct log_field *fields, size_t count);

#define log_line(level, ...)                                                                       \
	log_write((level), (const struct log_field[]){ __VA_ARGS__ },                              \
		  sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

/* A failure as a record: message, code, detail, and line and column where the error has them. */
void log_failure(enum log_level level, const char *msg, const struct error *err);

/*
 * Appends s for a log: what could act on a terminal becomes \uXXXX, invalid bytes U+FFFD, long text
 * is cut. With quotes.
 */
void log_quote(struct buf *out, struct str s);

#endif
