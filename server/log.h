/*
 * log.h - what the server says on standard error: one line a record.
 *
 * Here: levels, the two formats (JSON lines; text for people), and escaping: control, bidirectional and invisible
 * characters and invalid UTF-8 never reach a terminal or a log reader as they are.
 * Not here: what is worth saying. Callers never pass tokens or event texts.
 *
 *     sevq_log(SEVQ_LOG_INFO, sevq_log_msg("listening"), sevq_log_text("address", address), sevq_log_number("port", 7387));
 */
#ifndef SEVQ_SERVER_LOG_H
#define SEVQ_SERVER_LOG_H

#include "schema/error.h"
#include "schema/mem.h"

enum sevq_log_level { SEVQ_LOG_DEBUG, SEVQ_LOG_INFO, SEVQ_LOG_WARN, SEVQ_LOG_ERROR };
enum sevq_log_format { SEVQ_LOG_AUTO, SEVQ_LOG_JSON, SEVQ_LOG_TEXT }; /* auto: text on a terminal, else JSON */

/* One member of a record. A NULL name is left out, so that an optional member can stand in the list. */
struct sevq_log_field {
	const char *name;
	struct sevq_str text; /* NULL: the number */
	long long number;
};

static inline struct sevq_log_field
sevq_log_text(const char *name, const char *text)
{
	return (struct sevq_log_field){ name, text != NULL ? sevq_str(text) : SEVQ_STR(""), 0 };
}

static inline struct sevq_log_field
sevq_log_msg(const char *text)
{
	return sevq_log_text("msg", text);
}

static inline struct sevq_log_field
sevq_log_number(const char *name, long long number)
{
	return (struct sevq_log_field){ name, SEVQ_STR_NULL, number };
}

/* Process-wide: where records go and how. May be called again (SIGHUP). */
void sevq_log_configure(enum sevq_log_level level, enum sevq_log_format format);
bool sevq_log_enabled(enum sevq_log_level level);

void sevq_log_write(enum sevq_log_level level, const struct sevq_log_field *fields, size_t count);

#define sevq_log(level, ...)                                                                                                       \
	sevq_log_write((level), (const struct sevq_log_field[]){ __VA_ARGS__ },                                                    \
		       sizeof((const struct sevq_log_field[]){ __VA_ARGS__ }) / sizeof(struct sevq_log_field))

/* A failure as a record: message, code, detail, and line and column where the error has them. */
void sevq_log_failure(enum sevq_log_level level, const char *msg, const struct sevq_error *err);

/* Appends s for a log: what could act on a terminal becomes \uXXXX, invalid bytes U+FFFD, long text is cut. With quotes. */
void sevq_log_quote(struct sevq_buf *out, struct sevq_str s);

#endif
